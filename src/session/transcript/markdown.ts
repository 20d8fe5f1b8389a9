import { replaceHidden, withoutHidden } from "../../protocol/base/hidden-text.ts";
import { codePointName } from "../../protocol/base/text.ts";
import type { SystemRoomEvent } from "../../protocol/room/frames.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import type { MessageEntry, TranscriptDocument, TranscriptEntry } from "./document.ts";
import { recordText } from "./decisions.ts";
import { describedOffer } from "./offer-text.ts";
import { NOT_SIGNED, signedOffText, type SignedOff } from "./signed-off.ts";
import { missing, type Verdict } from "./verify.ts";

export interface MarkdownOptions {
  /**
   * Put around the words of everybody but the exporter, where a model is going to read them. Hidden characters are then
   * taken out, and not marked: a model could read the marks as well.
   */
  readonly frame?: (text: string) => string;
  /** The result of checking it; left out where it comes from this process itself. */
  readonly verdict?: Verdict;
  /** The proposals and their signatures, where there is no verdict that says it. */
  readonly signedOff?: SignedOff;
  /** How to get what is left out at the beginning. */
  readonly more?: string;
  /** A sentence in place of a text that is missing; that it is no longer kept, where this is not given. */
  readonly missing?: string;
}

/** A text in which nothing is hidden and nothing turns the direction round: such characters are named instead. */
export function visible(text: string): string {
  return replaceHidden(text, (character) => `⟨${codePointName(character)}⟩`);
}

function ticks(text: string, atLeast: number): string {
  const longest = Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  return "`".repeat(Math.max(atLeast, longest + 1));
}

/** A label as code, in which Markdown means nothing. */
function code(label: string): string {
  const shown = label.replaceAll("\n", " ");
  const fence = ticks(shown, 1);
  const pad = shown.startsWith("`") || shown.endsWith("`") ? " " : "";
  return `${fence}${pad}${shown}${pad}${fence}`;
}

/** A peer's text, every line quoted and as code: no heading, link, picture or HTML can come of it, and no other entry. */
function quoted(text: string): string {
  const fence = ticks(text, 3);
  return [`${fence}text`, ...text.split("\n"), fence].map((line) => `> ${line}`).join("\n");
}

/** An instant of a transcript, to the second. */
export const instantText = (ts: number): string =>
  `${new Date(ts).toISOString().slice(0, 19).replace("T", " ")} UTC`;

class Renderer {
  readonly #document: TranscriptDocument;
  readonly #options: MarkdownOptions;
  /** Names as the document tells them, also of those who have left. */
  readonly #names = new Map<MemberId, string>();
  readonly #reasons: ReadonlyMap<number, string>;
  readonly #shown: (text: string) => string;

