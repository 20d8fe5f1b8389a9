import type { Bytes } from "../base/bytes.ts";
import { inviteIdFrom, type ConnectionId, type InviteId, type MemberId } from "../base/ids.ts";
import type { AuthenticatedPeer } from "./admission.ts";
import { resumeCredential, type Credential } from "../handshake/keys.ts";
import { safetyCode } from "../handshake/safety-code.ts";
import type { Primitives } from "../base/primitives.ts";
import { PeerLink } from "../link/peer-link.ts";
import type { WireEffect } from "../link/wire.ts";
import type { MemberRecord } from "../room/frames.ts";
import type { ObserverRole } from "../handshake/role.ts";
import type { Oversight } from "../room/oversight.ts";
import { isObserver, type Beginning } from "../room/order.ts";
import type { Congestion } from "../pressure/congestion.ts";
import { RateLimiter } from "../pressure/rate-limiter.ts";

/** A member other than the host, from its first CONFIRM until it leaves, across all its connections. */
export interface MemberSession {
  readonly member: MemberRecord;
  /** The one by which it came. */
  readonly invite: InviteId;
  readonly link: PeerLink;
  readonly rateLimiter: RateLimiter;
  /** Where its part of the room begins: repeated in every WELCOME, since one may get lost. */
  readonly beginning: Beginning;
  /** The last place in the order before it came. */
  readonly joinedAt: number;
  /** When the stay of an observer is over, in ms since the epoch (Q6); infinite for a member. */
  readonly expiresAt: number;
  readonly safetyCode: string;
  /** Lets this member in once more; replaced by each handshake (K3). */
  credential: Credential;
  /** Milliseconds since the epoch of the last sign of life on an earlier connection. */
  lastSeen: number;
  /** How far its agent has read. */
  read: number;
  /** Its outbox is full: it must go, since no message is skipped silently (D3). */
  fellBehind: boolean;
  /** How its own person bounds its agent, as it says. */
  oversight: Oversight | undefined;
  /** Set while others wait for it (E3). */
  congestion: Congestion | undefined;
  /** Up to this frame it is kept that it has confirmed them. */
  keptConfirmed: number;
  /** The host has come back since this member was connected, and had not sent more by then: whoever has more has seen what is lost (O12). */
  resumesUpTo: number | undefined;
}

/** The part of a member's session that is there from its first moment on. */
export type Seat = Pick<
  MemberSession,
  "member" | "invite" | "beginning" | "joinedAt" | "expiresAt" | "safetyCode" | "credential"
>;

export function seatOf(
  primitives: Primitives,
  { handshakeHash, confirm, resumeSecret }: AuthenticatedPeer,
  rest: Omit<Seat, "safetyCode" | "credential">,
): Seat {
  return {
    ...rest,
    safetyCode: safetyCode(primitives, handshakeHash, confirm.share),
    credential: resumeCredential(primitives, resumeSecret),
  };
}

export function newMemberSession(
  seat: Seat,
  options: {
    emit: (effect: WireEffect) => void;
    /** Told of each durable frame of it before that is acknowledged. */
    onFresh: (session: MemberSession, payload: Bytes) => void;
    now: number;
  },
): MemberSession {
  const { emit, onFresh, now } = options;
  const { beginning } = seat;
  const session: MemberSession = {
    ...seat,
    link: new PeerLink("host", emit, (payload) => onFresh(session, payload)),
    rateLimiter: new RateLimiter(now),
    lastSeen: now,
    read: beginning.view.seq,
    oversight: undefined,
    fellBehind: false,
    congestion: undefined,
    keptConfirmed: 0,
    resumesUpTo: undefined,
  };
  return session;
}

export function isConnected({ link }: MemberSession): boolean {
  return link.isConnected;
}

/** The members of a room other than its host, found by whatever is known of them. */
export class MemberSessions {
  readonly #sessions = new Map<MemberId, MemberSession>();
  readonly #connections = new Map<ConnectionId, MemberId>();
  /** Made anew when somebody comes or goes: it is looked at several times for every message. */
  #all: readonly MemberSession[] = [];
  #members: readonly MemberSession[] = [];

  /** Members and observers: everybody who is told what happens. */
  get all(): readonly MemberSession[] {
    return this.#all;
  }

  /** Members alone: those who speak, and for whom others wait (Q5). */
  get members(): readonly MemberSession[] {
    return this.#members;
  }

  get observers(): readonly MemberSession[] {
    return this.#all.filter(({ member }) => isObserver(member));
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
  ):
    | { member: MemberId; role: ObserverRole | undefined; credential: Credential; mayEnter: boolean }
    | undefined {
    const session = this.all.find(({ credential }) => inviteIdFrom(credential.id) === id);
    if (session === undefined) return undefined;
    const { member, credential, rateLimiter } = session;
    return { member: member.id, role: member.role, credential, mayEnter: !rateLimiter.isOverdrawn(now) };
  }

  add(session: MemberSession): void {
    this.#sessions.set(session.member.id, session);
    this.#changed();
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
    this.#changed();
  }

  #changed(): void {
    this.#all = [...this.#sessions.values()];
    this.#members = this.#all.filter(({ member }) => !isObserver(member));
  }
}
