import type { TunnelError } from "../../../errors/tunnel-error.ts";
import type { OwnOffer } from "../../../session/files/requests.ts";
import type { SessionEnd } from "../../../session/session.ts";
import type { Answer } from "../../../session/saying/sent.ts";
import type { TunnelProgress } from "../../../tunnel/provider.ts";
import type { EntryView } from "../../../view/entries.ts";
import type { TreeReport } from "../../../session/folders/tree-side.ts";
import type { FileView, TransferView } from "../../../view/files.ts";
import type { HeldView } from "../../../view/held.ts";
import type { InviteView } from "../../../view/invites.ts";
import type { MemberView } from "../../../view/members.ts";
import type { PatchView } from "../../../view/patches.ts";
import type { ListenerView, OwnServiceView, ServicesView } from "../../../view/services.ts";
import type { GuestStatusView, HostStatusView, StatusView, TunnelStatus } from "../../../view/status.ts";

/** The name that a program on the other side of stdin gives to one of its commands; the events about it carry it. */
export type Ref = string | number;

/** Everything that can happen in a chat, before it is rendered. */
export type ChatEvent =
  | { readonly type: "progress"; readonly progress: TunnelProgress }
  | {
      readonly type: "opened";
      readonly status: HostStatusView;
      readonly invites: readonly InviteView[];
      /** Colour sequences that were taken out of the goal. */
      readonly removed: number;
    }
  | { readonly type: "joined"; readonly status: GuestStatusView }
  /** `last`: the last messages that this side has said or read before. */
  | { readonly type: "resumed"; readonly status: StatusView; readonly last: readonly EntryView[] }
  /** This process ends, and another one can go on with the tunnel for so long. */
  | { readonly type: "kept"; readonly tunnelId: string; readonly keptForSec: number }
  | {
      readonly type: "entry";
      readonly entry: EntryView;
      /** This side has said it, in an earlier process. */
      readonly isOwn?: boolean | undefined;
      /** With a member who has just joined. */
      readonly safetyCode?: string | undefined;
      /** For an offered file: as much of its id as a person must type. */
      readonly shortId?: string | undefined;
      /** Its number, of a file. */
      readonly fileNumber?: number | undefined;
      /** For an offered service, or one that is no longer offered: the number that a person types, and its name. */
      readonly service?: { readonly number: number; readonly name: string | undefined } | undefined;
    }
  /** These entries, inclusive, are no longer kept and were never shown. */
  | { readonly type: "gap"; readonly fromSeq: number; readonly toSeq: number }
  | {
      readonly type: "presence";
      readonly status: TunnelStatus;
      readonly before: readonly MemberView[];
      readonly now: readonly MemberView[];
      /** Set where the host's program seems to have ended: for so long it may come back. */
      readonly hostAwayKeptForSec: number | undefined;
    }
  /** A member has read this side's own messages up to `seq`. */
  | { readonly type: "read"; readonly name: string; readonly seq: number }
  /** `late`: an event `queued` told of it before. */
  | {
      readonly type: "sent";
      readonly ref: Ref | undefined;
      readonly seq: number;
      readonly late: boolean;
      readonly removed: number;
    }
  /** `removed`: colour sequences that were taken out of its text, here and in `sent`. */
  | {
      readonly type: "queued";
      readonly removed: number;
      readonly ref: Ref | undefined;
      readonly seq: number | undefined;
      readonly reason: string;
    }
  /** It waits for a person. */
  | { readonly type: "held"; readonly ref: Ref | undefined; readonly held: HeldView }
  | { readonly type: "invites"; readonly ref: Ref | undefined; readonly invites: readonly InviteView[] }
  | { readonly type: "status"; readonly ref: Ref | undefined; readonly status: StatusView }
  | { readonly type: "shared"; readonly ref: Ref | undefined; readonly offer: OwnOffer<Answer> }
  /** How far each transfer is; once with an empty list when none is left. */
  | { readonly type: "transfers"; readonly running: readonly TransferView[] }
  | {
      readonly type: "received";
      readonly ref: Ref | undefined;
      readonly file: FileView;
      readonly savePath: string;
      /** Why its name is another one than was given. */
      readonly renamed: string | undefined;
      /** Undefined when its sender has left. */
      readonly fromName: string | undefined;
      /** Undefined where the file is no patch. */
      readonly patch: PatchView | undefined;
      /** Undefined where it is no folder. */
      readonly tree: TreeReport | undefined;
    }
  /** A service of this side is offered, or waits for a person first. */
  | {
      readonly type: "offered";
      readonly ref: Ref | undefined;
      readonly number: number;
      readonly service: OwnServiceView;
      readonly sent: Answer;
      readonly warnings: readonly string[];
    }
  /** The owner's person is asked before this side may connect; `connected` or `error` follows. */
  | {
      readonly type: "asked";
      readonly ref: Ref | undefined;
      readonly serviceId: string;
      readonly name: string;
      readonly fromName: string;
    }
  /** A service of somebody else is reachable on this machine. */
  | {
      readonly type: "connected";
      readonly ref: Ref | undefined;
      readonly number: number;
      readonly listener: ListenerView;
      /** That of an HTTP service works once, in a browser. */
      readonly url: string;
      /** The header for programs that speak HTTP. */
      readonly token: { readonly field: string; readonly value: string } | undefined;
      /** For an MCP server: the text that a person enters for their client, and the tools that the peer says it has. */
      readonly mcp: { readonly register: string; readonly tools: readonly string[] | undefined } | undefined;
    }
  | {
      readonly type: "stopped";
      readonly ref: Ref | undefined;
      readonly serviceId: string;
      readonly name: string;
      readonly what: "listener" | "offer";
    }
  | { readonly type: "services"; readonly ref: Ref | undefined; readonly services: ServicesView | undefined }
  | {
      readonly type: "error";
      readonly error: TunnelError;
      readonly ref?: Ref | undefined;
      /** Line of the input, from 1. */
      readonly line?: number | undefined;
      /** The file that could not be received. */
      readonly file?: { readonly fileId: string; readonly name: string };
    }
  /** `undelivered`: own messages that were sent and never acknowledged. */
  | {
      readonly type: "ended";
      readonly role: StatusView["role"];
      readonly end: SessionEnd;
      readonly undelivered: number;
    };

/** Renders an event. */
export type Show = (event: ChatEvent) => void;