  constructor(document: TranscriptDocument, options: MarkdownOptions) {
    this.#document = document;
    this.#options = options;
    this.#shown = options.frame === undefined ? visible : (text) => withoutHidden(text).text;
    for (const { id, name } of document.start.members) this.#names.set(id, name);
    for (const entry of document.entries)
      if (entry.kind === "event" && entry.event.kind === "joined")
        this.#names.set(entry.event.member.id, entry.event.member.name);
    this.#reasons = new Map(
      options.verdict?.entries.flatMap(({ seq, reason }) => (reason === undefined ? [] : [[seq, reason]])),
    );
  }

  render(): string {
    const entries = this.#document.entries.flatMap((entry) => this.#entry(entry));
    return `${[...this.#head(), ...entries, ...this.#signedOff(), ...this.#decisions()].join("\n\n")}\n`;
  }

  #name(id: MemberId): string {
    return this.#code(this.#names.get(id) ?? id);
  }

  #code(label: string): string {
    return code(this.#shown(label));
  }

  #head(): string[] {
    const { goal, room, host, exportedBy, exportedAt, start, end } = this.#document;
    const facts = [
      `- Goal: ${this.#code(goal)}`,
      `- Room: ${code(room)}, hosted by ${this.#name(host)}`,
      `- Exported by ${this.#name(exportedBy)} on ${instantText(exportedAt)}`,
      start.seq === end.seq
        ? "- Entries: none"
        : `- Entries: ${start.seq + 1} to ${end.seq}, times by the host's clock`,
      `- Members: ${[...this.#names].map(([id, name]) => `${this.#code(name)} (key ${code(id)})`).join(", ")}`,
    ];
    const missing =
      start.seq === 0
        ? []
        : [`_What happened before entry ${start.seq + 1} is not in it.${this.#options.more ?? ""}_`];
    return ["# Transcript of a tunnel", facts.join("\n"), ...this.#checked(), ...missing];
  }

  #checked(): string[] {
    const { verdict } = this.#options;
    if (verdict === undefined) return [];
    if (verdict.ok) return ["**Checked: it is as it was exported, and every signature in it is right.**"];
    const gaps = verdict.gaps.map(missing);
    const exported = verdict.isAsExported ? [] : ["it is not as its exporter signed it"];
    const broken = this.#reasons.size === 0 ? [] : ["what is broken is marked below"];
    return [`**NOT VERIFIED: ${[...exported, ...verdict.problems, ...gaps, ...broken].join("; ")}.**`];
  }

  #entry(entry: TranscriptEntry): string[] {
    const reason = this.#reasons.get(entry.seq);
    const warning = reason === undefined ? [] : [`**BROKEN: ${reason}.**`];
    if (entry.kind === "message") return [...this.#message(entry), ...warning];
    return [`### ${entry.seq} · ${this.#happened(entry.event)}`, `_${instantText(entry.ts)}_`, ...warning];
  }

  #message({ seq, ts, signed, text, redacted }: MessageEntry): string[] {
    const { from, to, intent, replyTo, what } = signed;
    const removed = what === "file" ? "the key of the offer" : "links";
    const names = to === undefined ? "" : ` to ${to.map((id) => this.#name(id)).join(", ")}`;
    const marks = [
      instantText(ts),
      ...(intent === undefined ? [] : [intent]),
      ...(replyTo === undefined ? [] : [`answers ${replyTo}`]),
      ...(redacted === true ? [`${removed} removed, so the text shown is not what was signed`] : []),
      ...(to === undefined || text === undefined ? [] : ["signed in its sealed form"]),
    ];
    const head = [`### ${seq} · ${this.#name(from)}${names}`, `_${marks.join(" · ")}_`];
    if (text === undefined || what !== "file") return [...head, this.#body(from, text, to)];
    // Never as it stands there: an offer in another form may have the key of its file in it.
    const offer = describedOffer(text);
    const unread = "_It offers something, in a form that is not read here._";
    return [...head, offer === undefined ? unread : this.#body(from, offer, to)];
  }

  #body(from: MemberId, text: string | undefined, to: readonly MemberId[] | undefined): string {
    const { exportedBy } = this.#document;
    const isOurs = from === exportedBy;
    if (text !== undefined) return quoted(this.#shown(isOurs ? text : (this.#options.frame?.(text) ?? text)));
    const isForUs = isOurs || to === undefined || to.includes(exportedBy);
    return isForUs
      ? `_${this.#options.missing ?? "Its text is no longer kept."}_`
      : "_It was not for the member who exported this._";
  }

  /** The proposals and their signatures: words of this program, with names. The outcomes stand in their entries. */
  #signedOff(): string[] {
    if (this.#options.verdict?.ok === false) return [];
    const signedOff = this.#options.verdict?.signedOff ?? this.#options.signedOff;
    const lines = signedOff?.proposals.map((one) => `- ${signedOffText(one, (id) => this.#name(id))}`) ?? [];
    const unsound = signedOff?.unsound.map(
      ({ seq, member }) =>
        `- Entry ${seq}, a statement of ${this.#name(member)}, does not hold: it counts for nothing.`,
    );
    if (this.#document.signOff === "demanded" && signedOff?.proposals.at(-1)?.state !== "signed")
      lines.push(`- ${NOT_SIGNED}`);
    const all = [...lines, ...(unsound ?? [])];
    return all.length === 0 ? [] : ["## What humans signed", all.join("\n")];
  }

  /** What the exporter's person was asked and decided: words of this program alone. */
  #decisions(): string[] {
    const { audit } = this.#document;
    if (audit === undefined) return [];
    const { records, dropped } = audit;
    const lines = records.map((record) => `- ${instantText(record.at)}: ${recordText(record)}`);
    const older = dropped === 0 ? [] : [`- ${dropped} older ones are not kept`];
    return ["## What a human decided", [...older, ...lines].join("\n")];
  }

  #happened(event: SystemRoomEvent | { readonly kind: "chat" | "withheld" }): string {
    switch (event.kind) {
      case "joined":
        return `${this.#code(event.member.name)} ${event.member.role === undefined ? "joined" : JOINED[event.member.role]}`;
      case "left":
        return `${this.#name(event.id)} ${LEFT[event.cause]}`;
      case "idle-warning":
        return "the tunnel warned that it ends unless somebody does something";
      case "ended":
        return `the tunnel ended: ${ENDED[event.cause]}`;
      case "returned":
        return "the host was back after a restart";
      case "chat":
      case "withheld":
        return "";
    }
  }
}

const JOINED = {
  observer: "read along from here on, as an observer",
  "observer-history": "read along from the beginning, as an observer",
} as const;

const LEFT = {
  left: "left",
  lost: "was unreachable for too long and given up",
  removed: "was removed by the host",
  "fell-behind": "fell behind and was given up",
  expired: "read along no longer: that time was over",
} as const;

const ENDED = {
  closed: "the host closed it",
  idle: "nobody did anything in it",
  "host-stopped": "the host's session ended",
} as const;

/** A transcript for people to read. The words of a peer can look like nothing but the words of a peer. */
export function toMarkdown(document: TranscriptDocument, options: MarkdownOptions = {}): string {
  return new Renderer(document, options).render();
}
