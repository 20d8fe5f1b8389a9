import { hostForUrl } from "../../net/address.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { ClaimKind, Registered } from "../../uplink/messages.ts";
import type { LineFailure } from "./failure.ts";
import { Uplink, type UplinkEvents, type UplinkOptions } from "./uplink.ts";

/** A relay that is being started again is back by then. */
const OPEN_TIMEOUT_MS = 12_000;

export interface PlaceOptions extends UplinkOptions {
  /** Ends the waiting for the first registration. */
  readonly signal: AbortSignal;
}

/** An address at a relay, from its first registration on. It comes back by itself until it is stopped or over. */
export interface Place {
  /** The first answer of the relay. */
  readonly registered: Registered;
  /** Gives the address back. Resolves when nothing is left running. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Takes a place at a relay: the one way there, for the tunnels of the server and for the library.
 * @throws {TunnelError} cancelled, or why the relay did not take it
 */
export async function takePlace({ signal, ...options }: PlaceOptions): Promise<Place> {
  const { events, clock } = options;
  let last: TunnelError | undefined;
  let connect: (registered: Registered) => void = () => undefined;
  let fail: (error: TunnelError) => void = () => undefined;
  const first = new Promise<Registered>((resolve, reject) => ([connect, fail] = [resolve, reject]));
  const uplink = new Uplink({ ...options, events: followed(events) });
  function followed(all: UplinkEvents): UplinkEvents {
    return {
      onConnected(registered) {
        connect(registered);
        all.onConnected(registered);
      },
      onDisconnected(failure: LineFailure) {
        last = failure.error;
        all.onDisconnected(failure);
      },
      onOver(failure: LineFailure) {
        fail(failure.error);
        all.onOver(failure);
      },
    };
  }
  const cancel = (): void => fail(new TunnelError("cancelled"));
  signal.addEventListener("abort", cancel);
  const stopWaiting = clock.after(OPEN_TIMEOUT_MS, () => fail(last ?? new TunnelError("relay-unreachable")));
  if (signal.aborted) cancel();
  else uplink.start();
  try {
    return { registered: await first, stop: () => uplink.stop() };
  } catch (error) {
    await uplink.stop();
    throw error;
  } finally {
    stopWaiting();
    signal.removeEventListener("abort", cancel);
  }
}

/** A service has the scheme and the port by which its relay is reached. Without a path or trailing slash. */
export function urlFor(kind: ClaimKind, origin: URL, { host, port }: Registered): string {
  const scheme = origin.protocol === "https:" ? "wss" : "ws";
  if (kind === "tcp")
    return `tcp://${hostForUrl(host ?? origin.hostname.replace(/^\[|\]$/g, ""))}:${port ?? 0}`;
  if (kind === "room") return `${scheme}://${origin.host}`;
  return `${scheme}://${host ?? ""}${origin.port === "" ? "" : `:${origin.port}`}`;
}
