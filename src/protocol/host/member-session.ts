import type { ConnectionId } from "../base/ids.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { Channel } from "../reliable/channel.ts";
import type { AuthenticatedPeer } from "./admission.ts";
import type { MemberRecord, View } from "../room/frames.ts";
import { resumeCredential, type Credential } from "../handshake/keys.ts";
import type { Primitives } from "../base/primitives.ts";
import { safetyCode } from "../handshake/safety-code.ts";
import { Streams } from "../link/streams.ts";

/** A member other than the host, from its first CONFIRM until it leaves, across all its connections. */
export interface MemberSession {
  readonly member: MemberRecord;
  readonly channel: Channel;
  /** Of files, on its present connection. */
  readonly streams: Streams;
  readonly rateLimiter: RateLimiter;
  /** Where its part of the room begins, and who was there: repeated in every WELCOME, since one may get lost. */
  readonly entry: { readonly view: View; readonly members: readonly MemberRecord[] };
  readonly safetyCode: string;
  connection: ConnectionId | undefined;
  /** Opens the admission to this member's session once more; replaced by each handshake (K3). */
  credential: Credential;
  /** Milliseconds since the epoch of the last sign of life. */
  lastSeen: number;
  /** How far its agent has read. */
  read: number;
  /** Its outbox is full: it must go, since skipping a message silently is not allowed (D3). */
  fellBehind: boolean;
  /** Since when its outbox is more than half full, and what had left it by then. */
  congestion: { readonly at: number; readonly drained: number } | undefined;
}

export function newMemberSession(
  primitives: Primitives,
  options: {
    peer: AuthenticatedPeer;
    member: MemberRecord;
    entry: MemberSession["entry"];
    now: number;
  },
): MemberSession {
  const { peer, member, entry, now } = options;
  return {
    member,
    channel: new Channel(),
    streams: new Streams("host"),
    rateLimiter: new RateLimiter(now),
    entry,
    safetyCode: safetyCode(primitives, peer.handshakeHash, peer.confirm.share),
    connection: undefined,
    credential: resumeCredential(primitives, peer.resumeSecret),
    lastSeen: now,
    read: entry.view.seq,
    fellBehind: false,
    congestion: undefined,
  };
}
