import { inviteIdFrom, type MemberId, type ConnectionId } from "../base/ids.ts";
import type { Credential } from "../handshake/keys.ts";
import { ROOM } from "../base/limits.ts";
import type { Seat } from "./member-session.ts";
import { foldedName } from "../base/text.ts";

/** The members of a room other than its host, found by whatever is known of them. */
export class Seating {
  readonly #seats = new Map<MemberId, Seat>();
  readonly #connections = new Map<ConnectionId, MemberId>();

  get size(): number {
    return this.#seats.size;
  }

  get all(): readonly Seat[] {
    return [...this.#seats.values()];
  }

  of(id: MemberId): Seat | undefined {
    return this.#seats.get(id);
  }

  /** Whose connection this is. */
  at(connection: ConnectionId): Seat | undefined {
    const id = this.#connections.get(connection);
    return id === undefined ? undefined : this.#seats.get(id);
  }

  /** Whose resume credential this is the clear id of. */
  resumedBy(id: string): { member: MemberId; credential: Credential } | undefined {
    const seat = this.all.find(({ credential }) => inviteIdFrom(credential.id) === id);
    return seat === undefined ? undefined : { member: seat.member.id, credential: seat.credential };
  }

  add(seat: Seat): void {
    this.#seats.set(seat.member.id, seat);
  }

  connect(seat: Seat, connection: ConnectionId): void {
    seat.connection = connection;
    this.#connections.set(connection, seat.member.id);
  }

  disconnect(seat: Seat): void {
    if (seat.connection !== undefined) this.#connections.delete(seat.connection);
    seat.connection = undefined;
  }

  remove(seat: Seat): void {
    this.disconnect(seat);
    this.#seats.delete(seat.member.id);
  }
}

/** What this server calls itself where it says something. */
const RESERVED = ["tunnel"];

/** The name as asked for, or with a number behind it when somebody here is called so already. */
export function uniqueName(name: string, names: readonly string[]): string {
  const taken = new Set([...names, ...RESERVED].map(foldedName));
  if (!taken.has(foldedName(name))) return name;
  for (let suffix = 2; ; suffix += 1) {
    const tail = ` (${suffix})`;
    const candidate =
      Array.from(name)
        .slice(0, ROOM.maxNameChars - tail.length)
        .join("")
        .trimEnd() + tail;
    if (!taken.has(foldedName(candidate))) return candidate;
  }
}
