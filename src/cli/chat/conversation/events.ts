import type { TunnelError } from "../../../errors/tunnel-error.ts";
import type { FileOffer } from "../../../protocol/files/offer.ts";
import type { Presence } from "../../../protocol/room/participant.ts";
import type { Entry } from "../../../protocol/room/log.ts";
import type { OwnOffer } from "../../../session/files/requests.ts";
import type { PatchInspection } from "../../../session/git/inspect-patch.ts";
import type { SessionEnd } from "../../../session/handle.ts";
import type { Hosting } from "../../../session/hosting.ts";
import type { Invite } from "../../../session/issued-invites.ts";
import type { Joined } from "../../../session/joined.ts";
import type { NoticeEntry } from "../../../session/notice.ts";
import type { TunnelProgress } from "../../../tunnel/provider.ts";
import type { Transfer } from "./transfers.ts";

/** How a program on the other side of stdin names one of its commands; given back with what came of it. */
export type Ref = string | number;

/** Everything that can happen in a chat, before anybody decides how it looks. */
export type ChatEvent =
  | { readonly type: "progress"; readonly progress: TunnelProgress }
  | { readonly type: "opened"; readonly tunnel: Hosting; readonly invites: readonly Invite[] }
  | { readonly type: "joined"; readonly tunnel: Joined }
  | { readonly type: "entry"; readonly entry: Entry | NoticeEntry }
  /** What is no longer kept and was never shown, inclusive. */
  | { readonly type: "gap"; readonly fromSeq: number; readonly toSeq: number }
  | { readonly type: "presence"; readonly before: readonly Presence[]; readonly now: readonly Presence[] }
  /** Somebody has read this side's own words up to `seq`. */
  | { readonly type: "read"; readonly name: string; readonly seq: number }
  /** `late`: it was told as queued before. */
  | { readonly type: "sent"; readonly ref: Ref | undefined; readonly seq: number; readonly late: boolean }
  | {
      readonly type: "queued";
      readonly ref: Ref | undefined;
      readonly seq: number | undefined;
      readonly reason: string;
    }
  | { readonly type: "invites"; readonly ref: Ref | undefined; readonly invites: readonly Invite[] }
  | { readonly type: "status"; readonly ref: Ref | undefined }
  | { readonly type: "shared"; readonly ref: Ref | undefined; readonly offer: OwnOffer }
  /** How far everything that is on its way is; nothing any more when there is none. */
  | { readonly type: "transfers"; readonly running: readonly Transfer[] }
  | {
      readonly type: "received";
      readonly ref: Ref | undefined;
      readonly fileId: string;
      readonly offer: FileOffer;
      /** Where it lies. */
      readonly target: string;
      /** Name of its sender; undefined when that one has left. */
      readonly from: string | undefined;
      /** Of a patch. */
      readonly inspection: PatchInspection | undefined;
    }
  | {
      readonly type: "error";
      readonly error: TunnelError;
      readonly ref?: Ref | undefined;
      /** Of the input, from 1. */
      readonly line?: number | undefined;
      /** The file that could not be received. */
      readonly file?: { readonly fileId: string; readonly name: string };
    }
  /** `undelivered`: own messages of which nobody has said that they came. */
  | { readonly type: "ended"; readonly end: SessionEnd; readonly undelivered: number };

/** Shows what happens, in its way. */
export type Show = (event: ChatEvent) => void;
