import { RESULT } from "../../protocol/base/limits.ts";
import type { Entry } from "../../protocol/room/log.ts";
import type { Batch, Delivered, Packing, Part } from "../../session/inbox.ts";
import type { NoticeEntry } from "../../session/notices/notice.ts";
import { entryView, type EntryView, type NoticeEventView, type SystemEventView } from "../../view/entries.ts";
import { seconds } from "../../view/time.ts";
import { boundsOf, listed, newestWithin, shownChars, within } from "./bounds.ts";
import { endsOfPieces } from "./cuts.ts";
import type { Fence } from "./fence.ts";
import { invitesWithin } from "./invites.ts";
import { labelled } from "./labels.ts";
import type { Payload } from "./result.ts";

/** Fixed sentences. A peer's words never stand in one: the member it concerns is in a field of its own. */
function systemText(event: SystemEventView): string {
  switch (event.event) {
    case "joined":
      return event.role === undefined ? "A member joined." : OBSERVER_TEXTS[event.role];
    case "left":
      return event.role === undefined || event.cause === "expired"
        ? LEFT_TEXTS[event.cause]
        : "An observer reads along no longer.";
    case "idle-warning":
      return `Nobody has done anything here for a while: the tunnel ends in ${event.endsInSec} s unless somebody does.`;
    case "ended":
      return ENDED_TEXTS[event.cause];
    case "returned":
      return "The host is back after a restart.";
  }
}

const OBSERVER_TEXTS = {
  observer: "An observer reads along from now on: it sees what is said to everybody, and can say nothing.",
  "observer-history":
    "An observer reads along, from the beginning: it sees what was and is said to everybody, and can say nothing.",
} as const;

const LEFT_TEXTS = {
  left: "A member left.",
  lost: "A member has been unreachable for too long and was given up.",
  removed: "A member was removed by the host.",
  "fell-behind": "A member was away for so long that it could not catch up, and was given up.",
  expired: "An observer reads along no longer: its time is over.",
} as const;

const ENDED_TEXTS = {
  closed: "The host closed the tunnel.",
  idle: "The tunnel ended because nobody did anything in it.",
  "host-stopped": "The tunnel ended because the host's session ended.",
} as const;

const NOTICE_TEXTS = {
  alarm: "Something went wrong on a sealed connection: see `error`, and tell your human.",
  "address-lost":
    "The public address of this tunnel is lost: `error` says why, and what to do. A new one is tried by itself, and nothing said is lost; tunnel_status shows how it goes.",
  "address-restored":
    "This tunnel can be reached. Members come back by themselves, except those in `invites`, where there are any: give your human each of these links for the member that it names. Its agent calls tunnel_join with the link and is back as the same member; nothing said meanwhile is lost. The links are secrets.",
  "invites-reissued":
    "The address in some pending invites is gone, so they do not work any more. Give your human the new ones in `invites` to pass on instead.",
  undelivered:
    "The host never confirmed these messages of yours, so they have most likely not arrived: your own numbers `firstNo` to `lastNo` (`ownNo` in the answers of tunnel_say), with the beginnings of the first ones in `messages`. Tell your human, and say again elsewhere what still matters.",
  "member-missed":
    "A member is out of the tunnel and has not confirmed what came after place `afterSeq`. `seqs` are your own messages among it, which it most likely does not have.",
  decided:
    "The last word about something of yours that was held (`askId`, where it had an ask of its own). `outcome` is approved, edited (sent in your human's own words), released (nobody had to decide), refused, expired (nobody decided in time, which is no refusal) or withdrawn; `reason` is what your human says about it. `status` and `ownSeq` say how it stands where it was sent, `error` why it could not be. What was refused: do not send it in other words. For approved links, make the same call again.",
  withheld:
    "Your human has not let you have what was said at `place`: you are told no more of it. `why` is refused, or that nobody decided in time.",
  "budget-warning":
    "Four fifths of these `budgets` are used (tunnel_status shows them). Tell your human; at the limit you are held until they let you go on.",
  resumed: "Your human has ended the pause.",
  "service-over":
    "The service `serviceId` of a peer is not on this machine any more: `why` is withdrawn, expired, owner-left, or denied by its owner's human. What was connected to it is cut. `restarted`: this server had ended; connect again, or where the service was yours, offer it again.",
  "file-offered":
    "The file that was still being read when tunnel_share answered is offered now: see `file`. Leave it as it is.",
  "file-held":
    "The file that was still being read when tunnel_share answered waits for your human, and nobody was told of it: `askId` names the ask. They can type `tunnel-mcp watch`. Do not share it again.",
  "file-not-offered": "The file or patch at `path` could not be offered; nobody was told of it. See `error`.",
  "file-received":
    "A file has arrived and is what was sent: see `file`. Its bytes are the peer's: verified, not safe. Do not run it.",
  "file-failed": "A file could not be received; nothing of it was kept. See `error`.",
} as const satisfies Record<NoticeEventView["notice"], string>;

