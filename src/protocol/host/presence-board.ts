import { LINK } from "../base/limits.ts";
import { encodeHostNote, type HostNote } from "../room/frames.ts";
import type { Oversight } from "../room/oversight.ts";
import type { RoomOrder } from "../room/order.ts";
import { presenceOf, type Presence } from "../room/participant.ts";
import type { InviteId, MemberId } from "../base/ids.ts";
import { isConnected, type MemberSession, type MemberSessions } from "./member-sessions.ts";
import type { RoomEffect } from "./room-io.ts";

export interface PresenceBoardOptions {
  readonly self: MemberId;
  readonly order: RoomOrder;
  readonly sessions: MemberSessions;
  readonly emit: (effect: RoomEffect) => void;
}

/** Where a member may look for the host when it has lost its connection (U3). */
export interface MemberWays {
  readonly id: MemberId;
  /** The one by which it came; while `known` is empty, the address in its link is all that it knows for certain. */
  readonly invite: InviteId;
  /** The addresses that it was told last, and has certainly heard. */
  readonly known: readonly string[];
  /** Those that it was told since: it may have heard of them or not. */
  readonly told: readonly string[];
}

/**
 * What one member has been told of the addresses. The PING behind each list shows by its PONG that the list was heard. A member
 * that stays connected and never answers counts as having heard, since nobody is to be kept waiting by it.
 */
class Ways {
  readonly #link: MemberSession["link"];
  #known: readonly string[] = [];
  #told: readonly (readonly string[])[] = [];
  #question = 0;
  #toldAt = 0;

  constructor(link: MemberSession["link"]) {
    this.#link = link;
  }

  tell(addresses: readonly string[], now: number): void {
    // An empty list changes nothing (U1).
    if (addresses.length === 0 || !this.#link.isConnected) return;
    this.#settle(now);
    this.#told = [...this.#told, addresses];
    this.#question = this.#link.ask(now);
    this.#toldAt = now;
  }

  state(now: number): Pick<MemberWays, "known" | "told"> {
    this.#settle(now);
    return { known: this.#known, told: [...new Set(this.#told.flat())] };
  }

  #settle(now: number): void {
    const last = this.#told.at(-1);
    const isHeard = this.#link.answered >= this.#question;
    const isMute = this.#link.isConnected && now - this.#toldAt >= LINK.pingEveryMs + LINK.answerMs;
    if (last === undefined || !(isHeard || isMute)) return;
    this.#known = last;
    this.#told = [];
  }
}

/**
 * The presence of everybody in the host's room, and when the members are next told of it (G6); with it they are told where
 * the host is to be found.
 */
export class PresenceBoard {
  readonly #options: PresenceBoardOptions;
  readonly #ways = new WeakMap<MemberSession, Ways>();
  #addresses: readonly string[] = [];
  #hostRead = 0;
  #hostOversight: Oversight | undefined;
  #dueAt: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: PresenceBoardOptions) {
    this.#options = options;
  }

  /** When the members are to be told, in ms since the epoch. */
  get dueAt(): number {
    return this.#dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** Where the host is to be found, best first. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** At once: the address in use may be lost next. */
  setAddresses(addresses: readonly string[], now: number): void {
    this.#addresses = addresses;
    this.tellAll(now, { addresses: [...addresses] });
    for (const session of this.#options.sessions.all) this.#waysOf(session).tell(addresses, now);
  }

  ways(now: number): MemberWays[] {
    return this.#options.sessions.members.map((session) => {
      const { member, invite } = session;
      return { id: member.id, invite, ...this.#waysOf(session).state(now) };
    });
  }

  /** The host's own agent has read up to here. */
  hostRead(read: number, now: number): void {
    if (read <= this.#hostRead) return;
    this.#hostRead = read;
    this.changed(now);
  }

  /** How the host's own agent is bounded now. */
  hostOverseen(oversight: Oversight | undefined, now: number): void {
    this.#hostOversight = oversight;
    this.changed(now);
  }

  /** How a member's agent is bounded, as it says. */
  memberOverseen(session: MemberSession, oversight: Oversight | undefined, now: number): void {
    if (JSON.stringify(session.oversight) === JSON.stringify(oversight)) return;
    session.oversight = oversight;
    this.changed(now);
  }

  /** A member's agent has read up to here. */
  memberRead(session: MemberSession, read: number, now: number): void {
    if (read <= session.read || read > this.#options.order.view.seq) return;
    session.read = read;
    this.changed(now);
  }

  list(now: number): Presence[] {
    const { order, sessions, self } = this.#options;
    return presenceOf(order, { host: self, self }, (id) => {
      const session = sessions.of(id);
      if (session === undefined)
        return {
          connected: true,
          lastSeenMs: 0,
          read: this.#hostRead,
          oversight: this.#hostOversight,
          safetyCode: undefined,
        };
      const lastSeen = session.link.lastHeard ?? session.lastSeen;
      const { read, oversight, safetyCode } = session;
      const lastSeenMs = Math.max(0, now - lastSeen);
      const clockSkewMs = session.link.clockSkew;
      return { connected: isConnected(session), lastSeenMs, read, oversight, safetyCode, clockSkewMs };
    });
  }

  /** Something has changed. A note goes to everybody and holds everybody, so it goes out the more rarely, the more there are. */
  changed(now: number): void {
    const earliest = this.#toldAt + LINK.presenceEveryMs * this.#options.sessions.all.length;
    this.#dueAt ??= Math.max(now + LINK.ackDelayMs, earliest);
    this.#options.emit({ type: "presence" });
  }

  /** Tells one member, which has just come; its WELCOME held the addresses. */
  tell(session: MemberSession, now: number): void {
    session.link.note(encodeHostNote(this.#note(now)), now);
    this.#waysOf(session).tell(this.#addresses, now);
  }

  /** Tells everybody who is connected, with what else there is to tell. */
  tellAll(now: number, news: Pick<HostNote, "addresses"> = {}): void {
    const note = encodeHostNote({ ...this.#note(now), ...news });
    this.#dueAt = undefined;
    this.#toldAt = now;
    for (const { link } of this.#options.sessions.all) link.note(note, now);
  }

  #waysOf(session: MemberSession): Ways {
    const known = this.#ways.get(session);
    if (known !== undefined) return known;
    const ways = new Ways(session.link);
    this.#ways.set(session, ways);
    return ways;
  }

  #note(now: number): HostNote {
    const members = this.list(now).map(({ id, connected, lastSeenMs, read, oversight }) => ({
      id,
      connected,
      heardAgoMs: lastSeenMs,
      read,
      ...(oversight === undefined ? {} : { oversight }),
    }));
    return { members };
  }
}
