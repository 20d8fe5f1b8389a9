import { randomBytes } from "node:crypto";
import type { Clock } from "../../runtime/clock.ts";
import { proofText } from "../../uplink/claim-proof.ts";
import { CLOSE } from "../../uplink/close-codes.ts";
import { UPLINK } from "../../uplink/limits.ts";
import { Line } from "../../uplink/line/line.ts";
import { parseFromRelay, type ClaimKind } from "../../uplink/messages.ts";
import { dialRelay } from "./dial.ts";
import { closedFailure, dialFailure, foreignFailure, type LineFailure } from "./failure.ts";
import { freshKey } from "./keys.ts";
import type { RelaySettings } from "./settings.ts";

/** How far a host comes that asks for a room and claims none. */
export interface Trial {
  /** The versions that the relay speaks; undefined where it has not said hello. */
  readonly versions: readonly number[] | undefined;
  /** The rights of the token, or why it has none. */
  readonly outcome:
    | { readonly kind: "admitted"; readonly kinds: readonly ClaimKind[] }
    | { readonly kind: "failed"; readonly failure: LineFailure };
}

interface TrialOptions {
  readonly origin: URL;
  readonly network: RelaySettings["network"];
  readonly clock: Clock;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

/** Registers as a host would, with a key of its own, but for the claim. */
export function tryRelay({ origin, network, clock, token, signal }: TrialOptions): Promise<Trial> {
  return new Promise((resolve) => {
    const socket = dialRelay(origin, network);
    let versions: readonly number[] | undefined;
    let failure: LineFailure | undefined;
    socket.once("error", (error) => (failure ??= dialFailure(error)));
    socket.once("unexpected-response", (_request, { statusCode = 0 }) => {
      failure = foreignFailure(statusCode);
      // Whoever listens for this has to end it: the end of the request alone tells the socket nothing.
      socket.terminate();
    });
    const end = (): void => line.terminate();
    signal.addEventListener("abort", end);
    const line = new Line(socket, () => clock.now(), {
      onText(text) {
        const message = parseFromRelay(text);
        if (message?.type === "hello" && versions === undefined) {
          ({ versions } = message);
          if (!versions.includes(UPLINK.version)) return line.close(CLOSE.never, "wrong-version");
          const key = freshKey();
          const kind = "room";
          const name = randomBytes(16).toString("base64url");
          const signature = key.sign(proofText({ nonce: message.nonce, authority: origin.host, kind, name }));
          const { publicKey } = key;
          line.send({
            type: "register",
            version: UPLINK.version,
            kind,
            name,
            key: publicKey,
            signature,
            token,
            isTrial: true,
          });
        } else if (message?.type === "admitted" && versions !== undefined) {
          resolve({ versions, outcome: { kind: "admitted", kinds: message.kinds } });
        } else {
          line.terminate();
        }
      },
      onClose(code, reason) {
        signal.removeEventListener("abort", end);
        resolve({ versions, outcome: { kind: "failed", failure: failure ?? closedFailure(code, reason) } });
      },
    });
    if (signal.aborted) end();
  });
}