const WITHDRAWN = "This service is no longer offered.";

/** `from` of everything that this server says by itself. */
const OURS = { from: "tunnel", fromName: "tunnel", kind: "system" } as const;

function systemFields(event: SystemEventView): Payload {
  switch (event.event) {
    case "joined":
      return {
        member: event.member,
        memberName: event.memberName,
        lookAlike: event.lookAlike,
        role: event.role,
        workContext: event.workContext,
      };
    case "left":
      return {
        member: event.member,
        memberName: event.memberName,
        lookAlike: event.lookAlike,
        role: event.role,
        cause: event.cause,
      };
    case "returned":
      return { member: event.member, memberName: event.memberName, lookAlike: event.lookAlike };
    case "idle-warning":
      return {};
    case "ended":
      return { cause: event.cause };
  }
}

function noticeFields(event: NoticeEventView, { fence, limit }: Showing): Payload {
  if (event.notice === "invites-reissued") return invitesWithin(event.invites, limit);
  if (event.notice === "undelivered") return undeliveredFields(event, fence, limit);
  const { notice: _, ...fields } = event;
  return fields;
}

/** A peer's words in the fence, and how many hidden characters they have lost: in all of them, where this is a part. */
function peerText(words: string, fence: Fence, part?: Part): Payload {
  const removed = fence.hiddenIn(words);
  const text = fence.enclose(fence.bared(words).slice(part?.start, part?.end));
  return { text, hiddenRemoved: removed === 0 ? undefined : removed };
}

/** Those it is for; the last of very many are counted. */
function receiverFields(to: readonly string[] | undefined, limit: number): Payload {
  return to === undefined ? {} : listed("to", within(to, boundsOf(limit).receivers), to.length);
}

/** Own words, which may quote a peer's: in the fence like those of others. */
function undeliveredFields(
  { count, firstNo, lastNo, messages }: Extract<NoticeEventView, { notice: "undelivered" }>,
  fence: Fence,
  limit: number,
): Payload {
  const fields = messages.map(({ text, to, ...message }) => ({
    ...message,
    ...receiverFields(to, RESULT.minChars),
    ...(text === undefined ? {} : peerText(text, fence)),
  }));
  const shown = within(fields, boundsOf(limit).undelivered);
  return { count, firstNo, lastNo, ...listed("messages", shown, fields.length) };
}

/** What the form of messages depends on, besides themselves. */
export interface Showing {
  readonly fence: Fence;
  /** ms since the epoch */
  readonly now: number;
  /** Characters of the whole result. */
  readonly limit: number;
  /** The absolute path under which a file of this name would be saved, for an agent that has no better one. */
  readonly placeFor: (name: string) => string | undefined;
}

const PROPOSED =
  "An outcome for the humans to sign: tell yours that they can read and sign it in `tunnel-mcp watch` or on the page. Say nothing meanwhile: each further message makes it stale.";
