import type { HeldView } from "../../../view/held.ts";
import { must } from "../../../errors/must.ts";
import { stepsWhileOpen } from "../../../errors/tunnel-error.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type {
  EntryView,
  NoticeEventView,
  NoticeView,
  SpokenView,
  SystemView,
} from "../../../view/entries.ts";
import type { ErrorView } from "../../../view/errors.ts";
import type { WayBackView } from "../../../view/invites.ts";
import type { MemberView } from "../../../view/members.ts";
import { removedText } from "../../../view/words/removed.ts";
import type { StatusView } from "../../../view/status.ts";
import { resumeCommand } from "../../../view/words/kept.ts";
import type { Paint } from "../../io/output.ts";
import { wrapWords } from "../../io/wrap.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { offerText, receivedLines, sharedText, transferText } from "./file-lines.ts";
import { offeredText, serviceLines, withdrawnText } from "./service-lines.ts";
import { historyLine, safetyLines, statusLines, whoLines } from "./overview.ts";
import { safeGoal, safeLabel, safeName, safeText, withGutter } from "./safe-text.ts";
import { statementText } from "../../../view/signing/text.ts";
import { duration, systemText } from "../../../view/words/system-text.ts";
import { signHint } from "./signing.ts";
import { endText, errorText } from "./wording.ts";

interface PeopleViewOptions {
  readonly clock: Clock;
  readonly paint: Paint;
  /** Width of the terminal, or undefined where there is none. */
  readonly columns: () => number | undefined;
  readonly print: (text: string) => void;
  /** Shows one line that holds for this moment only; the next one replaces it. */
  readonly status: (text: string | undefined) => void;
}

type FileNotice = Extract<
  NoticeEventView,
  { notice: "file-offered" | "file-held" | "file-not-offered" | "file-received" | "file-failed" }
>;
type OversightNotice = Extract<
  NoticeEventView,
  { notice: "decided" | "withheld" | "budget-warning" | "resumed" }
>;

type DeliveryEvent = Extract<ChatEvent, { type: "gap" | "read" | "sent" | "queued" | "held" }>;
type ServiceEvent = Extract<ChatEvent, { type: "offered" | "asked" | "connected" | "stopped" | "services" }>;

/** Shows a chat to a person: every event as lines of text, safe for a terminal. */
export class PeopleView {
  readonly #options: PeopleViewOptions;

  constructor(options: PeopleViewOptions) {
    this.#options = options;
  }

  show(event: ChatEvent): void {
    const text = event.type === "transfers" ? this.#transfers(event) : this.#textOf(event);
    if (text === undefined) return;
    this.#options.print(isToBeCopied(event) ? text : this.#wrap(text));
  }

