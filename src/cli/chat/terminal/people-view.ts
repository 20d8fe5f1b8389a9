import { inviteText } from "../../../view/invites.ts";
import type { Presence } from "../../../protocol/room/participant.ts";
import type { SpokenEntry, Entry, SystemEntry } from "../../../protocol/room/log.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { NoticeEntry } from "../../../session/notice.ts";
import type { OpenTunnel } from "../../../session/sessions.ts";
import type { Paint } from "../../io/output.ts";
import type { ChatEvent } from "../conversation/events.ts";
import { offerText, receivedLines, sharedText, transferText } from "./file-lines.ts";
import { historyLine, safetyLines, statusLines, whoLines } from "./overview.ts";
import { safeLabel, safeText, withGutter } from "./safe-text.ts";
import { duration, endText, errorText, systemText } from "./wording.ts";

export interface PeopleViewOptions {
  readonly clock: Clock;
  readonly paint: Paint;
  /** Width of the terminal, or undefined where there is none. */
  readonly columns: () => number | undefined;
  readonly print: (text: string) => void;
  /** What is true at this moment only: one line, which the next one replaces. */
  readonly status: (text: string | undefined) => void;
}

/** How a chat looks to a person: every event as lines of text, safe for a terminal. */
export class PeopleView {
  readonly #options: PeopleViewOptions;
  #tunnel: OpenTunnel | undefined;

  constructor(options: PeopleViewOptions) {
    this.#options = options;
  }

  show(event: ChatEvent): void {
    const text = event.type === "transfers" ? this.#transfers(event) : this.#textOf(event);
    if (text !== undefined) this.#options.print(text);
  }

  #textOf(event: Exclude<ChatEvent, { type: "transfers" }>): string | undefined {
    const { paint } = this.#options;
    switch (event.type) {
      case "progress":
        return paint.dim(`… ${safeLabel(event.progress.message)}`);
      case "opened":
      case "joined":
        return this.#begun(event);
      case "entry":
        return this.#entry(event.entry);
      case "presence":
        return this.#presence(event.before, event.now);
      case "gap":
      case "read":
      case "sent":
      case "queued":
        return this.#delivery(event);
      case "invites":
        return event.invites.map((invite) => this.#invite(invite)).join("\n\n");
      case "status":
        return this.#status();
      case "error":
        return this.#error(event);
      case "shared":
      case "received":
        return this.#file(event);
      case "ended":
        return this.#ended(event);
    }
  }

  #begun(event: Extract<ChatEvent, { type: "opened" | "joined" }>): string {
    this.#tunnel = event.tunnel;
    const invites = event.type === "opened" ? event.invites : [];
    return [...invites.map((invite) => this.#invite(invite)), this.#intro(event.tunnel)].join("\n\n");
  }

  #delivery(event: Extract<ChatEvent, { type: "gap" | "read" | "sent" | "queued" }>): string | undefined {
    if (event.type === "gap")
      return this.#note(`What was said from ${event.fromSeq} to ${event.toSeq} is no longer kept.`);
    if (event.type === "read") return this.#note(`${safeLabel(event.name)} has read it`);
    if (event.type === "queued") return this.#note(`Not delivered yet: ${event.reason}`);
    return event.late ? this.#note("What waited has been delivered") : undefined;
  }

