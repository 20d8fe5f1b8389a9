import type { ConnectionId } from "../base/ids.ts";
import { equalBytes, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { decodeWelcome, encodeConfirm, type Confirm, type Welcome } from "../room/frames.ts";
import { DENIED, GuestHandshake } from "../handshake/handshake.ts";
import { resumeSecret } from "../handshake/keys.ts";
import type { Primitives } from "../base/primitives.ts";
import type { Candidate, Pairing } from "./candidates.ts";
import type { RekeyLimits } from "../record/direction.ts";
import { CLOSE } from "../room/close-reasons.ts";
import { closeReason, FRAME, RecordLayer } from "../record/record.ts";
import { safetyCode } from "../handshake/safety-code.ts";

/** The host has proved itself and let us in. */
export interface Arrival {
  readonly connection: ConnectionId;
  readonly welcome: Welcome;
  readonly records: RecordLayer;
  /** The handshake of the pairing, however often it has been resumed since. */
  readonly pairing: Pairing;
}

/** The host holds the secret that was used, and may take up the next one. */
export interface Proven {
  readonly secret: Bytes;
  readonly pairing: Pairing;
}

type Stage =
  | { readonly name: "challenge" | "accept" }
  | { readonly name: "welcome"; readonly records: RecordLayer; readonly pairing: Pairing };

export interface AttemptOptions {
  readonly connection: ConnectionId;
  readonly candidate: Candidate;
  readonly room: Bytes;
  readonly hostKey: Bytes;
  readonly claim: Bytes;
  /** The content of CONFIRM at the moment when it is sent, with the proof for the handshake that has this hash. */
  readonly confirm: (hash: Bytes) => Omit<Confirm, "share">;
  readonly rekey?: RekeyLimits | undefined;
}

/** One attempt of a guest on one connection, from M1 to WELCOME (PROTOCOL §4.1): M1 to M5 as it sees them. */
export class Attempt {
  readonly connection: ConnectionId;
  readonly candidate: Candidate;
  readonly #primitives: Primitives;
  readonly #options: AttemptOptions;
  readonly #handshake: GuestHandshake;
  #stage: Stage = { name: "challenge" };

  constructor(primitives: Primitives, options: AttemptOptions) {
    this.connection = options.connection;
    this.candidate = options.candidate;
    this.#primitives = primitives;
    this.#options = options;
    this.#handshake = new GuestHandshake(primitives, {
      room: options.room,
      hostKey: options.hostKey,
      credential: options.candidate.credential,
      claim: options.claim,
    });
  }

  get stage(): Stage["name"] {
    return this.#stage.name;
  }

  /**
   * The next message of the host: what to answer, what M3 has proved once it has opened, and the arrival.
   * @throws {TunnelError} invite-refused, host-not-authentic, integrity-failed and whatever else is wrong with it
   */
  receive(message: Bytes, now: number): { reply: Bytes[]; proven?: Proven; arrival?: Arrival } {
    const stage = this.#stage;
    switch (stage.name) {
      case "challenge":
        this.#stage = { name: "accept" };
        return { reply: [this.#handshake.answer(message)] };
      case "accept":
        return this.#accepted(message, now);
      case "welcome":
        return { reply: [], arrival: this.#welcomed(stage, message, now) };
    }
  }

  #accepted(message: Bytes, now: number): { reply: Bytes[]; proven: Proven } {
    const {
      initiatorToResponder: send,
      responderToInitiator: receive,
      hash,
      exporter,
    } = this.#handshake.finish(message);
    const records = new RecordLayer(this.#primitives, { send, receive }, now, this.#options.rekey);
    const { share } = this.#handshake;
    const { candidate } = this.#options;
    const pairing = candidate.pairing ?? { safetyCode: safetyCode(this.#primitives, hash, share), hash };
    this.#stage = { name: "welcome", records, pairing };
    const { confirm } = this.#options;
    const payload = encodeConfirm({ share, ...confirm(hash) });
    const reply = records.seal({ type: FRAME.confirm, payload }, now);
    return { reply, proven: { secret: resumeSecret(this.#primitives, exporter), pairing } };
  }

  #welcomed(stage: Extract<Stage, { name: "welcome" }>, message: Bytes, now: number): Arrival {
    // A denial may come as late as this: the member's session moved on to another credential meanwhile.
    if (equalBytes(message, DENIED)) throw new TunnelError("invite-refused");
    const frame = stage.records.open(message, now);
    const reason = frame?.type === FRAME.close ? closeReason(frame.payload) : undefined;
    if (reason === CLOSE.asked) throw new TunnelError("admission-pending");
    if (reason === CLOSE.outdated) throw new TunnelError("stay-outdated");
    if (frame?.type !== FRAME.welcome)
      throw new TunnelError("protocol-violation", { detail: "no welcome came" });
    const welcome = decodeWelcome(frame.payload);
    return { connection: this.connection, welcome, records: stage.records, pairing: stage.pairing };
  }
}