  #textOf(event: Exclude<ChatEvent, { type: "transfers" }>): string | undefined {
    const { paint } = this.#options;
    switch (event.type) {
      case "progress":
        return paint.dim(`… ${safeLabel(event.progress.message)}`);
      case "opened":
      case "joined":
        return this.#begun(event);
      case "resumed":
        return this.#resumed(event);
      case "kept":
        return this.#note(
          `This tunnel is kept for ${duration(event.keptForSec * 1_000)}. To go on with it, in this folder:\n  ${resumeCommand(event)}`,
        );
      case "entry":
        return this.#entry(event);
      case "presence":
        return this.#presence(event);
      case "invites":
        return event.invites.map(({ invite }) => this.#invite(invite)).join("\n\n");
      case "status":
        return statusLines(event.status).join("\n");
      case "error":
        return this.#error(event);
      case "shared":
      case "received":
        return this.#file(event);
      case "ended":
        return this.#ended(event);
      default:
        return this.#delivery(event);
    }
  }

  #wrap(text: string): string {
    return wrapWords(text, this.#options.columns());
  }

  #begun(event: Extract<ChatEvent, { type: "opened" | "joined" }>): string {
    const invites = event.type === "opened" ? event.invites : [];
    const intro = this.#wrap(this.#intro(event.status));
    return [...invites.map(({ invite }) => this.#invite(invite)), intro].join("\n\n");
  }

  #resumed({ status, last }: Extract<ChatEvent, { type: "resumed" }>): string {
    const { paint } = this.#options;
    const others = status.members.filter(({ isSelf }) => !isSelf);
    const isCutOff = status.role === "member" && status.status === "reconnecting";
    const intro = [
      paint.bold(`You are back in the tunnel as ${safeName(status.self.name ?? "")}.`),
      `Goal: ${safeGoal(status.goal)}`,
      `With ${others.map(({ name }) => safeName(name)).join(", ") || "nobody yet"}`,
      ...safetyLines(status.safetyCodes),
      ...(isCutOff ? [paint.yellow("The host does not answer yet: what you say waits for it.")] : []),
      paint.dim(last.length === 0 ? "/help lists the commands." : "What you had seen last:"),
    ].join("\n");
    const said = last.flatMap(
      (entry) => this.#entry({ type: "entry", entry, isOwn: isBy(entry, status) }) ?? [],
    );
    return [this.#wrap(intro), ...said].join("\n");
  }

  #delivery(event: DeliveryEvent | ServiceEvent): string | undefined {
    if (isService(event)) return this.#service(event);
    if (event.type === "held") return this.#note(heldText(event.held));
    if (event.type === "gap")
      return this.#note(`What was said from ${event.fromSeq} to ${event.toSeq} is no longer kept.`);
    if (event.type === "read") return this.#note(`${safeName(event.name)} has read it`);
    const removed = removedText(event.removed);
    const without = removed === undefined ? "" : ` (sent without its colours: removed ${removed})`;
    if (event.type === "queued") return this.#note(`Not delivered yet: ${event.reason}${without}`);
    if (event.late) return this.#note("What waited has been delivered");
    return removed === undefined ? undefined : this.#note(`Sent without its colours: removed ${removed}`);
  }

  #file(event: Extract<ChatEvent, { type: "shared" | "received" }>): string {
    if (event.type === "shared") return this.#note(sharedText(event.offer));
    return `${this.#time(this.#options.clock.now())} * ${receivedLines(event).join("\n")}`;
  }

  #service(event: ServiceEvent): string | undefined {
    // A person types /services, which prints.
    if (event.type === "services") return undefined;
    const text = serviceLines(event).join("\n");
    return event.type === "connected"
      ? `${this.#time(this.#options.clock.now())} * ${text}`
      : this.#note(text);
  }

  /** Prints nothing: progress has a line of its own. */
  #transfers({ running }: Extract<ChatEvent, { type: "transfers" }>): undefined {
    this.#options.status(running.length === 0 ? undefined : running.map(transferText).join(" | "));
  }

  #error({ error, file }: Extract<ChatEvent, { type: "error" }>): string {
    const { paint } = this.#options;
    // The detail of an error may hold typed or pasted text.
    const text = safeText(errorText(error));
    if (file === undefined) return paint.red(text);
    const head = `${safeName(file.name)} has not been received, and nothing of it was kept`;
    return error.code === "cancelled" ? `${head}.` : paint.red(`${head}: ${text}`);
  }

  #note(text: string): string {
    return this.#options.paint.dim(`${this.#time(this.#options.clock.now())} * ${text}`);
  }

  #time(ts: number | string): string {
    const date = new Date(ts);
    return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
  }

  #invite(invite: string): string {
    const { paint } = this.#options;
    const rule = paint.dim("----");
    return [paint.bold("Pass this on to one person:"), rule, invite, rule].join("\n");
  }

  #wayBack({ memberName, joinLink }: WayBackView): string {
    const name = safeLabel(memberName);
    const what = `${name} cannot come back without this link, which is a secret. Pass it on to ${name} alone:`;
    return [this.#options.paint.bold(what), joinLink].join("\n");
  }

  #intro(status: StatusView): string {
    const { paint } = this.#options;
    const goal = `Goal: ${safeGoal(status.goal)}`;
    if (status.role === "host") {
      const waits = "The tunnel is open. You are told when somebody joins.";
      const help = paint.dim("/help lists the commands.");
      return [paint.bold(goal), historyLine(status.history), waits, help].join("\n");
    }
    return [
      paint.bold(`You have joined as ${safeName(status.self.name ?? "")}.`),
      // It comes from the other side, and is the first thing that a person reads here.
      `${goal} ${paint.dim("(in the host's words)")}`,
      ...whoLines(status.members, status.lastSeq),
      historyLine(status.history),
      ...safetyLines(status.safetyCodes),
      paint.dim("If the host sees the same code, nobody sits between you. /help lists the commands."),
    ].join("\n");
  }

  #entry({
    entry,
    safetyCode,
    shortId,
    fileNumber,
    service,
    isOwn,
  }: Extract<ChatEvent, { type: "entry" }>): string | undefined {
    switch (entry.kind) {
      case "chat":
        return this.#said(entry, entry.text, isOwn);
      case "file":
        return this.#said(entry, offerText(entry, shortId ?? entry.file.fileId, fileNumber));
      case "service":
        return this.#said(entry, offeredText(entry, service?.number ?? 0));
      case "withdrawal":
        return this.#said(entry, withdrawnText(service?.name, entry.serviceId));
      case "proposal": {
        const { outcome, words } = entry;
        return this.#said(entry, `proposes that it is done:\n${outcome}\n${signHint(words)}`);
      }
      case "statement": {
        const why = entry.reason === undefined ? "" : `\n${entry.reason}`;
        return this.#said(entry, `${statementText(entry)}${why}`);
      }
      case "system":
        // The last line of a chat tells that it is over.
        return entry.event.event === "ended" ? undefined : this.#system(entry, safetyCode);
      case "notice":
        return this.#notice(entry);
    }
  }

  #said(entry: SpokenView, text: string, isOwn = false): string {
    const { ts, from, to, author, intent, beforeYou } = entry;
    const { paint, columns } = this.#options;
    const marks = [
      ...(isOwn ? ["you"] : author === "human" ? ["human, says their program"] : []),
      ...(beforeYou === true ? ["before you came"] : []),
      ...(intent === undefined ? [] : [intent]),
      ...(to === undefined ? [] : [`for ${to.map(safeName).join(", ")} alone`]),
    ];
    const about = marks.length === 0 ? "" : ` ${paint.dim(`(${marks.join("; ")})`)}`;
    const head = `${paint.dim(this.#time(ts))} ${colorOf(from, paint)(nameOf(entry.fromName, from, entry.lookAlike))}${about}: `;
    return withGutter(head, safeText(text), columns());
  }

  #system({ ts, event }: SystemView, safetyCode: string | undefined): string {
    const { paint } = this.#options;
    const name = "memberName" in event ? nameOf(event.memberName, event.member, event.lookAlike) : "";
    const line = `${this.#time(ts)} * ${systemText(event, name)}`;
    // It is to be noticed that somebody reads along.
    const isObserver = event.event === "joined" && event.role !== undefined;
    const shown = event.event === "idle-warning" || isObserver ? paint.yellow(line) : paint.dim(line);
    return safetyCode === undefined ? shown : `${shown}\n  Safety code with ${name}: ${safetyCode}`;
  }

  #notice({ ts, event }: NoticeView): string {
    const { paint } = this.#options;
    const at = this.#time(ts);
    switch (event.notice) {
      case "alarm": {
        const { error, memberName } = event;
        const whom = memberName === undefined ? "" : ` (it concerns ${safeName(memberName)})`;
        return paint.red(`${at} ! ${safeText(errorText(error))}${whom}`);
      }
      case "address-lost":
        return paint.yellow(
          `${at} ! The public address is lost. ${problemText(event.error)}\n  ${stepsWhileOpen(event.error.code).nextForPerson}`,
        );
      case "address-restored":
        return [
          paint.yellow(`${at} * There is a public address again.`),
          ...(event.invites ?? []).map((invite) => this.#wayBack(invite)),
        ].join("\n");
      case "invites-reissued":
        return [
          this.#wrap(
            paint.yellow(
              `${at} ! Links that nobody had used yet do not work any more: pass these on instead.`,
            ),
          ),
          ...event.invites.map(({ invite }) => this.#invite(invite)),
        ].join("\n");
      case "decided":
      case "withheld":
      case "budget-warning":
      case "resumed":
        return this.#oversightNotice(at, event);
      case "undelivered":
        return this.#undelivered(at, event);
      case "member-missed": {
        const { memberName, count, seqs } = event;
        const places = count > seqs.length ? `${seqs.join(", ")}, …` : seqs.join(", ");
        return paint.yellow(
          `${at} ! ${safeLabel(memberName)} has never acknowledged ${count} of your messages (${places}).`,
        );
      }
      case "service-over":
        return paint.yellow(
          `${at} ! The service ${safeName(event.name)} is not here any more: ${SERVICE_OVER[event.why]}.`,
        );
      default:
        return this.#fileNotice(at, event);
    }
  }

  #fileNotice(at: string, event: FileNotice): string {
    const { paint } = this.#options;
    switch (event.notice) {
      case "file-offered":
        return `${at} * ${safeName(event.file.name)} is offered.`;
      case "file-held":
        return paint.yellow(`${at} * ${safeName(event.file.name)} is not offered yet: it waits for you.`);
      case "file-not-offered":
        return paint.red(`${at} ! A file could not be offered. ${safeText(errorText(event.error))}`);
      case "file-received":
        return `${at} * ${safeName(event.file.name)} has arrived: ${safeLabel(event.file.savePath)}`;
      case "file-failed":
        return paint.red(
          `${at} ! ${safeName(event.file.name)} could not be received. ${safeText(errorText(event.error))}`,
        );
    }
  }

  #oversightNotice(at: string, event: OversightNotice): string {
    const { paint } = this.#options;
    switch (event.notice) {
      case "decided":
        return paint.yellow(`${at} * ${decidedText(event)}`);
      case "withheld":
        return paint.dim(`${at} * Message ${event.place} of ${safeLabel(event.memberName)} was kept back`);
      case "budget-warning":
        return paint.yellow(`${at} ! Four fifths of a budget are used: ${event.budgets.join(", ")}`);
      case "resumed":
        return paint.dim(`${at} * The pause is over`);
    }
  }

  #undelivered(at: string, event: Extract<NoticeEventView, { notice: "undelivered" }>): string {
    const { paint } = this.#options;
    const { count, messages } = event;
    const lines = messages.map(({ text, file }) => `  ${safeLabel(text ?? file ?? "a file")}`);
    return [
      paint.yellow(
        `${at} ! The host has not acknowledged ${count} of your messages, which most likely never arrived:`,
      ),
      ...lines,
      ...(count > messages.length ? [`  … and ${count - messages.length} more`] : []),
    ].join("\n");
  }

  /** Tells of connections alone: the room itself tells who has come or gone for good. */
  #presence({
    before,
    now,
    hostAwayKeptForSec: keptForSec,
  }: Extract<ChatEvent, { type: "presence" }>): string | undefined {
    if (keptForSec !== undefined)
      return this.#note(
        `The host is away: its program has ended. It keeps the tunnel for another ${duration(keptForSec * 1_000)}, and what you say waits for it`,
      );
    const lines = now.flatMap((member) => {
      const known = before.find(({ id }) => id === member.id);
      if (known === undefined || known.connected === member.connected) return [];
      return [member.isSelf ? this.#own(member.connected) : this.#other(member)];
    });
    // A side that is cut off knows nothing of the others.
    const self = now.find(({ isSelf }) => isSelf);
    const own = before.find(({ isSelf }) => isSelf);
    const isOwnCut = self !== undefined && own !== undefined && self.connected !== own.connected;
    const told = isOwnCut ? [this.#own(self.connected)] : lines;
    return told.length === 0 ? undefined : told.map((line) => this.#note(line)).join("\n");
  }

  #own(connected: boolean): string {
    return connected
      ? "The connection is back"
      : "The connection to the host is down and is being restored; what you say waits";
  }

  #other({ name, connected, lastSeenSec }: MemberView): string {
    const who = safeName(name);
    return connected
      ? `${who} is back`
      : `${who} is not connected, last seen ${duration(lastSeenSec * 1_000)} ago`;
  }

  #ended({ role, end, undelivered }: Extract<ChatEvent, { type: "ended" }>): string {
    const { paint } = this.#options;
    const lost = `${undelivered} of your messages may not have been delivered.`;
    const text = safeText(endText(end, role));
    return [
      end.cause === "failed" ? paint.red(text) : text,
      ...(undelivered > 0 ? [paint.yellow(lost)] : []),
    ].join("\n");
  }
}

