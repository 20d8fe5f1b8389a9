import { LINK } from "../base/limits.ts";
import { encodeHostNote, type HostNote } from "../room/frames.ts";
import type { RoomOrder } from "../room/order.ts";
import { presenceOf, type Presence } from "../room/participant.ts";
import type { MemberId } from "../base/ids.ts";
import { isConnected, type MemberSession, type MemberSessions } from "./member-sessions.ts";
import type { RoomEffect } from "./room-io.ts";

export interface PresenceBoardOptions {
  readonly self: MemberId;
  readonly order: RoomOrder;
  readonly sessions: MemberSessions;
  readonly emit: (effect: RoomEffect) => void;
}

/** The presence of everybody in the host's room, and when the members are next told of it (G6). */
export class PresenceBoard {
  readonly #options: PresenceBoardOptions;
  #hostRead = 0;
  #dueAt: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: PresenceBoardOptions) {
    this.#options = options;
  }

  /** When the members are to be told, in ms since the epoch. */
  get dueAt(): number {
    return this.#dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** The host's own agent has read up to here. */
  hostRead(read: number, now: number): void {
    if (read <= this.#hostRead) return;
    this.#hostRead = read;
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
        return { connected: true, lastSeenMs: 0, read: this.#hostRead, safetyCode: undefined };
      const lastSeen = session.link.lastHeard ?? session.lastSeen;
      const { read, safetyCode } = session;
      return { connected: isConnected(session), lastSeenMs: Math.max(0, now - lastSeen), read, safetyCode };
    });
  }

  /** Something has changed. A note goes to everybody and holds everybody, so it goes out the more rarely, the more there are. */
  changed(now: number): void {
    const earliest = this.#toldAt + LINK.presenceEveryMs * this.#options.sessions.size;
    this.#dueAt ??= Math.max(now + LINK.ackDelayMs, earliest);
    this.#options.emit({ type: "presence" });
  }

  /** Tells one member, which has just come. */
  tell({ link }: MemberSession, now: number): void {
    link.note(encodeHostNote(this.#note(now)), now);
  }

  /** Tells everybody who is connected, with what else there is to tell. */
  tellAll(now: number, news: Pick<HostNote, "addresses"> = {}): void {
    const note = encodeHostNote({ ...this.#note(now), ...news });
    this.#dueAt = undefined;
    this.#toldAt = now;
    for (const { link } of this.#options.sessions.all) link.note(note, now);
  }

  #note(now: number): HostNote {
    const members = this.list(now).map(({ id, connected, lastSeenMs, read }) => ({
      id,
      connected,
      heardAgoMs: lastSeenMs,
      read,
    }));
    return { members };
  }
}
