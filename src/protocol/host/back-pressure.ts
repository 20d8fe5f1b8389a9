import type { ConnectionId, MemberId } from "../base/ids.ts";
import { LINK, RATE, ROOM } from "../base/limits.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Arrival } from "../link/streams.ts";
import type { RoomOrder } from "../room/order.ts";
import { Backlog } from "../pressure/backlog.ts";
import { Congestion } from "../pressure/congestion.ts";
import { isConnected, type MemberSession, type MemberSessions } from "./member-sessions.ts";
import type { Price } from "../pressure/rate-limiter.ts";
import type { RoomEffect } from "./room-io.ts";
import type { FrameKind, Relayed } from "./stream-relay.ts";

export interface BackPressureOptions {
  readonly sessions: MemberSessions;
  readonly order: RoomOrder;
  readonly emit: (effect: RoomEffect) => void;
}

/**
 * Keeps what members send within what the host and the slowest of them can take (PROTOCOL §6.1): by not reading from a member that
 * causes too much, and by giving up a member that takes in too little. Work is charged to whoever caused it.
 */
export class BackPressure {
  readonly #options: BackPressureOptions;
  readonly #backlog = new Backlog();
  /** The last two who have spoken, the latest first, and when: whoever speaks, somebody else is one of them. */
  #talkers: readonly { readonly speaker: MemberId; readonly at: number }[] = [];

  constructor(options: BackPressureOptions) {
    this.#options = options;
  }

  // --- prices ---

  /** A record that is neither a message of its agent nor about a stream; `isAnswer` for what only answers the host's own. */
  chargeFrame(session: MemberSession, isAnswer: boolean, bytes: number, now: number): void {
    this.#spend(session, { frames: isAnswer ? RATE.answerPrice : 1, bytes }, now);
  }

  /** A WebSocket ping or pong. */
  chargeControl(connection: ConnectionId, now: number): void {
    const session = this.#options.sessions.at(connection);
    if (session !== undefined) this.#spend(session, { frames: 1 }, now);
  }

  /** A connection was made: what is resent on it was paid for, but not what carries it. */
  chargeConnection(connection: ConnectionId, now: number): void {
    const session = this.#options.sessions.at(connection);
    if (session === undefined) return;
    const bytes = Math.min(session.link.load.bytes, LINK.windowBytes);
    this.#spend(session, { frames: RATE.connectPrice, bytes }, now);
  }

  /** A STREAM frame: who asked has paid for the words about its streams, of which there can be few, and pays for their bytes. */
  chargeStream(
    session: MemberSession,
    { kind, causedBy }: Relayed<FrameKind>,
    bytes: number,
    now: number,
  ): void {
    switch (kind) {
      case "open":
        return this.#spend(session, { frames: RATE.openPrice, bytes: 2 * bytes }, now);
      case "credit":
      case "late":
        return this.#spend(session, { frames: RATE.answerPrice, bytes }, now);
      case "word":
        if (causedBy !== undefined) this.#spend(causedBy, { bytes }, now);
    }
  }

  /** A chunk: its bytes cost nothing within credit, since that is their limit. Who stopped the stream pays for what was under way. */
  chargeChunk(
    session: MemberSession,
    { kind, causedBy }: Relayed<Arrival>,
    bytes: number,
    now: number,
  ): void {
    if (kind === "over") return this.#spend(session, { frames: 1, bytes }, now);
    this.#spend(session, { frames: RATE.chunkPrice }, now);
    if (kind === "draining" && causedBy !== undefined) this.#spend(causedBy, { bytes }, now);
  }

  /** A message of a member went out to all: its sender pays for the copies, and waits for those who cannot keep up with it (E1, E3). */
  chargeMessage(session: MemberSession, bytes: number, now: number): void {
    const { sessions } = this.#options;
    const messages = Math.max(1, Math.floor(sessions.members.length / RATE.membersPerShare));
    this.#spend(session, { messages, bytes: messages * bytes }, now);
    this.#pause(session, this.#said(session.member.id, bytes, now));
  }

  // --- those who take in too little ---

  /** The host said something. */
  hostSaid(self: MemberId, bytes: number, now: number): void {
    this.#said(self, bytes, now);
  }

