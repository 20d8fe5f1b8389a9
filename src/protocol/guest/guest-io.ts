import type { ConnectionId } from "../base/ids.ts";
import type { Bytes } from "../base/bytes.ts";
import type { ErrorCode, TunnelError } from "../../errors/tunnel-error.ts";
import type { EndCause } from "../room/frames.ts";
import type { StreamEvent } from "../link/stream-frames.ts";
import type { Entry } from "../room/log.ts";
import type { WireEffect } from "../link/wire.ts";

/** Requests of the guest's machine to its driver. */
export type GuestEffect =
  /** `origin` is the address to dial; the path is that of the room. */
  | { readonly type: "dial"; readonly connection: ConnectionId; readonly origin: string }
  | WireEffect
  /** This member's own arrival is in the order: it sees what the others see. */
  | { readonly type: "joined" }
  | { readonly type: "entry"; readonly entry: Entry }
  /** The host has given this member's own message number `n` its sequence number. */
  | { readonly type: "placed"; readonly n: number; readonly seq: number }
  | { readonly type: "presence" }
  /** At this participant's own end of a stream. */
  | { readonly type: "stream"; readonly event: StreamEvent }
  /** `member` is the name of the member it concerns, where that is not the host. */
  | { readonly type: "alarm"; readonly error: TunnelError; readonly member: string | undefined }
  | { readonly type: "ended"; readonly end: GuestEnd };

/** Why a member's stay is over. */
export type GuestEnd =
  | { readonly by: "host"; readonly cause: EndCause }
  | { readonly by: "removal" }
  | { readonly by: "self" }
  | { readonly by: "failure"; readonly error: TunnelError };

export type GuestInput =
  | { readonly type: "opened"; readonly connection: ConnectionId }
  | { readonly type: "message"; readonly connection: ConnectionId; readonly message: Bytes }
  | { readonly type: "closed"; readonly connection: ConnectionId }
  | {
      readonly type: "failed";
      readonly connection: ConnectionId;
      readonly error: TunnelError;
      /** The answer there says that there is no tunnel (any more). */
      readonly isGone?: boolean;
      /** It has turned this source away for now (A3): that says nothing of the member's session. */
      readonly isBusy?: boolean;
    }
  | { readonly type: "tick" };

interface Away {
  /** Set where nobody is at the address, as after the end of the host's process: until then it may come back (U4). */
  readonly hostKeptUntil?: number;
}

/** The state of the connection to the host; times in ms since the epoch. */
export type ConnectionState =
  | ({ readonly name: "connecting"; readonly attempt: number; readonly givesUpAt: number } & Away)
  | { readonly name: "connected" }
  | ({
      readonly name: "waiting";
      readonly attempt: number;
      readonly retryAt: number;
      readonly reason: ErrorCode;
      /** Then the member gives the host up for lost. */
      readonly givesUpAt: number;
    } & Away)
  | { readonly name: "ended"; readonly end: GuestEnd };