const STATED = {
  done: "A human has signed the outcome, says their program.",
  "not-done": "A human has refused to sign the outcome, says their program.",
} as const;
const UNCOUNTED =
  "A member's program says that a human has answered, and it counts for nothing: it came too late, or does not hold (`standing`).";
const ALL_SIGNED =
  "All humans have signed. Close without a summary: each further message makes the signatures stale.";

/** The fields in which the kinds of entries differ, with every peer's words in the fence. */
function entryFields(entry: EntryView, showing: Showing, part: Part | undefined): Payload {
  const { fence, limit, placeFor } = showing;
  switch (entry.kind) {
    case "chat": {
      const { from, fromName, lookAlike, own, author, kind, text, intent, replyTo, beforeYou } = entry;
      const told = { intent, replyTo, ...receiverFields(entry.to, limit), beforeYou };
      return { from, fromName, lookAlike, own, author, kind, ...peerText(text, fence, part), ...told };
    }
    case "file": {
      const { from, fromName, lookAlike, own, author, kind, file, note, intent, replyTo, beforeYou } = entry;
      const text = { ...outlineFields(entry.outline, fence, limit), ...peerText(note ?? file.name, fence) };
      const told = { intent, replyTo, ...receiverFields(entry.to, limit), beforeYou };
      const who = { from, fromName, lookAlike, own, author, kind };
      return { ...who, ...file, savePath: placeFor(file.name), ...text, ...told };
    }
    case "service": {
      const { from, fromName, lookAlike, own, author, kind, service, note, intent, replyTo, beforeYou } =
        entry;
      const text = peerText(note ?? service.name, fence);
      const told = { intent, replyTo, ...receiverFields(entry.to, limit), beforeYou };
      return { from, fromName, lookAlike, own, author, kind, ...service, ...text, ...told };
    }
    case "withdrawal": {
      const { from, fromName, lookAlike, own, author, kind, serviceId, beforeYou } = entry;
      return { from, fromName, lookAlike, own, author, kind, serviceId, text: WITHDRAWN, beforeYou };
    }
    case "proposal": {
      const { from, fromName, lookAlike, own, author, kind, outcome, words, beforeYou } = entry;
      const text = peerText(outcome, fence);
      return { from, fromName, lookAlike, own, author, kind, ...text, words, beforeYou, next: PROPOSED };
    }
    case "statement": {
      const { from, fromName, lookAlike, own, author, kind, proposal, verdict, standing, beforeYou } = entry;
      const text =
        entry.reason === undefined
          ? { text: standing === "counts" ? STATED[verdict] : UNCOUNTED }
          : peerText(entry.reason, fence);
      const unsigned = within(entry.missing, boundsOf(limit).receivers);
      const told = { proposal, verdict, standing, ...listed("unsigned", unsigned, entry.missing.length) };
      const next = standing === "counts" && entry.missing.length === 0 ? ALL_SIGNED : undefined;
      return { from, fromName, lookAlike, own, author, kind, ...text, ...told, beforeYou, next };
    }
    case "system": {
      const { event, beforeYou } = entry;
      return { ...OURS, event: event.event, ...systemFields(event), text: systemText(event), beforeYou };
    }
    case "notice": {
      const { event } = entry;
      const text = NOTICE_TEXTS[event.notice];
      return { ...OURS, event: event.notice, local: true, ...noticeFields(event, showing), text };
    }
  }
}

/** What a folder holds, by its sender's words: a line each, as many as there is room for. */
function outlineFields(lines: readonly string[] | undefined, fence: Fence, limit: number): Payload {
  if (lines === undefined || lines.length === 0) return {};
  const shown = within(lines, boundsOf(limit).patchFiles).map((line) => fence.label(line));
  const left = lines.length - shown.length;
  return { holds: fence.wrap(shown.join("\n")), holdsNotShown: left > 0 ? left : undefined };
}

