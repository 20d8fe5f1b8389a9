import { filesView, fileView } from "../../../view/files.ts";
import { memberViews, statusOf } from "../../../view/status.ts";
import { inviteView, pendingView } from "../../../view/invites.ts";
import { healthView, linkView } from "../../../view/health.ts";
import type { TunnelError } from "../../../errors/tunnel-error.ts";
import type { Entry } from "../../../protocol/room/log.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { NoticeEntry } from "../../../session/notice.ts";
import type { OpenTunnel } from "../../../session/sessions.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { progressFields, receivedFields, sharedFields } from "./files.ts";
import { safeJson } from "../terminal/safe-text.ts";
import { nextStep } from "../terminal/wording.ts";

type Fields = Readonly<Record<string, unknown>>;

/** How a chat looks to a program: every event as one JSON object on a line of its own. docs/CLI.md lists them. */
export class JsonView {
  readonly #clock: Clock;
  readonly #out: (text: string) => void;
  #tunnel: OpenTunnel | undefined;

  constructor(clock: Clock, out: (text: string) => void) {
    this.#clock = clock;
    this.#out = out;
  }

  show(event: ChatEvent): void {
    const lines = event.type === "transfers" ? event.running.map(progressFields) : [this.#fieldsOf(event)];
    for (const fields of lines) this.#out(`${safeJson(fields)}\n`);
  }

  #fieldsOf(event: Exclude<ChatEvent, { type: "transfers" }>): Fields {
    const now = this.#clock.now();
    switch (event.type) {
      case "progress":
        return { event: "progress", ...event.progress };
      case "opened":
        this.#tunnel = event.tunnel;
        return { event: "opened", ...described(event.tunnel), invites: event.invites.map(inviteView) };
      case "joined":
        this.#tunnel = event.tunnel;
        return { event: "joined", ...described(event.tunnel), safetyCode: event.tunnel.safetyCode };
      case "entry":
        return entryFields(event.entry, now);
      case "gap":
        return { event: "gap", fromSeq: event.fromSeq, toSeq: event.toSeq };
      case "presence":
        return { event: "presence", ...this.#presence() };
      case "read":
        return { event: "read", byName: event.name, seq: event.seq };
      case "sent":
        return { event: "sent", ref: event.ref, seq: event.seq };
      case "queued":
        return { event: "queued", ref: event.ref, seq: event.seq, reason: event.reason };
      case "invites":
        return { event: "invites", ref: event.ref, invites: event.invites.map(inviteView) };
      case "status":
        return { event: "status", ref: event.ref, ...this.#status(now) };
      case "error":
        return errorEvent(event);
      case "shared":
        return sharedFields(event);
      case "received":
        return receivedFields(event);
      case "ended":
        return endedFields(event);
    }
  }

  #presence(): Fields {
    const tunnel = this.#tunnel;
    return tunnel === undefined ? {} : { status: statusOf(tunnel), members: memberViews(tunnel) };
  }

  #status(now: number): Fields {
    const tunnel = this.#tunnel;
    if (tunnel === undefined) return {};
    const common = {
      role: tunnel.role,
      ...this.#presence(),
      lastSeq: tunnel.inbox.lastSeq,
      ...filesView(tunnel),
      alarms: tunnel.alarms.map(errorFields),
    };
    if (tunnel.role === "member") {
      const link = linkView(tunnel.link, now - tunnel.lastHeard, now);
      return { ...common, ...link, queued: tunnel.unplaced, safetyCode: tunnel.safetyCode };
    }
    const paired = tunnel.presence().filter(({ safetyCode }) => safetyCode !== undefined);
    return {
      ...common,
      ...healthView(tunnel.health, now),
      pendingInvites: tunnel.pendingInvites().map(pendingView),
      idleEndsInSec: Math.max(0, Math.round((tunnel.idleAt - now) / 1000)),
      safetyCodes: paired.map(({ name, safetyCode }) => ({ name, safetyCode })),
    };
  }
}

export function errorFields({ code, message, retryable }: TunnelError): Fields {
  return { code, message, next: nextStep(code), retryable };
}

function errorEvent({ ref, line, file, error }: Extract<ChatEvent, { type: "error" }>): Fields {
  return { event: "error", ref, line, file, ...errorFields(error) };
}

function endedFields({ end, undelivered }: Extract<ChatEvent, { type: "ended" }>): Fields {
  const error = end.cause === "failed" ? errorFields(end.error) : undefined;
  return { event: "ended", cause: end.cause, error, undelivered };
}

function described(tunnel: OpenTunnel): Fields {
  const self = tunnel.presence().find(({ isSelf }) => isSelf);
  return {
    tunnelId: tunnel.tunnelId,
    goal: tunnel.goal,
    self: { id: tunnel.self, name: self?.name },
    history: tunnel.history,
    members: memberViews(tunnel),
  };
}

function entryFields(entry: Entry | NoticeEntry, now: number): Fields {
  const common = { seq: entry.seq, ts: new Date(entry.ts).toISOString() };
  switch (entry.kind) {
    case "chat": {
      const { from, fromName, text, intent, replyTo, to, past } = entry;
      return { event: "message", ...common, from, fromName, text, intent, replyTo, to, beforeYou: past };
    }
    case "file": {
      const { from, fromName, intent, replyTo, to, past, offer } = entry;
      const file = { ...fileView(offer), note: offer.note };
      return { event: "file", ...common, from, fromName, ...file, intent, replyTo, to, beforeYou: past };
    }
    case "system": {
      const member = "member" in entry ? { member: entry.member, memberName: entry.name } : {};
      const cause = "cause" in entry ? { cause: entry.cause } : {};
      const ends = "endsInMs" in entry ? { endsInSec: Math.round(entry.endsInMs / 1000) } : {};
      return {
        event: "system",
        what: entry.event,
        ...common,
        ...member,
        ...cause,
        ...ends,
        beforeYou: entry.past,
      };
    }
    case "notice":
      return { event: "notice", what: entry.notice, ...common, ...noticeFields(entry, now) };
  }
}

function noticeFields(entry: NoticeEntry, now: number): Fields {
  switch (entry.notice) {
    case "alarm":
      return { error: errorFields(entry.error), memberName: entry.member };
    case "address-lost":
      return { error: errorFields(entry.error) };
    case "address-restored":
      return {};
    case "file-received":
      return { file: entry.file };
    case "file-failed":
      return { file: entry.file, error: errorFields(entry.error) };
    case "invites-reissued": {
      const fresh = entry.invites.filter(({ expiresAt }) => expiresAt > now);
      return {
        invites: fresh.map(({ replaces, expiresAt, ...invite }) => ({
          replaces,
          ...inviteView({ ...invite, expiresInMs: expiresAt - now }),
        })),
      };
    }
  }
}
