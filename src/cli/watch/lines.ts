import type { Subject } from "../../oversight/asks/subject.ts";
import type { Finding } from "../../oversight/filter/verdict.ts";
import type { ServiceEntryView, SpokenView, WithdrawalView } from "../../view/entries.ts";
import { sizeText } from "../../view/files.ts";
import type { ExposureView } from "../../view/expose/exposures.ts";
import type { OversightView } from "../../view/oversight.ts";
import type { AskView, TunnelView, WatchEvent } from "../../watch/protocol.ts";
import { safeGoal, safeLabel, safeName, safeText, withGutter } from "../chat/terminal/safe-text.ts";
import { statementText } from "../../view/signing/text.ts";
import { resumeCommand } from "../../view/words/kept.ts";
import type { KeptTunnel } from "../../watch/protocol.ts";
import { systemText } from "../../view/words/system-text.ts";
import { durationText } from "../../view/time.ts";
import type { Paint } from "../io/output.ts";
import { FOUND_PLACES } from "../../view/words/found-places.ts";

/**
 * What a person sees in `watch`. Every word of an agent or a peer is made safe for a terminal, with what is invisible written out
 *, and stands behind a gutter, so that it cannot pass for a line of this program.
 */

export interface LineStyle {
  readonly paint: Paint;
  readonly columns: number | undefined;
}

/** So much of a text is shown at once; the rest is one word away. */
const SHOWN = { lines: 40, chars: 4_000 } as const;
/** A run of spaces as long as this pushes what follows out of sight. */
const SPACES = /[^\S\n]{41,}/g;

/** A text of one who wants to be believed: long runs of empty lines and of spaces are counted and not shown, since they hide what follows. */
export function plainLines(text: string): string[] {
  const lines: string[] = [];
  let empty = 0;
  for (const line of safeText(text).split("\n")) {
    if (line.trim() === "") {
      empty += 1;
      continue;
    }
    if (empty > 2) lines.push(`[${empty} empty lines]`);
    else lines.push(...Array<string>(empty).fill(""));
    empty = 0;
    lines.push(line.replace(SPACES, (run) => ` [${run.length} spaces] `));
  }
  return empty > 2 ? [...lines, `[${empty} empty lines]`] : lines;
}

/** The beginning of a text, in lines. */
export function beginning(text: string): { readonly lines: readonly string[]; readonly isWhole: boolean } {
  const all = plainLines(text);
  const lines: string[] = [];
  let left: number = SHOWN.chars;
  for (const line of all) {
    if (lines.length === SHOWN.lines || left <= 0) return { lines, isWhole: false };
    const chars = Array.from(line);
    lines.push(chars.length <= left ? line : chars.slice(0, left).join(""));
    if (chars.length > left) return { lines, isWhole: false };
    left -= chars.length;
  }
  return { lines, isWhole: true };
}

/** Words of this program with names in them: further rows stand behind the gutter as well. */
function sentence(head: string, text: string, { columns }: LineStyle): string {
  return withGutter(head, text, columns);
}

/** Whether the whole of an ask's text was on the screen when it was shown as new. */
export function isShownWhole({ subject }: AskView): boolean {
  return beginning(textOf(subject)).isWhole;
}

function textOf(subject: Subject): string {
  switch (subject.kind) {
    case "message":
    case "incoming":
      return subject.text;
    case "file":
      return subject.note ?? "";
    case "service":
      return subject.note ?? "";
    case "result":
      return subject.text;
    case "member":
    case "observer":
    case "visit":
    case "exposure":
    case "budget":
      return "";
  }
}

/** An ask with everything that a person needs to decide. */
export function askLines(
  ask: AskView,
  { name, prefix = "" }: { readonly name: string; /** Before each command. */ readonly prefix?: string },
  style: LineStyle,
  isWhole: boolean,
): string {
  const { paint } = style;
  const { subject } = ask;
  const head = paint.bold(sentence(`? ${name}  `, whatOf(ask), style));
  const why = ask.because.map((because) => `    since ${because}`);
  if (subject.kind === "file") why.push(...(subject.reasons ?? []).map((one) => `      ${safeLabel(one)}`));
  const found = "findings" in subject ? (subject.findings ?? []).map(findingText) : [];
  const text = textOf(subject);
  const isEditable = subject.kind === "message" && prefix === "";
  const choices = [`approve ${name}`, `refuse ${name} REASON`, ...(isEditable ? [`edit ${name}`] : [])];
  const cut =
    isWhole || isShownWhole(ask)
      ? []
      : [paint.yellow(`    … it goes on: type show ${name} before you decide`)];
  return [
    head,
    ...(text === "" ? [] : textRows(isWhole ? plainLines(text) : beginning(text).lines, style)),
    ...cut,
    ...why,
    ...found,
    paint.dim(`    ${choices.map((choice) => prefix + choice).join(" | ")}`),
  ].join("\n");
}

