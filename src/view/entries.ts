import { toBase64url } from "../protocol/base/bytes.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { ObserverRole } from "../protocol/handshake/role.ts";
import type { EndCause, LeaveCause } from "../protocol/room/frames.ts";
import type { Intent } from "../protocol/room/intent.ts";
import type { Made, Verdict } from "../protocol/sign-off/signed-bytes.ts";
import type { Entry, SpokenEntry, StatementEntry, SystemEntry } from "../protocol/room/log.ts";
import type { Budget } from "../oversight/bounds/budgets.ts";
import type { Decided } from "../session/notices/oversight.ts";
import type { Sent } from "../session/saying/sent.ts";
import type { OfferedFile } from "../session/files/files.ts";
import type { Notice, NoticeEntry } from "../session/notices/notice.ts";
import type { Undelivered } from "../session/saying/undelivered.ts";
import { addressErrorView, errorView, type ErrorView } from "./errors.ts";
import { fileView, outlineText, receivedFileView, type FileView, type ReceivedFileView } from "./files.ts";
import { reissuedViews, wayBackView, type ReissuedView, type WayBackView } from "./invites.ts";
import { workContextView, type WorkContextView } from "./members.ts";
import { serviceView, type ServiceView } from "./services.ts";
import { isoTime, seconds } from "./time.ts";

/** Its number in the room, and when: by the host's clock, ISO 8601. */
interface Placed {
  readonly seq: number;
  readonly ts: string;
}

interface Spoken extends Placed {
  readonly from: MemberId;
  readonly fromName: string;
  /** Another name of this room looks the same on this machine. */
  readonly lookAlike: true | undefined;
  readonly intent: Intent | undefined;
  /** Said by this side: by its person, since an agent knows its own words. */
  readonly own?: true | undefined;
  /** A person's own words, as that side's program says; an agent's where undefined. */
  readonly author?: "human" | undefined;
  readonly replyTo: number | undefined;
  /** Names of those it was for; undefined for everybody. */
  readonly to: readonly string[] | undefined;
  /** Said before this side came. */
  readonly beforeYou: true | undefined;
}

/** Words of a peer, as they were said: not safe for a terminal, and not fenced for a model. */
interface ChatView extends Spoken {
  readonly kind: "chat";
  readonly text: string;
}

export interface FileEntryView extends Spoken {
  readonly kind: "file";
  readonly file: FileView;
  /** Of a folder: what it holds, a line each, by its sender's words. */
  readonly outline: readonly string[] | undefined;
  readonly note: string | undefined;
}

export interface ServiceEntryView extends Spoken {
  readonly kind: "service";
  readonly service: ServiceView;
  readonly note: string | undefined;
}

export interface WithdrawalView extends Spoken {
  readonly kind: "withdrawal";
  readonly serviceId: string;
}

/** An outcome that the persons of all members are asked to sign. */
interface ProposalView extends Spoken {
  readonly kind: "proposal";
  /** Words of a peer, as in a message. */
  readonly outcome: string;
  /** Words of its digest, to read aloud; undefined while it has no place. */
  readonly words: string | undefined;
}

/** A member's person on a proposal. */
export interface StatementView extends Spoken {
  readonly kind: "statement";
  /** The place of the proposal. */
  readonly proposal: number;
  readonly verdict: Verdict;
  /** The person's words. */
  readonly reason: string | undefined;
  readonly made: Made;
  /** As in the log. */
  readonly standing: StatementEntry["standing"];
  /** Names of those whose persons had not signed by then. */
  readonly missing: readonly string[];
}

interface Subject {
  readonly member: MemberId;
  readonly memberName: string;
  readonly lookAlike: true | undefined;
  /** It only reads along; a member where undefined. */
  readonly role?: ObserverRole | undefined;
}

/** A change of the room, in fields alone: no peer can make a text that looks like one. */
export type SystemEventView =
  | (Subject & { readonly event: "joined"; readonly workContext: WorkContextView | undefined })
  | (Subject & { readonly event: "left"; readonly cause: LeaveCause })
  | { readonly event: "idle-warning"; readonly endsInSec: number }
  | { readonly event: "ended"; readonly cause: EndCause }
  | (Subject & { readonly event: "returned" });

