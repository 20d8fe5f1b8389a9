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
import { SpokenEntries, systemEvent, type SpokenStanding } from "../room/participant.ts";
import type { Primitives } from "../base/primitives.ts";
import { encodeUtf8 } from "../base/utf8.ts";
import type { RoomKeeping } from "./kept.ts";
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
  readonly keeping: RoomKeeping;
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

  get standing(): SpokenStanding {
    return this.#spoken.standing;
  }

  /** Goes on from where an earlier process was. @param past frames for those who come later */
  standAt(spoken: SpokenStanding, past: readonly { readonly seq: number; readonly payload: Bytes }[]): void {
    this.#spoken.standAt(spoken);
    this.log.standAt(this.#present, past);
  }

  get #present(): Beginning {
    const { order } = this.#options;
    return { view: order.view, members: order.members };
  }

  /** A message that has been verified, or is the host's own; `source` is the session of its sender, or the text where it is sealed. */
  chat(
    event: ChatEvent,
    body: Bytes,
    { hash, source }: { readonly hash: Bytes; readonly source: MemberSession | { readonly text: string } },
    now: number,
  ): void {
    const { primitives, order, sessions, keeping } = this.#options;
    const at = this.#nextPlace(now);
    const whole = encodeHostFrame({ t: "event", ...at, event }, body);
    if ("member" in source) keeping.placed(source, at.ts);
    else keeping.said(at.ts, whole, event.seal === undefined ? undefined : encodeUtf8(source.text));
    order.appendChat(at.seq, at.ts, event, hash);
    const { seal, ...fields } = event;
    const digests = digestsOf(primitives, seal, body);
    this.log.message(order.view, at.ts, signedOf(event, digests));
    const { from, n, to } = fields;
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

  /** @param above the place is above this one too, which a return alone may ask for (O12) */
  system(event: SystemRoomEvent, now: number, above = 0): void {
    const { order, sessions, keeping, emit } = this.#options;
    const at = this.#nextPlace(now, above);
    const entry = systemEvent(event, order);
    const frame: HostFrame = { t: "event", ...at, event };
    const payload = encodeHostFrame(frame);
    keeping.event(at.ts, payload, event.kind === "returned" ? "synced" : "written");
    order.appendSystem(at.seq, at.ts, event);
    this.log.event(order.view, at.ts, event);
    for (const session of sessions.all) this.#deliver(session, payload, now);
    this.#remember(payload);
    emit({ type: "entry", entry: { kind: "system", ...at, ...entry } });
  }

  /** Shows the host's own agent the last message of the order; undefined where it could not be shown. */
  show(event: ChatEvent, text: string): SpokenEntry | undefined {
    const { order, signer, emit } = this.#options;
    const said = { ...event, own: event.from === signer.id, text };
    const entry = this.#spoken.of({ seq: order.view.seq, ts: order.ts }, said, order);
    if (entry !== undefined) emit({ type: "entry", entry });
    return entry;
  }

  /** The last message of the order is not for the host, or cannot be read by it. */
  unread(): void {
    this.#spoken.unread();
  }

  /** No time is before the last one, also where another process with another clock has given that. */
  #nextPlace(now: number, above = 0): { readonly seq: number; readonly ts: number } {
    const { order, keeping } = this.#options;
    const seq = Math.max(order.view.seq, above) + 1;
    keeping.reserve("placed", seq);
    return { seq, ts: Math.max(now, order.ts) };
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
    // An earlier process has given it to this member, or has told that it could not.
    if (this.#options.keeping.isMuted) session.link.replay({ kind: "sent", payload });
    else if (session.link.hasRoomFor(payload.length)) session.link.send(payload, now);
    // Removal is itself an event of the room, so it must come after the one being delivered.
    else session.fellBehind = true;
  }
}