  /**
   * Whether the host's own message finds room: with everybody who is connected, and with one of the others at least. A member that is away
   * may lose its session by it, but not all of them, and nobody who is only slow.
   * @throws {TunnelError} outbox-full
   */
  assertRoom(self: MemberId, audience: readonly MemberSession[], bytes: number, now: number): void {
    const hasRoom = ({ link }: MemberSession): boolean => link.hasRoomFor(bytes + ROOM.maxTextBytes);
    const connected = audience.filter(isConnected);
    if (audience.some(hasRoom) && connected.every(hasRoom)) return;
    for (const session of connected) if (!hasRoom(session)) this.#holdsBack(session, self, now);
    throw new TunnelError("outbox-full");
  }

  /** A member that holds the others back is named to the host's agent, and must take in what waits for it: else it has fallen behind (E3). */
  tick(session: MemberSession, now: number): void {
    const news = session.congestion?.tick(session.link.load, now);
    if (news === "caught-up") session.congestion = undefined;
    if (news === "fell-behind") session.fellBehind = true;
    if (news === "slow") {
      const error = new TunnelError("member-slow");
      this.#options.emit({ type: "alarm", error, member: session.member.id });
    }
  }

  /** When a connected member has to be looked at again. */
  nextDeadline({ congestion }: MemberSession): number {
    return congestion?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** The last message of the order was this one's: for how long it waits for those who cannot keep up with it. */
  #said(speaker: MemberId, bytes: number, now: number): number {
    const { sessions, order } = this.#options;
    this.#backlog.said(speaker, order.view.seq, bytes);
    const others = this.#talkers.filter((one) => one.speaker !== speaker);
    const isAlone = others.every(({ at }) => now - at >= RATE.talksMs);
    this.#talkers = [{ speaker, at: now }, ...others.slice(0, 1)];
    let ms = 0;
    // Nobody waits for an observer (Q5): one that takes in too little falls behind by itself (G4).
    for (const session of sessions.members) {
      if (session.member.id === speaker || !isConnected(session)) continue;
      if (session.link.load.fill >= 1 / 2) session.congestion ??= new Congestion(session.link.load, now);
      ms = Math.max(ms, this.#waitAt(session, { speaker, isAlone }, now));
    }
    return ms;
  }

  /**
   * For how long a speaker waits because of what is on its way to this member: so much that others' words come late (E5), or more than its
   * share of the room that is left there (E3).
   */
  #waitAt(
    session: MemberSession,
    { speaker, isAlone }: { speaker: MemberId; isAlone: boolean },
    now: number,
  ): number {
    const { fill, bytes, frames } = session.link.load;
    const most = RATE.outboxShare * (1 - fill);
    const mayRun = !isAlone && (frames >= RATE.runMessages || bytes >= RATE.runBytes);
    // A part is no more than the whole.
    if (!mayRun && fill <= most) return 0;
    // Nobody is to blame for the time before it came, of which it may be told, too.
    const upTo = this.#options.order.view.seq;
    const part = this.#backlog.partOf(speaker, { upTo, frames, after: session.joinedAt });
    const own = { frames: part.frames * frames, bytes: part.bytes * bytes };
    const isRun = mayRun && (own.frames >= RATE.runMessages || own.bytes >= RATE.runBytes);
    const ms = isRun ? RATE.runMs : 0;
    const share = Math.max(own.bytes / LINK.maxOutboxBytes, own.frames / LINK.maxOutboxFrames);
    if (share <= most) return ms;
    const excess = ((share - most) / fill) * bytes;
    return Math.max(ms, this.#holdsBack(session, speaker, now).waitFor(excess));
  }

  #holdsBack(session: MemberSession, speaker: MemberId, now: number): Congestion {
    session.congestion ??= new Congestion(session.link.load, now);
    session.congestion.holdsBack(speaker, session.link.load, now);
    return session.congestion;
  }

  /** A member that is in debt is not read from until it has earned it back. */
  #spend(session: MemberSession, price: Price, now: number): void {
    this.#pause(session, session.rateLimiter.spend(price, now));
  }

  #pause({ link: { connection } }: MemberSession, ms: number): void {
    if (ms > 0 && connection !== undefined) this.#options.emit({ type: "pause", connection, ms });
  }
}
