import { nextForPerson, stepsWhileOpen } from "../../../errors/tunnel-error.ts";
import type { EntryView, NoticeEventView, SystemEventView } from "../../../view/entries.ts";
import { errorView, type ErrorView } from "../../../view/errors.ts";
import { recentFiles } from "../../../view/files.ts";
import type { HealthView } from "../../../view/health.ts";
import { removedText } from "../../../view/words/removed.ts";
import type { StatusView } from "../../../view/status.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { safeJson } from "../terminal/safe-text.ts";
import { progressFields, receivedFields, sharedFields } from "./files.ts";
import { serviceFields, type ServiceEvent } from "./services.ts";

type Fields = Readonly<Record<string, unknown>>;

/** An event as programs get it: JSON objects, one a line. docs/CLI.md lists them. */
export function jsonLines(event: ChatEvent): string[] {
  const objects = event.type === "transfers" ? event.running.map(progressFields) : [fieldsOf(event)];
  return objects.map(safeJson);
}

function fieldsOf(event: Exclude<ChatEvent, { type: "transfers" }>): Fields {
  switch (event.type) {
    case "progress":
      return { event: "progress", ...event.progress };
    case "opened":
      return {
        event: "opened",
        ...tunnelFields(event.status),
        invites: event.invites,
        removed: removedText(event.removed),
      };
    case "joined":
      return { event: "joined", ...tunnelFields(event.status), safetyCode: event.status.safetyCode };
    case "resumed":
      return {
        event: "resumed",
        ...tunnelFields(event.status),
        ...statusFields(event.status),
        unread: event.status.unread,
        last: event.last.map(entryFields),
      };
    case "kept":
      return { event: "kept", tunnelId: event.tunnelId, keptForSec: event.keptForSec };
    case "entry":
      return entryFields(event.entry);
    case "presence": {
      const { status, now: members, hostAwayKeptForSec } = event;
      return { event: "presence", status, members, hostAwayKeptForSec };
    }
    case "invites":
      return { event: "invites", ref: event.ref, invites: event.invites };
    case "status":
      return { event: "status", ref: event.ref, ...statusFields(event.status) };
    case "error": {
      const { ref, line, file, error } = event;
      return { event: "error", ref, line, file, ...errorFields(errorView(error)) };
    }
    case "shared":
      return sharedFields(event);
    case "received":
      return receivedFields(event);
    case "ended":
      return endedFields(event);
    default:
      return deliveryFields(event);
  }
}

type DeliveryEvent = Extract<ChatEvent, { type: "gap" | "read" | "sent" | "queued" | "held" }>;

function deliveryFields(event: DeliveryEvent | ServiceEvent): Fields {
  switch (event.type) {
    case "gap":
      return { event: "gap", fromSeq: event.fromSeq, toSeq: event.toSeq };
    case "read":
      return { event: "read", byName: event.name, seq: event.seq };
    case "sent":
      return { event: "sent", ref: event.ref, seq: event.seq, removed: removedText(event.removed) };
    case "queued":
      return {
        event: "queued",
        ref: event.ref,
        seq: event.seq,
        reason: event.reason,
        removed: removedText(event.removed),
      };
    case "held": {
      const { status: _status, ...held } = event.held;
      return { event: "held", ref: event.ref, ...held };
    }
    default:
      return serviceFields(event);
  }
}

function endedFields({ end, undelivered }: Extract<ChatEvent, { type: "ended" }>): Fields {
  const error = end.cause === "failed" ? errorFields(errorView(end.error)) : undefined;
  return { event: "ended", cause: end.cause, error, undelivered };
}

function tunnelFields({ tunnelId, goal, self, history, members }: StatusView): Fields {
  return { tunnelId, goal, self, history, members };
}

function statusFields(view: StatusView): Fields {
  const { role, status, members, lastSeq, files, oversight, alarms, safetyCodes } = view;
  const common = {
    role,
    status,
    members,
    lastSeq,
    files: recentFiles(files),
    oversight,
    alarms: alarms.map(errorFields),
  };
  if (view.role === "member") {
    const { connection, queued, safetyCode } = view;
    return { ...common, ...connection, queued, safetyCode };
  }
  const { health, pendingInvites, cutOff, idleEndsInSec } = view;
  return { ...common, ...healthFields(health), pendingInvites, cutOff, idleEndsInSec, safetyCodes };
}

/** A program acts for a person at a command line, so it gets that person's next step. */
export function errorFields({ code, message, retryable }: Omit<ErrorView, "next">): ErrorView {
  return { code, message, next: nextForPerson(code), retryable };
}

/** The same for the address of an open tunnel. */
function addressErrorFields(error: ErrorView): ErrorView {
  return { ...error, next: stepsWhileOpen(error.code).nextForPerson };
}

function healthFields({ transportProblem, standby, ...health }: HealthView): Fields {
  return {
    ...health,
    transportProblem: transportProblem && withOwnSteps(transportProblem),
    standby: withOwnSteps(standby),
  };
}

function withOwnSteps(problem: object): Fields {
  return hasError(problem) ? { ...problem, error: addressErrorFields(problem.error) } : { ...problem };
}

function hasError(problem: object): problem is { readonly error: ErrorView } {
  return "error" in problem;
}

function entryFields(entry: EntryView): Fields {
  switch (entry.kind) {
    case "chat": {
      const { kind: _kind, ...fields } = entry;
      return { event: "message", ...fields };
    }
    case "file": {
      const { kind: _kind, file, ...fields } = entry;
      return { event: "file", ...fields, ...file };
    }
    case "service": {
      const { kind: _kind, service, ...fields } = entry;
      return { event: "service", ...fields, ...service };
    }
    case "withdrawal": {
      const { kind: _kind, ...fields } = entry;
      return { event: "withdrawal", ...fields };
    }
    case "proposal": {
      const { kind: _kind, ...fields } = entry;
      return { event: "proposal", ...fields };
    }
    case "statement": {
      const { kind: _kind, ...fields } = entry;
      return { event: "statement", ...fields };
    }
    case "system": {
      const { seq, ts, beforeYou } = entry;
      return { event: "system", seq, ts, ...systemFields(entry.event), beforeYou };
    }
    case "notice": {
      const { seq, ts } = entry;
      return { event: "notice", seq, ts, ...noticeFields(entry.event) };
    }
  }
}

function systemFields({ event, ...fields }: SystemEventView): Fields {
  if (!("workContext" in fields)) return { what: event, ...fields };
  const { workContext: _workContext, ...others } = fields;
  return { what: event, ...others };
}

function noticeFields({ notice, ...fields }: NoticeEventView): Fields {
  if (!("error" in fields)) return { what: notice, ...fields };
  const fieldsOf = notice === "address-lost" ? addressErrorFields : errorFields;
  return { what: notice, ...fields, error: fields.error && fieldsOf(fields.error) };
}
