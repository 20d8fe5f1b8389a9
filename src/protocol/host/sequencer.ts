import { digestsOf } from "../room/sealed-message.ts";
import type { Bytes } from "../base/bytes.ts";
import { AuditLog, signedOf } from "../room/audit-log.ts";
import {
  encodeHostFrame,
  type ChatEvent,
  type HostFrame,
  type MemberRecord,
  type SystemRoomEvent,
} from "../room/frames.ts";
import type { SpokenEntry } from "../room/log.ts";
import type { RoomOrder, Beginning } from "../room/order.ts";
import { SpokenEntries, systemEvent } from "../room/participant.ts";
import type { Primitives } from "../base/primitives.ts";
import type { RoomEffect } from "./room-io.ts";
import type { MemberSession, MemberSessions } from "./member-sessions.ts";
import type { Signer } from "../room/signer.ts";
import type { SignOff } from "../sign-off/sign-offs.ts";

export interface SequencerOptions {
  readonly primitives: Primitives;
  readonly sessions: MemberSessions;
  readonly order: RoomOrder;
  /** The keys of the host itself. */
  readonly signer: Signer;
  /** Whether later members are given the messages before them. */
  readonly history: boolean;
  readonly emit: (effect: RoomEffect) => void;
}

/** Gives everything that happens in a room its sequence number, and every member its part of it (PROTOCOL §8). */
export class Sequencer {
  readonly #options: SequencerOptions;
  /** The proof of the order to others. */
  readonly log: AuditLog;
  readonly #spoken: SpokenEntries;

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#spoken = new SpokenEntries(options.primitives);
    this.log = new AuditLog(this.#present);
  }

  /** Where the part of the room begins that somebody new is given. */
  beginningFor(newcomer: MemberRecord): Beginning {
    return this.#isGivenPast(newcomer) ? this.log.past.beginning : this.#present;
  }

  /** An observer may begin with its arrival although the room keeps a history (Q6). */
  #isGivenPast({ role }: MemberRecord): boolean {
    return this.#options.history && role !== "observer";
  }

  /** The proposal that stands. */
  get signOff(): SignOff | undefined {
    return this.#spoken.signOff;
  }

  get #present(): Beginning {
    const { order } = this.#options;
    return { view: order.view, members: order.members };
  }

  /** A message that has been verified, or is the host's own. */
  chat(event: ChatEvent, body: Bytes, hash: Bytes, now: number): void {
    const { primitives, order, sessions } = this.#options;
    const seq = order.view.seq + 1;
    order.appendChat(seq, now, event, hash);
    const { seal, ...fields } = event;
    const digests = digestsOf(primitives, seal, body);
    this.log.message(order.view, now, signedOf(event, digests));
    const { from, n, to } = fields;
    const at = { seq, ts: now };
    const whole = encodeHostFrame({ t: "event", ...at, event }, body);
    const withheld =
      to === undefined
        ? whole
        : encodeHostFrame({
            t: "event",
            ...at,
            event: { ...fields, kind: "withheld", to, digests },
          });
    for (const session of sessions.all) {
      const { id } = session.member;
      if (id === from) this.#deliver(session, encodeHostFrame({ t: "own", ...at, n }), now);
      else this.#deliver(session, to?.includes(id) === false ? withheld : whole, now);
    }
    this.#remember(withheld);
  }

  system(event: SystemRoomEvent, now: number): void {
    const { order, sessions, emit } = this.#options;
    const seq = order.view.seq + 1;
    const entry = systemEvent(event, order);
    order.appendSystem(seq, now, event);
    this.log.event(order.view, now, event);
    const frame: HostFrame = { t: "event", seq, ts: now, event };
    const payload = encodeHostFrame(frame);
    for (const session of sessions.all) this.#deliver(session, payload, now);
    this.#remember(payload);
    emit({ type: "entry", entry: { kind: "system", seq, ts: now, ...entry } });
  }

  /** Shows the host's own agent the last message of the order; undefined where it could not be shown. */
  show(event: ChatEvent, text: string, now: number): SpokenEntry | undefined {
    const { order, signer, emit } = this.#options;
    const said = { ...event, own: event.from === signer.id, text };
    const entry = this.#spoken.of({ seq: order.view.seq, ts: now }, said, order);
    if (entry !== undefined) emit({ type: "entry", entry });
    return entry;
  }

  /** The last message of the order is not for the host, or cannot be read by it. */
  unread(): void {
    this.#spoken.unread();
  }

  /** The time before it, for a member that has just come. */
  replay(session: MemberSession, now: number): void {
    if (!this.#isGivenPast(session.member)) return;
    for (const payload of this.log.past.payloads) this.#deliver(session, payload, now);
  }

  #remember(payload: Bytes): void {
    if (this.#options.history) this.log.remember(payload);
  }

  /** A member that has been away for so long that its outbox is full loses its session; no message is skipped silently. */
  #deliver(session: MemberSession, payload: Bytes, now: number): void {
    if (session.link.hasRoomFor(payload.length)) session.link.send(payload, now);
    // Removal is itself an event of the room, so it must come after the one being delivered.
    else session.fellBehind = true;
  }
}