/** Whether this side has said it. */
function isBy(entry: EntryView, { self }: Pick<StatusView, "self">): boolean {
  return "from" in entry && entry.from === self.id;
}

function heldText({ askId, reason }: HeldView): string {
  const how = askId === undefined ? "" : ` Type /approve ${askId} or /refuse ${askId}.`;
  return `Not sent yet: ${reason}.${how}`;
}

function decidedText({
  askId,
  outcome,
  status,
  error,
}: Extract<NoticeEventView, { notice: "decided" }>): string {
  const what = askId === undefined ? "What waited" : `What ${askId} asked about`;
  if (error !== undefined) return `${what} could not be sent: ${problemText(error)}`;
  return status === undefined ? `${what} was not sent (${outcome})` : `${what} has been sent`;
}

function isService(event: DeliveryEvent | ServiceEvent): event is ServiceEvent {
  return ["offered", "asked", "connected", "stopped", "services"].includes(event.type);
}

/** Whether it holds an invite, which is passed on as it is. */
function isToBeCopied(event: ChatEvent): boolean {
  if (event.type === "entry")
    return event.entry.kind === "notice" && event.entry.event.notice === "invites-reissued";
  return (
    event.type === "opened" ||
    event.type === "connected" ||
    event.type === "joined" ||
    event.type === "resumed" ||
    event.type === "invites"
  );
}

function problemText({ message, code }: ErrorView): string {
  return `${safeText(message)} (${code})`;
}

/** A member keeps its colour for its whole stay. */
function colorOf(id: string, paint: Paint): (text: string) => string {
  const colors = [paint.green, paint.blue, paint.magenta, paint.cyan, paint.yellow] as const;
  const sum = Array.from(id).reduce((total, char) => total + char.charCodeAt(0), 0);
  return must(colors[sum % colors.length], "the color of a member");
}

/** A name that looks like another one of the room comes with the id, which nobody else can have. */
function nameOf(name: string, id: string, lookAlike: true | undefined): string {
  return lookAlike === true ? `${safeName(name)} [${id}]` : safeName(name);
}

const SERVICE_OVER = {
  withdrawn: "its owner has withdrawn it",
  expired: "its time is over",
  "owner-left": "its owner has left",
  denied: "its owner's human does not let you connect",
  restarted: "the server that had it has ended",
} as const;
