import { withoutHidden } from "../../protocol/base/hidden-text.ts";
import type { Batch, Delivered } from "../../session/inbox.ts";
import { entryView, type EntryView, type NoticeEventView, type SystemEventView } from "../../view/entries.ts";
import { hiddenTotal } from "../../view/hidden.ts";
import { seconds } from "../../view/time.ts";
import type { Fence } from "./fence.ts";
import { invitesWithin } from "./invites.ts";
import type { Payload } from "./result.ts";

/** Fixed sentences. A peer's words never stand in one: the member it concerns is in a field of its own. */
function systemText(event: SystemEventView): string {
  switch (event.event) {
    case "joined":
      return "A member joined.";
    case "left":
      return LEFT_TEXTS[event.cause];
    case "idle-warning":
      return `Nobody has done anything here for a while: the tunnel ends in ${event.endsInSec} s unless somebody does.`;
    case "ended":
      return ENDED_TEXTS[event.cause];
  }
}

const LEFT_TEXTS = {
  left: "A member left.",
  lost: "A member has been unreachable for too long and was given up.",
  removed: "A member was removed by the host.",
  "fell-behind": "A member was away for so long that it could not catch up, and was given up.",
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
    "The last word about something of yours that was held (`askId`, where it had an ask of its own). `outcome` is approved, edited (sent in your human's own words), released (nobody had to decide), refused, expired (nobody decided in time, which is no refusal) or withdrawn; `reason` is what your human says about it. `status` and `ownSeq` say how it stands where it was sent, `error` why it could not be. What was refused: do not send it in other words.",
  withheld:
    "Your human has not let you have what was said at `place`: you are told no more of it. `why` is refused, or that nobody decided in time.",
  "budget-warning":
    "Four fifths of these `budgets` are used (tunnel_status shows them). Tell your human; at the limit you are held until they let you go on.",
  resumed: "Your human has ended the pause.",
  "file-received":
    "A file has arrived and is what was sent: see `file`. Its bytes are the peer's: verified, not safe. Do not run it.",
  "file-failed": "A file could not be received; nothing of it was kept. See `error`.",
} as const satisfies Record<NoticeEventView["notice"], string>;

/** `from` of everything that this server says by itself. */
const OURS = { from: "tunnel", fromName: "tunnel", kind: "system" } as const;

function systemFields(event: SystemEventView): Payload {
  switch (event.event) {
    case "joined":
      return {
        member: event.member,
        memberName: event.memberName,
        lookAlike: event.lookAlike,
        workContext: event.workContext,
      };
    case "left":
      return {
        member: event.member,
        memberName: event.memberName,
        lookAlike: event.lookAlike,
        cause: event.cause,
      };
    case "idle-warning":
      return {};
    case "ended":
      return { cause: event.cause };
  }
}

function noticeFields(event: NoticeEventView, fence: Fence): Payload {
  if (event.notice === "invites-reissued") return invitesWithin(event.invites);
  if (event.notice === "undelivered") return undeliveredFields(event, fence);
  const { notice: _, ...fields } = event;
  return fields;
}

/** A peer's words in the fence, and how many hidden characters they have lost. */
function peerText(words: string, fence: Fence): Payload {
  const removed = hiddenTotal(withoutHidden(words).hidden);
  return { text: fence.wrap(words), hiddenRemoved: removed === 0 ? undefined : removed };
}

/** Own words, which may quote a peer's: in the fence like those of others. */
function undeliveredFields(
  { count, firstNo, lastNo, messages }: Extract<NoticeEventView, { notice: "undelivered" }>,
  fence: Fence,
): Payload {
  const shown = messages.map(({ text, ...message }) => ({
    ...message,
    ...(text === undefined ? {} : peerText(text, fence)),
  }));
  return { count, firstNo, lastNo, messages: shown };
}

/** The fields in which the kinds of entries differ, with every peer's words in the fence. */
function entryFields(entry: EntryView, fence: Fence): Payload {
  switch (entry.kind) {
    case "chat": {
      const { from, fromName, lookAlike, own, author, kind, text, intent, replyTo, to, beforeYou } = entry;
      const said = peerText(text, fence);
      return { from, fromName, lookAlike, own, author, kind, ...said, intent, replyTo, to, beforeYou };
    }
    case "file": {
      const { from, fromName, lookAlike, own, author, kind, file, note, intent, replyTo, to, beforeYou } =
        entry;
      const text = peerText(note ?? file.name, fence);
      return {
        from,
        fromName,
        lookAlike,
        own,
        author,
        kind,
        ...file,
        ...text,
        intent,
        replyTo,
        to,
        beforeYou,
      };
    }
    case "system": {
      const { event, beforeYou } = entry;
      return { ...OURS, event: event.event, ...systemFields(event), text: systemText(event), beforeYou };
    }
    case "notice": {
      const { event } = entry;
      const text = NOTICE_TEXTS[event.notice];
      return { ...OURS, event: event.notice, local: true, ...noticeFields(event, fence), text };
    }
  }
}

function messageFields({ entry, redelivered, saidAt }: Delivered, now: number, fence: Fence): Payload {
  const view = entryView(entry, now);
  return {
    seq: view.seq,
    ...entryFields(view, fence),
    ts: view.ts,
    ageSec: seconds(now - saidAt),
    ...(redelivered ? { redelivered } : {}),
  };
}

/** The fields for a batch of the inbox. @param now ms since the epoch */
export function batchFields({ entries, unread, more, gap }: Batch, now: number, fence: Fence): Payload {
  return { messages: entries.map((delivered) => messageFields(delivered, now, fence)), unread, more, gap };
}