export type SystemView = Placed & {
  readonly kind: "system";
  readonly beforeYou: true | undefined;
  readonly event: SystemEventView;
};

/** An event on this side alone: no other member sees it. */
export type NoticeEventView =
  | { readonly notice: "alarm"; readonly error: ErrorView; readonly memberName: string | undefined }
  | { readonly notice: "address-lost"; readonly error: ErrorView }
  /** `invites` are for members that do not come back without; left out where there are none. */
  | { readonly notice: "address-restored"; readonly invites?: readonly WayBackView[] }
  | { readonly notice: "invites-reissued"; readonly invites: readonly ReissuedView[] }
  | ({ readonly notice: "undelivered"; readonly count: number } & Undelivered)
  | {
      readonly notice: "member-missed";
      readonly memberName: string;
      readonly afterSeq: number;
      readonly count: number;
      readonly seqs: readonly number[];
    }
  | DecidedView
  | {
      readonly notice: "withheld";
      readonly place: number;
      readonly memberName: string;
      readonly why: "refused" | "expired" | "withdrawn" | "too-many";
    }
  | { readonly notice: "budget-warning"; readonly budgets: readonly Budget[] }
  | {
      readonly notice: "service-over";
      readonly serviceId: string;
      readonly name: string;
      readonly why: "withdrawn" | "expired" | "owner-left" | "denied" | "restarted";
    }
  | { readonly notice: "resumed" }
  | { readonly notice: "file-offered"; readonly file: OfferedFile }
  | { readonly notice: "file-held"; readonly file: OfferedFile; readonly askId: number | undefined }
  | { readonly notice: "file-not-offered"; readonly path: string | undefined; readonly error: ErrorView }
  | { readonly notice: "file-received"; readonly file: ReceivedFileView }
  | { readonly notice: "file-failed"; readonly file: ReceivedFileView; readonly error: ErrorView };

/** The last word about something that was held. `status` and `ownSeq` say how it stands where it was let go. */
interface DecidedView {
  readonly notice: "decided";
  readonly askId: number | undefined;
  readonly outcome: Decided;
  readonly reason: string | undefined;
  readonly status: Sent["status"] | undefined;
  readonly ownSeq: number | undefined;
  readonly error: ErrorView | undefined;
}

export type NoticeView = Placed & { readonly kind: "notice"; readonly event: NoticeEventView };

/** One entry of a room's log. */
export type EntryView = SpokenView | SystemView | NoticeView;

/** What a member has said. */
export type SpokenView =
  ChatView | FileEntryView | ServiceEntryView | WithdrawalView | ProposalView | StatementView;

/** @param now ms since the epoch: invites that have expired by then are left out */
export function entryView(entry: Entry | NoticeEntry, now: number): EntryView {
  const placed = { seq: entry.seq, ts: isoTime(entry.ts) };
  switch (entry.kind) {
    case "chat":
      return { kind: entry.kind, ...placed, ...spoken(entry), text: entry.text };
    case "file": {
      const { offer } = entry;
      const outline = offer.tree?.outline.map(outlineText);
      return {
        kind: entry.kind,
        ...placed,
        ...spoken(entry),
        file: fileView(offer),
        outline,
        note: offer.note,
      };
    }
    case "service": {
      const { offer } = entry;
      return { kind: entry.kind, ...placed, ...spoken(entry), service: serviceView(offer), note: offer.note };
    }
    case "withdrawal":
      return { kind: entry.kind, ...placed, ...spoken(entry), serviceId: toBase64url(entry.service) };
    case "proposal": {
      const { outcome, signOff } = entry;
      return { kind: entry.kind, ...placed, ...spoken(entry), outcome, words: signOff?.words };
    }
    case "statement": {
      const { statement, standing, missing } = entry;
      const { seq: proposal, verdict, reason, made } = statement;
      const said = { proposal, verdict, reason, made, standing, missing };
      return { kind: entry.kind, ...placed, ...spoken(entry), ...said };
    }
    case "system":
      return { kind: entry.kind, ...placed, beforeYou: entry.past, event: systemEventView(entry) };
    case "notice":
      return { kind: entry.kind, ...placed, event: noticeEventView(entry, now) };
  }
}

