import type { TunnelError } from "../../errors/tunnel-error.ts";
import type { InviteId } from "../../protocol/base/ids.ts";
import type { ObserverSeat } from "../../protocol/host/invites.ts";
import type { FileNotice } from "../files/files.ts";
import type { OversightNotice } from "./oversight.ts";
import type { Missed, Undelivered } from "../saying/undelivered.ts";

/** A fresh invite in place of one that leads to an address that is gone. */
export interface Reissued {
  readonly replaces: InviteId;
  readonly inviteId: InviteId;
  /** A secret: anybody who has it can join, once. */
  readonly joinLink: string;
  /** It makes an observer; a member where left out. */
  readonly seat?: ObserverSeat | undefined;
  /** Milliseconds since the epoch: the notice may be read much later. */
  readonly expiresAt: number;
}

/** A link for a member that cannot find its way back by itself. */
export interface WayBack {
  readonly memberName: string;
  /** A secret, where it holds an invite: anybody who has it could join, once. */
  readonly joinLink: string;
  /** Undefined where the room is full: the link leads this member back, and lets nobody in. */
  readonly inviteId: InviteId | undefined;
}

/** A word of this side's server to its own agent. Nobody else sees it, and it is no part of the room's order. */
export type Notice =
  /** Something went wrong that a human should hear of; `member` is the name of the member it concerns. */
  | { readonly notice: "alarm"; readonly error: TunnelError; readonly member: string | undefined }
  /** No public address leads to the room at the moment. */
  | { readonly notice: "address-lost"; readonly error: TunnelError }
  /** One does, and `members` cannot know it: each comes back only with its link. */
  | { readonly notice: "address-restored"; readonly members: readonly WayBack[] }
  | { readonly notice: "invites-reissued"; readonly invites: readonly Reissued[] }
  /** This side's stay is over, and the host has not confirmed these messages of it. */
  | ({ readonly notice: "undelivered" } & Undelivered)
  /** A member is out of the room, or the room is over, and it has not confirmed these messages of this side. */
  | ({ readonly notice: "member-missed" } & Missed)
  /**
   * A service of a member is no longer there for this machine's programs. `restarted`: the server that had it has ended; one that this
   * side had offered is meant as well.
   */
  | {
      readonly notice: "service-over";
      readonly serviceId: string;
      readonly name: string;
      readonly why: "withdrawn" | "expired" | "owner-left" | "denied" | "restarted";
    }
  | FileNotice
  | OversightNotice;

/** In the log beside what was said: `seq` is that of the entry before it, `ts` ms since the epoch. */
export type NoticeEntry = { readonly kind: "notice"; readonly seq: number; readonly ts: number } & Notice;
