import type { TunnelError } from "../errors/tunnel-error.ts";
import type { InviteId } from "../protocol/base/ids.ts";
import type { FileNotice } from "./files/files.ts";
import type { Missed, Undelivered } from "./undelivered.ts";

/** A fresh invite in place of one that leads to an address that is gone. */
export interface Reissued {
  readonly replaces: InviteId;
  readonly inviteId: InviteId;
  /** A secret: anybody who has it can join, once. */
  readonly joinLink: string;
  /** Milliseconds since the epoch: the notice may be read much later. */
  readonly expiresAt: number;
}

/** A word of this side's server to its own agent. Nobody else sees it, and it is no part of the room's order. */
export type Notice =
  /** Something went wrong that a human should hear of; `member` is the name of the member it concerns. */
  | { readonly notice: "alarm"; readonly error: TunnelError; readonly member: string | undefined }
  /** The room has no public address at the moment. */
  | { readonly notice: "address-lost"; readonly error: TunnelError }
  | { readonly notice: "address-restored" }
  | { readonly notice: "invites-reissued"; readonly invites: readonly Reissued[] }
  /** This side's stay is over, and the host has not confirmed these messages of it. */
  | ({ readonly notice: "undelivered" } & Undelivered)
  /** A member is out of the room, or the room is over, and it has not confirmed these messages of this side. */
  | ({ readonly notice: "member-missed" } & Missed)
  | FileNotice;

/** In the log beside what was said: `seq` is that of the entry before it, `ts` ms since the epoch. */
export type NoticeEntry = { readonly kind: "notice"; readonly seq: number; readonly ts: number } & Notice;
