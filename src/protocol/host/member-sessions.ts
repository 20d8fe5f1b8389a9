import { inviteIdFrom, type MemberId, type ConnectionId } from "../base/ids.ts";
import { ROOM } from "../base/limits.ts";
import { foldedName } from "../base/text.ts";
import type { AuthenticatedPeer } from "./admission.ts";
import { resumeCredential, type Credential } from "../handshake/keys.ts";
import { safetyCode } from "../handshake/safety-code.ts";
import type { Primitives } from "../base/primitives.ts";
import { PeerLink } from "../link/peer-link.ts";
import type { WireEffect } from "../link/wire.ts";
import type { MemberRecord } from "../room/frames.ts";
import type { Beginning } from "../room/order.ts";
import type { Congestion } from "../pressure/congestion.ts";
import { RateLimiter } from "../pressure/rate-limiter.ts";

/** A member other than the host, from its first CONFIRM until it leaves, across all its connections. */
export interface MemberSession {
  readonly member: MemberRecord;
  readonly link: PeerLink;
  readonly rateLimiter: RateLimiter;
  /** Where its part of the room begins: repeated in every WELCOME, since one may get lost. */
  readonly beginning: Beginning;
  /** The last place in the order before it came. */
  readonly joinedAt: number;
  readonly safetyCode: string;
  /** Lets this member in once more; replaced by each handshake (K3). */
  credential: Credential;
  /** Milliseconds since the epoch of the last sign of life on an earlier connection. */
  lastSeen: number;
  /** How far its agent has read. */
  read: number;
  /** Its outbox is full: it must go, since no message is skipped silently (D3). */
  fellBehind: boolean;
  /** Set while others wait for it (E3). */
  congestion: Congestion | undefined;
}

export function newMemberSession(
  primitives: Primitives,
  options: {
    peer: AuthenticatedPeer;
    member: MemberRecord;
    beginning: Beginning;
    joinedAt: number;
    emit: (effect: WireEffect) => void;
    now: number;
  },
): MemberSession {
  const { peer, member, beginning, joinedAt, emit, now } = options;
  return {
    member,
    link: new PeerLink("host", emit),
    rateLimiter: new RateLimiter(now),
    beginning,
    joinedAt,
    safetyCode: safetyCode(primitives, peer.handshakeHash, peer.confirm.share),
    credential: resumeCredential(primitives, peer.resumeSecret),
    lastSeen: now,
    read: beginning.view.seq,
    fellBehind: false,
    congestion: undefined,
  };
}

export function isConnected({ link }: MemberSession): boolean {
  return link.isConnected;
}

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

  /** The session that has this connection. */
  at(connection: ConnectionId): MemberSession | undefined {
    const id = this.#connections.get(connection);
    return id === undefined ? undefined : this.#sessions.get(id);
  }

  /** The session whose resume credential has this clear id; `mayEnter` unless it owes too much for its last connections (E1). */
  resumedBy(
    id: string,
    now: number,
  ): { member: MemberId; credential: Credential; mayEnter: boolean } | undefined {
    const session = this.all.find(({ credential }) => inviteIdFrom(credential.id) === id);
    if (session === undefined) return undefined;
    const { member, credential, rateLimiter } = session;
    return { member: member.id, credential, mayEnter: !rateLimiter.isOverdrawn(now) };
  }

  add(session: MemberSession): void {
    this.#sessions.set(session.member.id, session);
  }

  /** The session has this connection from now on. */
  connected(session: MemberSession, connection: ConnectionId): void {
    this.#connections.set(connection, session.member.id);
  }

  /** It was the connection of a member, and is no more. */
  disconnected(connection: ConnectionId): void {
    this.#connections.delete(connection);
  }

  remove(session: MemberSession): void {
    this.#sessions.delete(session.member.id);
  }
}

/** Names under which this server itself speaks. */
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
