import type { Bytes } from "../base/bytes.ts";
import type { Keeper } from "../keeping/keeper.ts";
import type { WorkContext } from "../room/work-context.ts";
import type { TunnelError } from "../../errors/tunnel-error.ts";
import type { EndCause } from "../room/frames.ts";
import type { ConnectionId, InviteId, MemberId } from "../base/ids.ts";
import type { StreamEvent } from "../link/stream-frames.ts";
import type { RekeyLimits } from "../record/direction.ts";
import type { Entry } from "../room/log.ts";
import type { WireEffect } from "../link/wire.ts";

/** Requests of the host's machine to its driver. */
export type RoomEffect =
  | WireEffect
  | { readonly type: "member"; readonly connection: ConnectionId }
  /** Reads nothing from it for so long: its member sends more than it may (E1). */
  | { readonly type: "pause"; readonly connection: ConnectionId; readonly ms: number }
  | { readonly type: "entry"; readonly entry: Entry }
  /** The process of a member has the host's own message with this sequence number. */
  | { readonly type: "reached"; readonly seq: number }
  /** A member is out of the room, or the room is over, and of what came after this place it has confirmed nothing. */
  | { readonly type: "missed"; readonly member: string; readonly afterSeq: number }
  /** None of those to whom it was sent is left, and none has confirmed it. */
  | { readonly type: "unreached"; readonly seq: number }
  | { readonly type: "presence" }
  /** At this participant's own end of a stream. */
  | { readonly type: "stream"; readonly event: StreamEvent }
  | { readonly type: "alarm"; readonly error: TunnelError; readonly member: MemberId }
  | { readonly type: "ended"; readonly cause: EndCause };

export type RoomInput =
  | { readonly type: "opened"; readonly connection: ConnectionId; readonly source: string }
  | { readonly type: "message"; readonly connection: ConnectionId; readonly message: Bytes }
  /** A WebSocket ping or pong: nothing to answer here, but it costs its sender what a message costs. */
  | { readonly type: "control"; readonly connection: ConnectionId }
  | { readonly type: "closed"; readonly connection: ConnectionId }
  | { readonly type: "tick" };

export interface RoomOptions {
  readonly goal: string;
  readonly hostName: string;
  /** The host's own work context. */
  readonly workContext?: WorkContext | undefined;
  readonly idleMs: number;
  readonly inviteMs: number;
  /** Whether those who join later are given what was said before. */
  readonly history: boolean;
  /**
   * Whether whoever has proved this invite under this name may enter now, or the host's person is asked first (I9). Everybody may
   * when left out.
   */
  readonly mayEnter?: ((invite: InviteId, name: string) => "now" | "asked") | undefined;
  /** For how many seconds after the end of this process another one may take the room up (U4); none ever does when left out. */
  readonly keptForSec?: (() => number) | undefined;
  /** Keeps the room; nothing is kept when left out. */
  readonly keeper?: Keeper | undefined;
  /** When a connection gets new keys; as the specification has it (R5) when left out. */
  readonly rekey?: RekeyLimits | undefined;
}