function textRows(lines: readonly string[], { columns }: LineStyle): string[] {
  return withGutter("", ["", ...lines].join("\n"), columns)
    .split("\n")
    .slice(1);
}

function whatOf({ subject, tunnelId }: AskView): string {
  const where = ` [${tunnelId}]`;
  switch (subject.kind) {
    case "message":
      return `your agent wants to send this ${toText(subject.to)}${where}`;
    case "file":
      return `your agent wants to offer ${safeName(subject.name)} (${sizeText(subject.bytes)}, ${safeLabel(subject.path)}) ${toText(subject.to)}${where}`;
    case "incoming":
      return `${safeName(subject.fromName)} has said this, and your agent has not been told it${where}`;
    case "member":
      return `${safeName(subject.name)} wants to join with the link ${subject.inviteId}${where}`;
    case "observer":
      return `your agent wants to make ${observersText(subject)}${where}`;
    case "service": {
      const { name, service, target, readOnly, tools, maxConnections, minutes, confirmEach } = subject;
      const limits = [
        service,
        ...(readOnly === true ? ["read only"] : []),
        ...(tools === undefined ? [] : [`tools ${tools.map(safeLabel).join(" ")}`]),
        `at most ${maxConnections} connections`,
        ...(minutes === undefined ? [] : [`for ${minutes} min`]),
        ...(confirmEach === true ? ["you are asked each time"] : []),
      ].join(", ");
      return `your agent wants to offer ${safeName(name)} (${safeLabel(target)}; ${limits}) ${toText(subject.to)}${where}`;
    }
    case "visit":
      return `${safeName(subject.memberName)} wants to connect to ${safeName(subject.name)} (${safeLabel(subject.target)})${where}`;
    case "result": {
      const { memberName, name, call, chars } = subject;
      return `${safeName(name)} answers ${safeLabel(call)} of ${safeName(memberName)} with this (${chars} characters)${where}`;
    }
    case "exposure":
      return exposureText(subject);
    case "budget":
      return `the agents want to go on${where}`;
  }
}

function observersText({ links, history, minutes }: Extract<Subject, { kind: "observer" }>): string {
  const many = links === 1 ? "a link for an observer, who" : `${links} links for observers, each of whom`;
  const from = history ? "and from the beginning on" : "and from their arrival on";
  return `${many} reads along for ${minutes} minutes, ${from}, and can say nothing; everybody in the tunnel is told before it begins`;
}

function exposureText({
  name,
  target,
  through,
  access,
  minutes,
  claims,
  tools,
  hasMoreTools,
  origins,
  isWidened,
}: Extract<Subject, { kind: "exposure" }>): string {
  const what =
    isWidened === true
      ? `your agent wants to keep ${safeLabel(name)} (${safeLabel(target)}) open for longer or for more people`
      : `your agent wants to give ${safeLabel(target)} a public address, as ${safeLabel(name)}`;
  const links = claims === 0 ? "" : `, with ${claims} new claim ${claims === 1 ? "link" : "links"}`;
  return `${what}, through ${safeLabel(through)} for ${minutes} minutes${links}; ways in: ${access.map(safeLabel).join(", ")}${toolsText(tools, hasMoreTools)}${pagesText(origins)}`;
}

function toolsText(tools: readonly string[] | undefined, hasMore: boolean | undefined): string {
  if (tools === undefined) return "";
  const named = tools.length === 0 ? "none" : tools.map(safeLabel).join(", ");
  return `; its tools that anybody who gets in can call: ${named}${hasMore === true ? " and more" : ""}`;
}

function pagesText(origins: readonly string[] | undefined): string {
  return origins === undefined ? "" : `; web pages of ${origins.map(safeLabel).join(", ")} may call it`;
}

function toText(to: readonly string[] | undefined): string {
  return to === undefined ? "to everybody" : `to ${to.map(safeName).join(", ")} alone`;
}

function findingText({ rule, where, line, column, disguise }: Finding): string {
  const hidden = disguise === "plain" ? "" : ` (${disguise})`;
  return `    ${rule}${hidden} in ${FOUND_PLACES[where]}, line ${line}, column ${column}`;
}

