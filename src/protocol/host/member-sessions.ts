import { inviteIdFrom, type MemberId, type ConnectionId } from "../base/ids.ts";
import type { Credential } from "../handshake/keys.ts";
import { ROOM } from "../base/limits.ts";
import type { MemberSession } from "./member-session.ts";
import { foldedName } from "../base/text.ts";

/** The members of a room other than its host, found by whatever is known of them. */
export class MemberSessions {
  readonly #sessions = new Map<MemberId, MemberSession>();
  readonly #connections = new Map<ConnectionId, MemberId>();

  get size(): number {
    return this.#sessions.size;
  }

  get all(): readonly MemberSession[] {
    return [...this.#sessions.values()];
  }

  of(id: MemberId): MemberSession | undefined {
    return this.#sessions.get(id);
  }

  /** Whose connection this is. */
  at(connection: ConnectionId): MemberSession | undefined {
    const id = this.#connections.get(connection);
    return id === undefined ? undefined : this.#sessions.get(id);
  }

  /** Whose resume credential this is the clear id of. */
  resumedBy(id: string): { member: MemberId; credential: Credential } | undefined {
    const session = this.all.find(({ credential }) => inviteIdFrom(credential.id) === id);
    return session === undefined ? undefined : { member: session.member.id, credential: session.credential };
  }

  add(session: MemberSession): void {
    this.#sessions.set(session.member.id, session);
  }

  connect(session: MemberSession, connection: ConnectionId): void {
    session.connection = connection;
    this.#connections.set(connection, session.member.id);
  }

  disconnect(session: MemberSession): void {
    if (session.connection !== undefined) this.#connections.delete(session.connection);
    session.connection = undefined;
  }

  remove(session: MemberSession): void {
    this.disconnect(session);
    this.#sessions.delete(session.member.id);
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
