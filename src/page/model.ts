import type { MemberId, RoomId } from "../protocol/base/ids.ts";
import type { Verdict } from "../protocol/sign-off/signed-bytes.ts";
import type { NewCommand } from "../watch/client.ts";
import type { AskView, FaceKind, Told } from "../watch/protocol.ts";

/**
 * Everything that is drawn, in words and in the order in which it stands there. The program that serves the page makes it of what the
 * servers tell, so that a tab draws and holds no rule. Times are in ms since the epoch, by that program's clock.
 */

/** A button that ends something, and how that is told. */
export interface Stop {
  readonly label: string;
  /** Names the thing that it ends, for those who hear the button alone. */
  readonly what: string;
  readonly command: NewCommand;
  readonly done: string;
}

/** Something that is open: a service, an exposure, an invite. */
export interface Thing {
  readonly key: string;
  readonly name: string;
  readonly code: string | undefined;
  readonly lines: readonly string[];
  /** Visits, connections or calls of late, the newest last. */
  readonly log: readonly string[];
  readonly until: number | undefined;
  /** It does not work at the moment, or waits for a person. */
  readonly isHeld: boolean;
  readonly stop: Stop | undefined;
}

export interface Part {
  readonly title: string;
  readonly things: readonly Thing[];
}

export interface MemberShown {
  readonly id: string;
  readonly name: string;
  /** The id of one whose name looks like another's. */
  readonly sign: string | undefined;
  readonly isOwn: boolean;
  readonly isHost: boolean;
  /** It only reads along. */
  readonly isObserver: boolean;
  /** Undefined where it is here. */
  readonly awaySince: number | undefined;
  readonly lines: readonly string[];
  readonly safetyCode: string | undefined;
  readonly canRemove: boolean;
}

export interface Gauge {
  readonly label: string;
  readonly text: string;
  /** 0 to 1 */
  readonly share: number;
}

/** One of those who are asked to sign. */
export interface SignerShown {
  readonly id: string;
  readonly name: string;
  readonly verdict: Verdict | undefined;
  readonly reason: string | undefined;
  readonly state: string;
}

/** The outcome that stands. A tab makes what it signs of this alone. */
export interface SignOffShown {
  /** The place of the proposal. */
  readonly seq: number;
  readonly room: RoomId;
  /** The chain at its place, 32 bytes as base64url. */
  readonly chain: string;
  readonly self: MemberId;
  /** 32 bytes as base64url */
  readonly digest: string;
  /** Three of its digest, to read aloud. */
  readonly words: string;
  readonly title: string;
  readonly outcome: string;
  readonly state: string | undefined;
  readonly isDone: boolean;
  /** Whether this person can sign it now, or refuse. */
  readonly isOpen: boolean;
  readonly signers: readonly SignerShown[];
}

export interface TunnelShown {
  readonly tunnelId: string;
  readonly goal: string;
  /** Stands behind the goal in a list: that it is over, or kept. */
  readonly mark: string;
  readonly state: {
    readonly word: string;
    readonly tone: "live" | "held" | "away";
    readonly why: string;
  };
  readonly isHost: boolean;
  /** That it is over and why, or that its program has ended: a whole sentence. Nothing can be done in it here then. */
  readonly over: string | undefined;
  readonly self: string;
  readonly members: readonly MemberShown[];
  /** The place up to which all others have read. */
  readonly readTo: number;
  readonly gauges: readonly Gauge[];
  readonly isStopped: boolean;
  readonly isPaused: boolean;
  readonly holdsOut: boolean;
  readonly holdsIn: boolean;
  readonly invites: Part;
  readonly signOff: SignOffShown | undefined;
  /** Alarms: things that must not be, the newest last. */
  readonly alarms: readonly string[];
}

interface Entry {
  readonly tunnelId: string;
  /** Its place in the server's log of the tunnel. */
  readonly at: number;
  readonly ts: number;
}

/** A file, a folder or a service in the log. */
export interface Card {
  readonly name: string;
  readonly facts: string;
  /** The content of a folder. */
  readonly outline: readonly string[];
  /** Fetches its content; undefined where there is nothing to look at. */
  readonly look: NewCommand | undefined;
}

export interface SaidShown extends Entry {
  readonly kind: "said";
  /** 0 while it is on its way. */
  readonly seq: number;
  readonly from: string;
  /** The id of a member whose name looks like another's. */
  readonly sign: string | undefined;
  readonly isOwn: boolean;
  readonly isHuman: boolean;
  readonly tags: readonly string[];
  readonly facts: readonly string[];
  readonly text: string | undefined;
  readonly card: Card | undefined;
  readonly note: string | undefined;
}

export type EntryShown = SaidShown | (Entry & { readonly kind: "system"; readonly text: string });

export interface AskShown {
  readonly ask: number;
  readonly tunnelId: string;
  readonly digest: string;
  readonly state: AskView["state"];
  /** Its outcome, and where it was decided; undefined while it waits. */
  readonly end: string | undefined;
  readonly askedAt: number;
  readonly until: number;
  readonly why: string;
  readonly title: string;
  readonly facts: readonly string[];
  /** All of what it is about, as it would be; shown as it is written. */
  readonly text: string | undefined;
  /** The words on the button for a yes. */
  readonly yes: string;
  /** The safe answer is a no. */
  readonly isRisky: boolean;
  readonly isSecret: boolean;
  /** A message of the own agent, in whose place a person can send their own words. */
  readonly isMessage: boolean;
  /** Fetches the content of a file. */
  readonly look: NewCommand | undefined;
}

/** News of one server, as it is drawn. Each replaces the one before it under its key. */
export type PageEvent =
  | { readonly t: "tunnel"; readonly tunnel: TunnelShown }
  | { readonly t: "ask"; readonly ask: AskShown }
  | { readonly t: "entry"; readonly entry: EntryShown }
  /** `of`: `services TUNNEL` or `exposures`. Of no tunnel: shown with each. */
  | {
      readonly t: "parts";
      readonly of: string;
      readonly tunnelId: string | undefined;
      readonly parts: readonly Part[];
    }
  /** Something that happened and that a person has to read, or that passes. `face`: another view has come or gone. */
  | {
      readonly t: "news";
      readonly text: string;
      readonly passes?: true;
      readonly face?: { readonly kind: FaceKind; readonly change: "opened" | "closed" };
    };

/** A line that a person has to read before it goes. `stop`: it must not be; `look`: they should know of it. */
export interface AlarmShown {
  readonly kind: "stop" | "look";
  readonly text: string;
}

/** The answer to a question. */
export type PageTold =
  | { readonly told: "entries"; readonly entries: readonly EntryShown[]; readonly more: boolean }
  | Exclude<Told, { told: "entries" }>;