/** How an ask ended, for faces at which it was not answered. */
export function decidedLine(ask: AskView, name: string, { paint }: LineStyle): string {
  const by = ask.by === undefined ? "" : ` (${ask.by})`;
  return paint.dim(`  ${name} ${ENDS[ask.state]}${by}`);
}

const ENDS: Readonly<Record<AskView["state"], string>> = {
  waiting: "waits",
  approved: "is approved",
  edited: "goes in a person's own words",
  refused: "is refused",
  expired: "has expired: nobody has decided",
  withdrawn: "is no longer asked",
};

/** One thing that happened in a room, with the kind of its author. */
export function entryLine(
  { tunnelId, isOwn, entry }: Extract<WatchEvent, { t: "entry" }>,
  style: LineStyle,
  hasSeveral: boolean,
  /** The name of the service that is no longer offered, where it is known. */
  serviceName?: string,
): string | undefined {
  const { paint } = style;
  const where = hasSeveral ? paint.dim(`[${tunnelId}] `) : "";
  const at = paint.dim(timeText(entry.ts));
  switch (entry.kind) {
    case "chat": {
      const { lines, isWhole } = beginning(entry.text);
      const rest = isWhole ? [] : [`[it goes on: ${entry.text.length} characters in all]`];
      return withGutter(
        `${at} ${where}${speaker(entry, isOwn, paint)}: `,
        [...lines, ...rest].join("\n"),
        style.columns,
      );
    }
    case "file": {
      const { file, note } = entry;
      const what = `offers ${safeName(file.name)} (${sizeText(file.size)})`;
      const words = note === undefined ? [] : beginning(note).lines;
      return withGutter(
        `${at} ${where}${speaker(entry, isOwn, paint)} `,
        [what, ...words].join("\n"),
        style.columns,
      );
    }
    case "service":
    case "withdrawal": {
      const head = `${at} ${where}${speaker(entry, isOwn, paint)} `;
      const words =
        entry.kind === "withdrawal" || entry.note === undefined ? [] : beginning(entry.note).lines;
      return withGutter(head, [serviceText(entry, serviceName), ...words].join("\n"), style.columns);
    }
    case "proposal":
    case "statement":
      return withGutter(`${at} ${where}${speaker(entry, isOwn, paint)} `, signingText(entry), style.columns);
    case "system": {
      const name = "memberName" in entry.event ? safeName(entry.event.memberName) : "";
      const room = hasSeveral ? `[${tunnelId}] ` : "";
      return paint.dim(sentence(`${timeText(entry.ts)} ${room}* `, systemText(entry.event, name), style));
    }
    case "notice":
      return undefined;
  }
}

/** The outcome itself is shown with who has signed it. */
function signingText(entry: Extract<SpokenView, { kind: "proposal" | "statement" }>): string {
  if (entry.kind === "proposal") return "proposes an outcome for everybody to sign; type outcome to read it";
  const why = entry.reason === undefined ? [] : beginning(entry.reason).lines;
  return [statementText(entry), ...why].join("\n");
}

function serviceText(entry: ServiceEntryView | WithdrawalView, known: string | undefined): string {
  if (entry.kind === "withdrawal")
    return `no longer offers the service ${known === undefined ? safeLabel(entry.serviceId) : safeName(known)}`;
  const { name, service, readOnly } = entry.service;
  return `offers the service ${safeName(name)} (${service}${readOnly === true ? ", read only" : ""})`;
}

function speaker(entry: SpokenView, isOwn: boolean, paint: Paint): string {
  const { fromName, lookAlike, from, author, to } = entry;
  const name = lookAlike === true ? `${safeName(fromName)} [${from}]` : safeName(fromName);
  const kind = author === "human" ? (isOwn ? "you" : "human, says their program") : "agent";
  const whom = to === undefined ? "" : ` to ${to.map(safeName).join(", ")} alone`;
  const label = `${name} (${kind})${whom}`;
  return author === "human" ? paint.green(label) : isOwn ? paint.blue(label) : paint.cyan(label);
}

