import type { Bytes } from "../base/bytes.ts";
import { encodeHostNote, type HostNote } from "../room/frames.ts";
import { LINK } from "../base/limits.ts";
import type { RoomOrder } from "../room/order.ts";
import type { Presence } from "../room/participant.ts";
import type { MemberSessions } from "./member-sessions.ts";

/** Who is in the host's room, measured; and when the members are next told so (G6). */
export class PresenceBoard {
  readonly #order: RoomOrder;
  readonly #sessions: MemberSessions;
  #hostRead = 0;
  #dueAt: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: { order: RoomOrder; sessions: MemberSessions }) {
    this.#order = options.order;
    this.#sessions = options.sessions;
  }

  /** When the members are to be told, in ms since the epoch. */
  get dueAt(): number | undefined {
    return this.#dueAt;
  }

  /** The host's own agent has read up to here; `false` when that is no news. */
  hostRead(read: number): boolean {
    if (read <= this.#hostRead) return false;
    this.#hostRead = read;
    return true;
  }

  list(now: number): Presence[] {
    return this.#order.members.map((member) => {
      const session = this.#sessions.of(member.id);
      const isHost = session === undefined;
      return {
        id: member.id,
        name: member.name,
        isHost,
        isSelf: isHost,
        connected: isHost || session.connection !== undefined,
        workContext: member.workContext,
        lastSeenMs: isHost ? 0 : Math.max(0, now - (session.channel.lastHeard ?? session.lastSeen)),
        read: isHost ? this.#hostRead : session.read,
        safetyCode: session?.safetyCode,
      };
    });
  }

  /** Something has changed. What goes to everybody and holds everybody goes out the more rarely, the more there are. */
  changed(now: number): void {
    const earliest = this.#toldAt + LINK.presenceEveryMs * this.#sessions.size;
    this.#dueAt ??= Math.max(now + LINK.ackDelayMs, earliest);
  }

  /** All who are connected have been told. */
  told(now: number): void {
    this.#dueAt = undefined;
    this.#toldAt = now;
  }

  /** The NOTE that tells a member, with what else there is to tell. */
  note(now: number, news: Pick<HostNote, "addresses"> = {}): Bytes {
    const members: HostNote["members"] = this.list(now).map(({ id, connected, lastSeenMs, read }) => ({
      id,
      connected,
      heardAgoMs: lastSeenMs,
      read,
    }));
    return encodeHostNote({ members, ...news });
  }
}
