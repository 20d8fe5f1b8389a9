import { readFile, stat } from "node:fs/promises";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { nodePrimitives } from "../../runtime/primitives.ts";
import { decodeInput, encodingProblem } from "../../runtime/utf8-input.ts";
import { parseTranscript, type TranscriptDocument } from "../../session/transcript/document.ts";
import { instantText, visible } from "../../session/transcript/markdown.ts";
import { NOT_SIGNED, signedOffText } from "../../session/transcript/signed-off.ts";
import {
  missing,
  verifyTranscript,
  type EntryStatus,
  type Verdict,
} from "../../session/transcript/verify.ts";
import { paintFor, type Output } from "../io/output.ts";

export interface TranscriptCommand {
  readonly file: string;
  readonly output: Output;
}

/** Larger than any transcript, and small enough to be read at once. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Proposals that are shown, the newest: each earlier one was replaced by the next. */
const MAX_PROPOSALS = 5;
/** Lines about faults: more of them say nothing new. */
const MAX_WRONG = 20;

/** @throws {TunnelError} transcript-invalid */
export async function readTranscript(file: string): Promise<TranscriptDocument> {
  const unreadable = (detail: string): TunnelError => new TunnelError("transcript-invalid", { detail });
  try {
    const found = await stat(file);
    const { size } = found;
    // Reading a pipe or a device may never end.
    if (!found.isFile()) throw unreadable(found.isDirectory() ? "it is a folder" : "it is no file");
    if (size > MAX_FILE_BYTES) throw unreadable("the file is too large");
    const text = decodeInput(await readFile(file));
    const problem = encodingProblem(text);
    if (problem !== undefined) throw unreadable(`it is ${problem}`);
    return parseTranscript(text);
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
    if (thrown instanceof TunnelError || code === undefined) throw thrown;
    if (code === "ENOENT") throw unreadable("there is no such file");
    if (code === "EACCES" || code === "EPERM") throw unreadable("it may not be read");
    throw unreadable(`it cannot be read (${code})`);
  }
}

/** A name as a stranger may have written it, for a terminal; nothing in it ends the quotation. */
const quoted = (name: string): string => `"${visible(name).replaceAll('"', "'")}"`;
const count = (amount: number, one: string): string => `${amount} ${one}${amount === 1 ? "" : "s"}`;

const SIGNED_BY =
  "That a human made a key and read what it signed: each member's program says so, and has certified the key.";

/** The facts that a person can rely on, those they cannot, and the faults, each in a sentence. */
class Report {
  readonly #document: TranscriptDocument;
  readonly #verdict: Verdict;

  constructor(document: TranscriptDocument, verdict: Verdict) {
    this.#document = document;
    this.#verdict = verdict;
  }