  #file(event: Extract<ChatEvent, { type: "shared" | "received" }>): string {
    if (event.type === "shared") return this.#note(sharedText(event.offer));
    return `${this.#time(this.#options.clock.now())} * ${receivedLines(event).join("\n")}`;
  }

  /** Nothing of it is printed. */
  #transfers({ running }: Extract<ChatEvent, { type: "transfers" }>): undefined {
    this.#options.status(running.length === 0 ? undefined : running.map(transferText).join(" | "));
  }

  #error({ error, file }: Extract<ChatEvent, { type: "error" }>): string {
    const { paint } = this.#options;
    // The detail of an error can be what somebody typed or pasted.
    const text = safeText(errorText(error));
    if (file === undefined) return paint.red(text);
    const head = `${safeLabel(file.name)} has not been received, and nothing of it was kept`;
    return error.code === "cancelled" ? `${head}.` : paint.red(`${head}: ${text}`);
  }

  #note(text: string): string {
    return this.#options.paint.dim(`${this.#time(this.#options.clock.now())} * ${text}`);
  }

  #time(ts: number): string {
    const date = new Date(ts);
    return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
  }

  #invite({ joinLink, expiresInMs }: { joinLink: string; expiresInMs: number }): string {
    const { paint } = this.#options;
    const rule = paint.dim("----");
    return [
      paint.bold("Pass this on to one person:"),
      rule,
      inviteText(joinLink, expiresInMs / 1000),
      rule,
    ].join("\n");
  }

  #intro(tunnel: OpenTunnel): string {
    const { paint } = this.#options;
    const goal = `Goal: ${safeLabel(tunnel.goal)}`;
    if (tunnel.role === "host") {
      const waits = "The tunnel is open. You are told when somebody joins.";
      return [paint.bold(goal), historyLine(tunnel), waits, paint.dim("/help lists the commands.")].join(
        "\n",
      );
    }
    return [
      paint.bold(`You have joined as ${safeLabel(tunnel.name)}.`),
      // It comes from the other side, and is the first thing that somebody reads here.
      `${goal} ${paint.dim("(in the host's words)")}`,
      ...whoLines(tunnel),
      historyLine(tunnel),
      ...safetyLines(tunnel),
      paint.dim("If the host sees the same code, nobody sits between you. /help lists the commands."),
    ].join("\n");
  }

  #status(): string | undefined {
    const { clock } = this.#options;
    return this.#tunnel === undefined ? undefined : statusLines(this.#tunnel, clock.now()).join("\n");
  }

  #entry(entry: Entry | NoticeEntry): string | undefined {
    switch (entry.kind) {
      case "chat":
        return this.#said(entry, entry.text);
      case "file":
        return this.#said(entry, offerText(entry.offer, this.#tunnel));
      case "system":
        // That it is over is told once, with the last line.
        return entry.event === "ended" ? undefined : this.#system(entry);
      case "notice":
        return this.#notice(entry);
    }
  }

  #said({ ts, from, fromName, to, intent, past }: SpokenEntry, text: string): string {
    const { paint, columns } = this.#options;
    const marks = [
      ...(past === true ? ["before you came"] : []),
      ...(intent === undefined ? [] : [intent]),
      ...(to === undefined ? [] : [`for ${to.map(safeLabel).join(", ")} alone`]),
    ];
    const about = marks.length === 0 ? "" : ` ${paint.dim(`(${marks.join("; ")})`)}`;
    const head = `${paint.dim(this.#time(ts))} ${colorOf(from, paint)(safeLabel(fromName))}${about}: `;
    return withGutter(head, safeText(text), columns());
  }

  #system(entry: SystemEntry): string {
    const { paint } = this.#options;
    const name = "name" in entry ? safeLabel(entry.name) : "";
    const line = `${this.#time(entry.ts)} * ${systemText(entry, name)}`;
    if (entry.event === "idle-warning") return paint.yellow(line);
    const tunnel = this.#tunnel;
    const isMet = entry.event === "joined" && entry.past !== true && tunnel?.role === "host";
    if (!isMet) return paint.dim(line);
    const code = tunnel.presence().find(({ id }) => id === entry.member)?.safetyCode;
    return code === undefined ? paint.dim(line) : `${paint.dim(line)}\n  Safety code with ${name}: ${code}`;
  }

  #notice(entry: NoticeEntry): string {
    const { paint, clock } = this.#options;
    const at = this.#time(entry.ts);
    switch (entry.notice) {
      case "alarm": {
        const whom = entry.member === undefined ? "" : ` (it concerns ${safeLabel(entry.member)})`;
        return paint.red(`${at} ! ${safeText(errorText(entry.error))}${whom}`);
      }
      case "address-lost":
        return paint.yellow(
          `${at} ! The public address is lost, and a new one is being opened; nothing said is lost.\n  ${safeText(entry.error.message)} (${entry.error.code})`,
        );
      case "address-restored":
        return paint.yellow(
          `${at} * There is a public address again. Whoever does not come back by itself needs a fresh link (/invite).`,
        );
      case "file-received":
        return `${at} * ${safeText(entry.file.name)} has arrived: ${safeText(entry.file.target)}`;
      case "file-failed":
        return paint.red(
          `${at} ! ${safeText(entry.file.name)} could not be received. ${safeText(errorText(entry.error))}`,
        );
      case "invites-reissued": {
        const now = clock.now();
        const fresh = entry.invites.filter(({ expiresAt }) => expiresAt > now);
        const texts = fresh.map(({ joinLink, expiresAt }) =>
          this.#invite({ joinLink, expiresInMs: expiresAt - now }),
        );
        return [
          paint.yellow(`${at} ! Links that nobody had used yet do not work any more: pass these on instead.`),
          ...texts,
        ].join("\n");
      }
    }
  }

  /** Who has come or gone for good is told by the room; here it is about connections alone. */
  #presence(before: readonly Presence[], now: readonly Presence[]): string | undefined {
    const lines = now.flatMap((member) => {
      const known = before.find(({ id }) => id === member.id);
      if (known === undefined || known.connected === member.connected) return [];
      return [member.isSelf ? this.#own(member.connected) : this.#other(member)];
    });
    // Whoever is cut off knows nothing of the others.
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

  #other({ name, connected, lastSeenMs }: Presence): string {
    const who = safeLabel(name);
    return connected ? `${who} is back` : `${who} is not connected, last seen ${duration(lastSeenMs)} ago`;
  }

  #ended({ end, undelivered }: Extract<ChatEvent, { type: "ended" }>): string {
    const { paint } = this.#options;
    const lost = `${undelivered} of your messages may not have been delivered.`;
    const text = safeText(endText(end, this.#tunnel?.role ?? "member"));
    return [
      end.cause === "failed" ? paint.red(text) : text,
      ...(undelivered > 0 ? [paint.yellow(lost)] : []),
    ].join("\n");
  }
}

/** The same member has the same colour for as long as it is there. */
function colorOf(id: string, paint: Paint): (text: string) => string {
  const colors = [paint.green, paint.blue, paint.magenta, paint.cyan, paint.yellow] as const;
  const sum = Array.from(id).reduce((total, char) => total + (char.codePointAt(0) ?? 0), 0);
  return colors[sum % colors.length] ?? paint.blue;
}
