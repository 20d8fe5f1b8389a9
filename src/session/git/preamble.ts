import { Buffer } from "node:buffer";
import { oneLine } from "../paths/names.ts";
import { sensitiveContent } from "../paths/sensitive.ts";
import { isCommitHash } from "./context.ts";
import type { CommitName } from "./range.ts";

/**
 * The lines before the first file of a patch, which git skips: where the change begins and ends, and what is not in it. They
 * stay with the patch wherever it goes.
 */
export interface Preamble {
  readonly base: CommitName | undefined;
  /** Undefined where the change is not committed. */
  readonly head: CommitName | undefined;
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

/** The sender's words about a patch, each on one line. */
export interface ToldOfPatch {
  /** The hash of the last commit; undefined where the change is not committed, or nothing is said. */
  readonly head: string | undefined;
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

const TITLE = "# Made by tunnel-mcp. git skips these lines.";
const LEFT_OUT = "# Left out: ";
const NOTE = "# Note: ";
/** Lines of one kind; more would say nothing new. */
const MAX_LINES = 100;
const MAX_LINE_BYTES = 400;
const MAX_PREAMBLE_BYTES = 128 * 1024;

export function encodePreamble({ base, head, leftOut, notes }: Preamble): Buffer {
  const lines = [
    TITLE,
    `# Base: ${base === undefined ? "nothing: it begins with the first commit" : named(base)}`,
    `# Head: ${head === undefined ? "what is not committed yet" : named(head)}`,
    ...notes.slice(0, MAX_LINES).map((note) => `${NOTE}${note}`),
    ...leftOut.slice(0, MAX_LINES).map((one) => `${LEFT_OUT}${one}`),
    ...(leftOut.length > MAX_LINES ? [`${NOTE}${leftOut.length - MAX_LINES} more are left out`] : []),
  ];
  return Buffer.from(`${lines.map((line) => oneLine(line, MAX_LINE_BYTES)).join("\n")}\n\n`);
}

/** Without a subject that holds a secret. */
function named({ id, subject }: CommitName): string {
  return sensitiveContent(Buffer.from(subject)) === undefined ? `${id} ${subject}`.trim() : id;
}

/** Undefined for a patch that another program has made. */
export function decodePreamble(patch: Buffer): ToldOfPatch | undefined {
  const end = patch.indexOf("\ndiff --git ");
  const lines = patch
    .subarray(0, Math.min(end === -1 ? patch.length : end, MAX_PREAMBLE_BYTES))
    .toString("utf8")
    .split("\n");
  if (lines[0] !== TITLE) return undefined;
  const after = (start: string): string[] =>
    lines
      .filter((line) => line.startsWith(start))
      .slice(0, MAX_LINES)
      .map((line) => oneLine(line.slice(start.length), MAX_LINE_BYTES));
  const head = after("# Head: ")[0]?.split(" ", 1)[0];
  return {
    head: head !== undefined && isCommitHash(head) ? head : undefined,
    leftOut: after(LEFT_OUT),
    notes: after(NOTE),
  };
}

/** Whether a patch holds commits, each as a mail of `git format-patch`. */
export function isMail(bytes: Buffer): boolean {
  return /^From (?:[0-9a-f]{40}|[0-9a-f]{64}) Mon Sep 17 00:00:00 2001\r?\n/.test(
    bytes.toString("latin1", 0, 128),
  );
}