  #name(id: string): string {
    const member = this.#verdict.members.find((one) => one.id === id);
    return member === undefined ? "somebody who is not in it" : quoted(member.name);
  }

  get summary(): string[] {
    const { room, exportedBy, exportedAt, entries, start, end } = this.#document;
    const messages = entries.filter(({ kind }) => kind === "message").length;
    const places = entries.length === 0 ? "" : `, ${start.seq + 1} to ${end.seq}`;
    return [
      `Transcript of room ${room}, exported by ${this.#name(exportedBy)} on ${instantText(exportedAt)}.`,
      `${entries.length} ${entries.length === 1 ? "entry" : "entries"}${places}: ${count(messages, "message")} and ${count(entries.length - messages, "event")}.`,
    ];
  }

  get wrong(): string[] {
    const { problems, gaps, entries, isAsExported } = this.#verdict;
    const broken = entries.flatMap(({ seq, reason }) =>
      reason === undefined ? [] : [`Entry ${seq}: ${reason}.`],
    );
    const exporter = this.#name(this.#document.exportedBy);
    return [
      ...(isAsExported ? [] : [`It is not as ${exporter} signed it when it was exported.`]),
      ...problems.map((problem) => `As a whole: ${problem}.`),
      ...gaps.map((gap) => `As a whole: ${missing(gap)}.`),
      ...broken,
    ];
  }

  get proved(): string[] {
    const { exportedBy, start, end } = this.#document;
    const speakers = [...this.#messagesBy()].map(([id, amount]) => `${this.#name(id)} ${amount}`);
    const confirmed = this.#verdict.confirmedBy.map(({ name, upTo }) => `${quoted(name)} up to ${upTo}`);
    return [
      `The whole is as ${this.#name(exportedBy)} signed it when exporting it.`,
      ...(speakers.length === 0
        ? []
        : [`Every message was signed by the member it names: ${speakers.join(", ")}.`]),
      ...(start.seq === end.seq
        ? []
        : [`Nothing from ${start.seq + 1} to ${end.seq} is missing, added, moved or altered since.`]),
      ...(this.#verdict.isFromBeginning ? ["It begins with the room itself."] : []),
      ...this.#decisions(),
      ...(confirmed.length === 0
        ? []
        : [`Members have signed this order in messages of their own: ${confirmed.join(", ")}.`]),
    ];
  }

  #decisions(): string[] {
    const records = this.#document.audit?.records ?? [];
    const asked = records.filter(({ kind }) => kind === "asked").length;
    const decided = records.filter(({ kind }) => kind === "decided").length;
    if (records.length === 0) return [];
    const exporter = this.#name(this.#document.exportedBy);
    return [
      `What the human of ${exporter} was asked (${asked}) and how that ended (${decided}) is as ${exporter} signed it, and fits together.`,
    ];
  }

  /** The proposals, each with its outcome, who has signed it, and how it stands. */
  get signed(): string[] {
    const { proposals, unsound } = this.#verdict.signedOff;
    const name = (id: string): string => this.#name(id);
    const left = proposals.length - MAX_PROPOSALS;
    const isMissing = this.#document.signOff === "demanded" && proposals.at(-1)?.state !== "signed";
    return [
      ...(left > 0 ? [`${count(left, "older proposal")}, all replaced.`] : []),
      ...proposals
        .slice(-MAX_PROPOSALS)
        .map((one) => `${signedOffText(one, name)}\n${outcomeLines(one.proposed.outcome)}`),
      ...unsound
        .slice(0, MAX_WRONG)
        .map(
          ({ seq, member }) =>
            `Entry ${seq}: a statement of ${name(member)} does not hold, and counts for nothing.`,
        ),
      ...(isMissing ? [NOT_SIGNED] : []),
    ];
  }

  get unproved(): string[] {
    const { start, end, entries, host, exportedBy } = this.#document;
    const others = this.#verdict.confirmedBy.filter(({ member }) => member !== exportedBy);
    const agreed = Math.max(start.seq, ...others.map(({ upTo }) => upTo));
    const last = entries.at(-1);
    const hasEnd = last?.kind === "event" && last.event.kind === "ended";
    const keys = this.#verdict.members.map(({ id, name }) => `${quoted(name)} ${id}`).join(", ");
    const offers = new Set(entries.flatMap((one) => (isOffer(one) ? [one.seq] : [])));
    const some = (status: EntryStatus, sentence: string, isOffered?: boolean): string[] => {
      const places = this.#verdict.entries
        .filter(
          (one) => one.status === status && (isOffered === undefined || offers.has(one.seq) === isOffered),
        )
        .map(({ seq }) => seq);
      const shown = `${places.slice(0, MAX_WRONG).join(", ")}${places.length > MAX_WRONG ? ", …" : ""}`;
      return places.length === 0 ? [] : [`${sentence} (${shown}).`];
    };
    return [
      ...(start.seq > 0 ? [`What happened before entry ${start.seq + 1}.`] : []),
      ...(agreed < end.seq
        ? [
            `Order, times, comings and goings after entry ${agreed}: only ${this.#name(exportedBy)} has signed them.`,
          ]
        : []),
      ...(hasEnd ? [] : [`That nothing was said after entry ${end.seq}.`]),
      `Who a key belongs to: ${this.#name(host)}, the host, gave out these names. Ask the people for their ids, which tunnel_status shows: ${keys}.`,
      "The times (the host's clock), and the goal (the exporter's word).",
      ...(this.#verdict.signedOff.proposals.length === 0 ? [] : [SIGNED_BY]),
      ...some(
        "redacted",
        "Texts from which links were taken out: what is shown is not what was signed",
        false,
      ),
      ...some(
        "redacted",
        "Offers of files, shown without their keys: name, size and hash are the exporter's word",
        true,
      ),
      ...some(
        "sealed",
        "Texts for some members only: they signed the sealed form, the text is the exporter's word",
      ),
      ...some(
        "hidden",
        "What was said where no text is shown: it was not for the exporter, or is no longer kept",
      ),
    ];
  }

  #messagesBy(): Map<string, number> {
    const amounts = new Map<string, number>();
    for (const entry of this.#document.entries)
      if (entry.kind === "message") amounts.set(entry.signed.from, (amounts.get(entry.signed.from) ?? 0) + 1);
    return amounts;
  }
}

function isOffer(entry: TranscriptDocument["entries"][number]): boolean {
  return entry.kind === "message" && entry.signed.what === "file";
}

/** Words of a stranger: each line behind a mark, so that none can pass for a line of this report. */
const outcomeLines = (outcome: string): string =>
  visible(outcome)
    .split("\n")
    .map((line) => `      | ${line}`)
    .join("\n");

const bullets = (lines: readonly string[]): string => lines.map((line) => `  - ${line}\n`).join("");

/**
 * Prints what a saved transcript proves.
 * @returns 0 when it is verified
 * @throws {TunnelError} transcript-invalid
 */
export async function verify({ file, output }: TranscriptCommand): Promise<0 | 1> {
  const document = await readTranscript(file);
  const verdict = verifyTranscript(nodePrimitives, document);
  const report = new Report(document, verdict);
  const paint = paintFor(output.color);
  output.out(`${report.summary.join("\n")}\n\n`);
  if (!verdict.ok) {
    const { wrong } = report;
    const more = wrong.length > MAX_WRONG ? [`and ${wrong.length - MAX_WRONG} more`] : [];
    output.out(`${paint.red("NOT VERIFIED")}\n${bullets([...wrong.slice(0, MAX_WRONG), ...more])}`);
    output.out("\nDo not rely on it. Ask for the file again, or for the transcript of another member.\n");
    return 1;
  }
  const signed = report.signed.length === 0 ? "" : `What humans signed\n${bullets(report.signed)}\n`;
  output.out(
    `${paint.green("VERIFIED")}\n${bullets(report.proved)}\n${signed}Not proved\n${bullets(report.unproved)}`,
  );
  return 0;
}
