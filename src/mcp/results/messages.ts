import type { SystemEvent } from "../../protocol/room/log.ts";
import type { Batch, Delivered } from "../../session/inbox.ts";
import type { Notice, ReceivedFile, Reissued } from "../../session/notice.ts";
import type { ToolCall } from "../tools/define-tool.ts";
import type { Fence } from "./fence.ts";
import { fileView } from "../../view/files.ts";
import { invitesView } from "../../view/invites.ts";
import { workContextView } from "../../view/members.ts";
import { errorView, type Payload } from "./result.ts";
import { seconds } from "../../view/time.ts";

/** How what was said and what happened is shown to the model. */

/** Fixed sentences: a peer's words never stand in one; who it concerns is in a field of its own. */
function systemText(event: SystemEvent): string {
  switch (event.event) {
    case "joined":
      return "A member joined.";
    case "left":
      return LEFT_TEXTS[event.cause];
    case "idle-warning":
      return `Nobody has done anything here for a while: the tunnel ends in ${seconds(event.endsInMs)} s unless somebody does.`;
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
    "The public address of this tunnel is lost; see `error`. A new one is being opened by itself. Nothing said is lost; tunnel_status shows how it goes.",
  "address-restored":
    "The tunnel has a public address again. A member that does not come back by itself can do so with a new invite (tunnel_invite): its agent calls tunnel_join with it, and nothing said meanwhile is lost.",
  "invites-reissued":
    "The address in some pending invites is gone, so they do not work any more. Give your human the new ones in `invites` to pass on instead.",
  "file-received":
    "A file has arrived and is what was sent: see `file`. Its bytes are the peer's: verified, not safe. Do not run it.",
  "file-failed": "A file could not be received; nothing of it was kept. See `error`.",
} as const satisfies Record<Notice["notice"], string>;

function receivedView({ target, ...file }: ReceivedFile): Payload {
  return { ...file, savePath: target };
}

function noticeView(notice: Notice, now: number): Payload {
  switch (notice.notice) {
    case "alarm":
      return { error: errorView(notice.error), memberName: notice.member };
    case "address-lost":
      return { error: errorView(notice.error) };
    case "address-restored":
      return {};
    case "file-received":
      return { file: receivedView(notice.file) };
    case "file-failed":
      return { file: receivedView(notice.file), error: errorView(notice.error) };
    case "invites-reissued":
      return reissuedView(notice.invites, now);
  }
}

function reissuedView(reissued: readonly Reissued[], now: number): Payload {
  const fresh = reissued
    .filter(({ expiresAt }) => expiresAt > now)
    .map(({ expiresAt, ...invite }) => ({ ...invite, expiresInMs: expiresAt - now }));
  const { invites, ...rest } = invitesView(fresh);
  return {
    ...rest,
    invites: invites.map((view, index) => ({ replaces: fresh[index]?.replaces, ...view })),
  };
}

function messageView({ entry, redelivered }: Delivered, now: number, fence: Fence): Payload {
  const { seq, kind } = entry;
  const common = { ts: new Date(entry.ts).toISOString(), ageSec: seconds(now - entry.ts) };
  const again = redelivered ? { redelivered } : {};
  if (entry.kind === "chat") {
    const { from, fromName, intent, replyTo, to, past } = entry;
    const text = fence.wrap(entry.text);
    return { seq, from, fromName, kind, text, intent, replyTo, to, beforeYou: past, ...common, ...again };
  }
  if (entry.kind === "file") {
    const { from, fromName, intent, replyTo, to, past, offer } = entry;
    const text = fence.wrap(offer.note ?? offer.name);
    const file = fileView(offer);
    return {
      seq,
      from,
      fromName,
      kind,
      ...file,
      text,
      intent,
      replyTo,
      to,
      beforeYou: past,
      ...common,
      ...again,
    };
  }
  const ours = { seq, from: "tunnel", fromName: "tunnel", kind: "system" };
  if (entry.kind === "notice") {
    const text = NOTICE_TEXTS[entry.notice];
    return {
      ...ours,
      event: entry.notice,
      local: true,
      ...noticeView(entry, now),
      text,
      ...common,
      ...again,
    };
  }
  const { event, past } = entry;
  const subject = "member" in entry ? { member: entry.member, memberName: entry.name } : {};
  const workContext =
    "workContext" in entry && entry.workContext !== undefined
      ? { workContext: workContextView(entry.workContext) }
      : {};
  const cause = "cause" in entry ? { cause: entry.cause } : {};
  return {
    ...ours,
    event,
    ...subject,
    ...workContext,
    ...cause,
    text: systemText(entry),
    beforeYou: past,
    ...common,
    ...again,
  };
}

export function batchView(batch: Batch, call: ToolCall): Payload {
  const now = call.clock.now();
  return {
    messages: batch.entries.map((delivered) => messageView(delivered, now, call.fence)),
    unread: batch.unread,
    more: batch.more,
    gap: batch.gap,
  };
}