function spoken(entry: SpokenEntry): Omit<Spoken, keyof Placed> {
  const { from, fromName, lookAlike, own, intent, author, replyTo, to, past } = entry;
  return {
    from,
    fromName,
    lookAlike,
    own: own ? true : undefined,
    intent,
    author,
    replyTo,
    to,
    beforeYou: past,
  };
}

function systemEventView(entry: SystemEntry): SystemEventView {
  switch (entry.event) {
    case "joined": {
      const { event, member, name: memberName, lookAlike, role, workContext: told } = entry;
      return { event, member, memberName, lookAlike, role, workContext: told && workContextView(told) };
    }
    case "left": {
      const { event, member, name: memberName, lookAlike, role, cause } = entry;
      return { event, member, memberName, lookAlike, role, cause };
    }
    case "idle-warning":
      return { event: entry.event, endsInSec: seconds(entry.endsInMs) };
    case "ended":
      return { event: entry.event, cause: entry.cause };
    case "returned": {
      const { event, member, name: memberName, lookAlike } = entry;
      return { event, member, memberName, lookAlike };
    }
  }
}

function noticeEventView(entry: Notice, now: number): NoticeEventView {
  switch (entry.notice) {
    case "alarm":
      return { notice: entry.notice, error: errorView(entry.error), memberName: entry.member };
    case "address-lost":
      return { notice: entry.notice, error: addressErrorView(entry.error) };
    case "address-restored":
      return {
        notice: entry.notice,
        ...(entry.members.length > 0 && { invites: entry.members.map(wayBackView) }),
      };
    case "invites-reissued":
      return { notice: entry.notice, invites: reissuedViews(entry.invites, now) };
    case "undelivered": {
      const { notice, firstNo, lastNo, messages } = entry;
      return { notice, count: lastNo - firstNo + 1, firstNo, lastNo, messages };
    }
    case "member-missed": {
      const { notice, member: memberName, afterSeq, count, seqs } = entry;
      return { notice, memberName, afterSeq, count, seqs };
    }
    case "decided":
    case "withheld":
    case "budget-warning":
    case "resumed":
      return oversightEventView(entry);
    case "service-over": {
      const { notice, serviceId, name, why } = entry;
      return { notice, serviceId, name, why };
    }
    case "file-received":
      return { notice: entry.notice, file: receivedFileView(entry.file) };
    case "file-failed":
      return { notice: entry.notice, file: receivedFileView(entry.file), error: errorView(entry.error) };
    default:
      return offerEventView(entry);
  }
}

type OversightNotice = Extract<Notice, { notice: "decided" | "withheld" | "budget-warning" | "resumed" }>;

function oversightEventView(entry: OversightNotice): NoticeEventView {
  switch (entry.notice) {
    case "decided": {
      const { notice, askId, outcome, reason, sent, error } = entry;
      const { status, seq: ownSeq } = sent ?? {};
      return { notice, askId, outcome, reason, status, ownSeq, error: error && errorView(error) };
    }
    case "withheld": {
      const { notice, place, fromName: memberName, why } = entry;
      return { notice, place, memberName, why };
    }
    case "budget-warning":
      return { notice: entry.notice, budgets: entry.budgets };
    case "resumed":
      return { notice: entry.notice };
  }
}

type OfferNotice = Extract<Notice, { notice: "file-offered" | "file-held" | "file-not-offered" }>;

function offerEventView(entry: OfferNotice): NoticeEventView {
  switch (entry.notice) {
    case "file-offered":
      return { notice: entry.notice, file: entry.file };
    case "file-held":
      return { notice: entry.notice, file: entry.file, askId: entry.askId };
    case "file-not-offered":
      return { notice: entry.notice, path: entry.path, error: errorView(entry.error) };
  }
}
