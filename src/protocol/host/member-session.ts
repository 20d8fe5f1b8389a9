import type { ConnectionId } from "../base/ids.ts";
import { Budget } from "./rate-limiter.ts";
import { Channel } from "../reliable/channel.ts";
import type { Entrant } from "./admission.ts";
import type { MemberRecord, View } from "../room/frames.ts";
import { resumeCredential, type Credential } from "../handshake/keys.ts";
import type { Primitives } from "../base/primitives.ts";
import { safetyCode } from "../handshake/safety-code.ts";
import { Streams } from "../link/streams.ts";

/** A member other than the host, from its first CONFIRM until it leaves, across all its connections. */
export interface Seat {
  readonly member: MemberRecord;
  readonly channel: Channel;
  /** Of files, on its present connection. */
  readonly streams: Streams;
  readonly budget: Budget;
  /** Where its part of the room begins, and who was there: repeated in every WELCOME, since one may get lost. */
  readonly entry: { readonly view: View; readonly members: readonly MemberRecord[] };
  readonly safetyCode: string;
  connection: ConnectionId | undefined;
  /** Opens the door to this seat once more; replaced by each handshake (K3). */
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

export function newSeat(
  primitives: Primitives,
  options: {
    entrant: Entrant;
    member: MemberRecord;
    entry: Seat["entry"];
    now: number;
  },
): Seat {
  const { entrant, member, entry, now } = options;
  return {
    member,
    channel: new Channel(),
    streams: new Streams("host"),
    budget: new Budget(now),
    entry,
    safetyCode: safetyCode(primitives, entrant.handshakeHash, entrant.confirm.share),
    connection: undefined,
    credential: resumeCredential(primitives, entrant.resumeSecret),
    lastSeen: now,
    read: entry.view.seq,
    fellBehind: false,
    congestion: undefined,
  };
}