function timeText(ts: string): string {
  const date = new Date(ts);
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** A public address of a service, and where it leads. */
export function exposureLines(exposure: ExposureView, folder: string, style: LineStyle): string {
  const { exposureId, name, target, status, publicUrl, requests, expiresInSec } = exposure;
  const left = expiresInSec === undefined ? "" : `, ${durationText(expiresInSec)} left`;
  const where = publicUrl === undefined ? "no address yet" : safeLabel(publicUrl);
  return [
    style.paint.bold(sentence(`${safeLabel(name)}  `, where, style)),
    sentence("    leads to ", `${safeLabel(target)}, ${status}, requests: ${requests}${left}`, style),
    sentence("    ", `${safeLabel(exposureId)}, started in ${safeLabel(folder)}`, style),
  ].join("\n");
}

/** An event of one. */
export function exposureNewsLine(
  { exposure, what }: Extract<WatchEvent, { t: "exposure" }>,
  style: LineStyle,
): string | undefined {
  if (what === undefined) return undefined;
  return sentence(`* ${safeLabel(exposure.name)}: `, safeLabel(what), style);
}

/** A tunnel whose program has ended, and how it goes on. @param now ms since the epoch */
export function keptLines(kept: KeptTunnel, now: number, style: LineStyle): string {
  const { tunnelId, goal, role, members, folder, unread, keptUntil } = kept;
  const side = role === "host" ? "you host it" : "you are a guest";
  const news = unread === 0 ? "" : `; ${unread} unread`;
  return [
    style.paint.bold(sentence(`${tunnelId}  `, safeGoal(goal), style)),
    sentence("    ", `${side}, with ${members.map(safeName).join(", ") || "nobody yet"}${news}`, style),
    sentence(
      "    ",
      `its program has ended, and it is kept for another ${durationText((keptUntil - now) / 1_000)}; then it is over`,
      style,
    ),
    sentence("    to go on, in ", safeLabel(folder), style),
    `      your agent calls tunnel_join with resume: ${tunnelId}`,
    `      or you type ${resumeCommand(kept)}`,
  ].join("\n");
}

/** How a tunnel stands, in a few words. @param now ms since the epoch */
function standingText({ status, hostKeptUntil }: TunnelView, now: number): string {
  return hostKeptUntil === undefined ? status.replaceAll("_", " ") : hostAwayText(hostKeptUntil - now);
}

/** The host's program has ended. @param ms for which it may still come back */
export function hostAwayText(ms: number): string {
  return `the host is away, and keeps the tunnel for another ${durationText(Math.max(0, ms) / 1_000)}`;
}

/** How a tunnel stands, in a few lines. @param now ms since the epoch */
export function tunnelLines(tunnel: TunnelView, style: LineStyle, now: number): string {
  const { paint } = style;
  const { tunnelId, role, goal, self, members, oversight } = tunnel;
  const others = members.filter(({ isSelf }) => !isSelf);
  const who = others.map(({ name, connected, role: seat, oversight: theirs }) => {
    if (seat !== undefined) return `${safeName(name)} (observer, reads along)`;
    const state = theirs === undefined || theirs.state === "free" ? "" : `, ${theirs.state}`;
    return `${safeName(name)} (${connected ? "there" : "away"}${state})`;
  });
  return [
    paint.bold(sentence(`${tunnelId}  `, safeGoal(goal), style)),
    sentence(
      `    ${role === "host" ? "you host it" : "you are a guest"} `,
      `as ${safeName(self ?? "")}, ${standingText(tunnel, now)}; with ${who.join(", ") || "nobody yet"}`,
      style,
    ),
    ...stateLines(oversight).map((line) => `    ${line}`),
  ].join("\n");
}

export function stateLines({ paused, gates, heldOut, heldIn, stopped, budgets }: OversightView): string[] {
  const used = Object.entries(budgets ?? {}).map(([name, { used, limit }]) => {
    return `${name} ${name === "bytes" ? `${sizeText(used)} of ${sizeText(limit)}` : `${used} of ${limit}`}`;
  });
  return [
    ...(paused ? ["paused: nothing leaves, and your agent is told nothing"] : []),
    ...(stopped === undefined
      ? []
      : [`stopped: ${stoppedText(stopped)}; type go-on to let the agents go on`]),
    ...(gates.length === 0 ? [] : [`you are asked: ${gates.join(", ")}`]),
    ...(heldOut + heldIn === 0 ? [] : [`waiting: ${heldOut} going out, ${heldIn} coming in`]),
    ...(used.length === 0 ? [] : [`used: ${used.join("; ")}`]),
  ];
}

function stoppedText(stopped: NonNullable<OversightView["stopped"]>): string {
  if (stopped.reason === "budget") return `the budget of ${stopped.budget} is used up`;
  return stopped.loop === "repetition" ? "the agents repeat themselves" : "the agents say nothing new";
}