function messageFields({ entry, redelivered, saidAt, part }: Delivered, showing: Showing): Payload {
  const { now } = showing;
  const view = entryView(part === undefined ? entry : partOf(entry, part), now);
  return {
    seq: view.seq,
    ...entryFields(view, showing, part),
    ...(part === undefined ? {} : { part: { n: part.n, of: part.of } }),
    ts: view.ts,
    ageSec: seconds(now - saidAt),
    ...(redelivered ? { redelivered } : {}),
  };
}

/** Lists of invites are divided as lists. A text is divided as it is shown, in {@link peerText}. */
function partOf(entry: Entry | NoticeEntry, { start, end }: Part): Entry | NoticeEntry {
  if (entry.kind !== "notice") return entry;
  if (entry.notice === "invites-reissued") return { ...entry, invites: entry.invites.slice(start, end) };
  if (entry.notice === "address-restored") return { ...entry, members: entry.members.slice(start, end) };
  return entry;
}

/** The number of items of an entry that is divided as a list. */
function itemsOf(entry: Entry | NoticeEntry): number {
  if (entry.kind !== "notice") return 0;
  if (entry.notice === "invites-reissued") return entry.invites.length;
  return entry.notice === "address-restored" ? entry.members.length : 0;
}

/** Numbers of parts that are longer than any there will be, for the room that they take. */
const ANY_PART: Part = { n: 999, of: 999, start: 0, end: 0 };

/** How messages fill one result: as they are shown, character by character, so that none ever comes cut. */
export function packingOf({ fence, ...others }: Showing): Packing {
  // Hidden characters are counted where a message is shown, not where it is measured.
  const showing = { ...others, fence: fence.forResult() };
  const room = showing.limit - boundsOf(showing.limit).besideMessages;
  const sizeOf = (entry: Entry | NoticeEntry, part?: Part): number => {
    const delivered = { entry, redelivered: true, saidAt: entry.ts, ...(part === undefined ? {} : { part }) };
    return shownChars(labelled(messageFields(delivered, showing))) + 1;
  };
  const ends = (entry: Entry | NoticeEntry): readonly number[] => {
    const left = room - sizeOf(entry, ANY_PART);
    if (entry.kind === "chat") return endsOfPieces(showing.fence.bared(entry.text), left);
    return endsOfRows(itemsOf(entry), (start, end) => sizeOf(entry, { ...ANY_PART, start, end }) <= room);
  };
  return { room, sizeOf, ends };
}

/** The ends of the longest rows of items that fit; an item that does not fit alone is a row of its own. */
function endsOfRows(count: number, fits: (start: number, end: number) => boolean): number[] {
  const ends: number[] = [];
  for (let start = 0, end = 1; end <= count; end += 1) {
    if (end < count && fits(start, end + 1)) continue;
    ends.push(end);
    start = end;
  }
  return ends;
}

/** The fields for a batch of the inbox. */
export function batchFields({ entries, unread, more, gap }: Batch, showing: Showing): Payload {
  return { messages: entries.map((delivered) => messageFields(delivered, showing)), unread, more, gap };
}

/** The newest of these entries that fit, under a name of their own: for a reader who was not there. */
export function lastMessages(entries: readonly Entry[], maxChars: number, showing: Showing): Payload {
  const all = entries.map((entry) => messageFields({ entry, redelivered: false, saidAt: entry.ts }, showing));
  return listed("lastMessages", newestWithin(all, maxChars), all.length);
}

/** The next step where a batch ends inside of a message. @param sinceSeq as in the call; undefined for unread messages */
export function nextPart({ entries }: Batch, sinceSeq: number | undefined): string | undefined {
  const last = entries.at(-1);
  if (last?.part === undefined || last.part.n === last.part.of) return undefined;
  const { n, of } = last.part;
  const how = sinceSeq === undefined ? "again" : `with \`sinceSeq\` ${sinceSeq} and \`part\` ${n + 1}`;
  return `Message ${last.entry.seq} is long: this is part ${n} of ${of}. Call tunnel_listen ${how} for the next; act on the whole.`;
}
