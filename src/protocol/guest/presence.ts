import type { Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import { LINK, ROOM } from "../base/limits.ts";
import { encodeMemberNote, type HostNote } from "../room/frames.ts";
import type { Oversight } from "../room/oversight.ts";
import type { RoomOrder } from "../room/order.ts";
import { presenceOf, type Presence } from "../room/participant.ts";

/** The presence of everybody as the host tells it, and the notes that this member owes the host (G6). */
export class GuestPresence {
  readonly #self: MemberId;
  /** An observer owes none, and sends none (Q4). */
  readonly #owesNotes: boolean;
  #others: HostNote["members"] = [];
  #toldAt = 0;
  #read = 0;
  #oversight: Oversight | undefined;
  #dueAt: number | undefined;
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(self: MemberId, { owesNotes }: { readonly owesNotes: boolean }) {
    this.#self = self;
    this.#owesNotes = owesNotes;
  }

  /** When a note to the host is due. */
  get dueAt(): number {
    return (this.#owesNotes ? this.#dueAt : undefined) ?? Number.POSITIVE_INFINITY;
  }

  /** The part of the room that begins after `seq` is this member's: until the first note nothing is known of the others. */
  begin(seq: number, now: number): void {
    this.#read = seq;
    this.#toldAt = now;
  }

  /** A note of the host. */
  told(members: HostNote["members"], now: number): void {
    this.#others = members;
    this.#toldAt = now;
  }

  /** A member that joins is there; the note that says so follows later. */
  joined(id: MemberId, now: number): void {
    this.#others.push({ id, connected: true, heardAgoMs: this.#toldAt - now, read: 0 });
  }

  left(id: MemberId): void {
    this.#others = this.#others.filter((one) => one.id !== id);
  }

  /** This member's agent has read up to `read`, or merely done something in the room. */
  touch(read: number, now: number): void {
    const isNews = read > this.#read;
    this.#read = Math.max(this.#read, read);
    if (isNews || now - this.#sentAt >= ROOM.activityEveryMs) this.#dueAt ??= now + LINK.ackDelayMs;
  }

  /** How this member's own agent is bounded now. */
  overseen(oversight: Oversight | undefined, now: number): void {
    this.#oversight = oversight;
    this.#dueAt ??= now + LINK.ackDelayMs;
  }

  /** The host has to be told again, at once: it is connected anew. */
  resumed(now: number): void {
    this.#dueAt = now;
  }

  /** The note to the host, where one is due. */
  takeNote(now: number): Bytes | undefined {
    if (now < this.dueAt) return undefined;
    this.#dueAt = undefined;
    this.#sentAt = now;
    const oversight = this.#oversight;
    return encodeMemberNote({
      read: this.#read,
      active: true,
      ...(oversight === undefined ? {} : { oversight }),
    });
  }

  list(
    { order, host, safetyCode }: { order: RoomOrder; host: MemberId; safetyCode: string },
    connection: {
      readonly isUp: boolean;
      readonly lastHeard: number;
      readonly clockSkew: number | undefined;
    },
    now: number,
  ): Presence[] {
    const age = now - this.#toldAt;
    const self = this.#self;
    return presenceOf(order, { host, self }, (id) => {
      if (id === self)
        return {
          connected: connection.isUp,
          lastSeenMs: 0,
          read: this.#read,
          oversight: this.#oversight,
          safetyCode: undefined,
        };
      const known = this.#others.find((one) => one.id === id);
      const isHost = id === host;
      // The host's word, as far as it can be true: nobody stays who was not heard for longer, or has read what is to come (G6).
      const heardAgoMs = Math.min(known?.heardAgoMs ?? 0, LINK.giveUpMs);
      const lastSeenMs = isHost ? now - connection.lastHeard : heardAgoMs + age;
      return {
        connected: connection.isUp && (isHost || known?.connected === true),
        lastSeenMs: Math.max(0, lastSeenMs),
        read: Math.min(known?.read ?? 0, order.view.seq),
        oversight: known?.oversight,
        safetyCode: isHost ? safetyCode : undefined,
        clockSkewMs: isHost ? connection.clockSkew : undefined,
      };
    });
  }
}
