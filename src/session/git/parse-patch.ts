import type { Buffer } from "node:buffer";
import { Lines, readName } from "./patch-lines.ts";

export interface PatchFile {
  /** As in the repository, without `a/` and `b/`; undefined for a file that is new or gone. */
  readonly oldPath: string | undefined;
  readonly newPath: string | undefined;
  readonly change: "added" | "deleted" | "modified" | "renamed" | "copied";
  /** Octal, as written: `100755`. */
  readonly oldMode: string | undefined;
  readonly newMode: string | undefined;
  readonly isBinary: boolean;
  /** Bytes that a binary change says it unpacks to. */
  readonly binaryBytes: number;
  readonly insertions: number;
  readonly deletions: number;
  /** Every path that any header of it names: those that git would use are among them. */
  readonly names: readonly string[];
  /** Where it is in the patch. */
  readonly start: number;
  readonly end: number;
  /** Not in git's own form: git guesses the paths of such a file. */
  readonly isTraditional: boolean;
  /** Headers that contradict each other, hunks that end too early: what git would refuse, or read otherwise. */
  readonly isMalformed: boolean;
}

interface Draft {
  oldPath: string | undefined;
  newPath: string | undefined;
  change: PatchFile["change"];
  oldMode: string | undefined;
  newMode: string | undefined;
  isBinary: boolean;
  binaryBytes: number;
  insertions: number;
  deletions: number;
  names: Set<string>;
  isMalformed: boolean;
}

/** More files than any reader would look at; what follows them counts as malformed. */
const MAX_FILES = 20_000;

const MAX_PREFIX_DIFFERENCE = 64;

/**
 * Reads a patch as `git apply` does: text between the files is skipped, counts of a hunk say where it ends. Never throws.
 * What it says of a hostile patch errs towards naming too many paths.
 */
export function parsePatch(patch: Buffer): PatchFile[] {
  const lines = new Lines(patch);
  const files: PatchFile[] = [];
  while (!lines.isDone) {
    if (lines.startsWith("diff --git ")) files.push(readFile(lines, false));
    else if (lines.startsWith("--- ") && lines.followedBy("+++ ", "@@ -")) files.push(readFile(lines, true));
    else if (lines.startsWith("@@ -") || lines.startsWith("GIT binary patch")) files.push(strayPart(lines));
    else lines.next();
    if (files.length >= MAX_FILES) {
      files.push(strayPart(lines));
      break;
    }
  }
  return files;
}

function emptyDraft(): Draft {
  return {
    oldPath: undefined,
    newPath: undefined,
    change: "modified",
    oldMode: undefined,
    newMode: undefined,
    isBinary: false,
    binaryBytes: 0,
    insertions: 0,
    deletions: 0,
    names: new Set(),
    isMalformed: false,
  };
}

/** A part without the header that would say what it belongs to. */
function strayPart(lines: Lines): PatchFile {
  const start = lines.offset;
  lines.next();
  return { ...emptyDraft(), names: [], start, end: lines.offset, isTraditional: false, isMalformed: true };
}

function readFile(lines: Lines, isTraditional: boolean): PatchFile {
  const start = lines.offset;
  const draft = emptyDraft();
  if (!isTraditional) {
    draft.isMalformed = lines.isTooLong;
    readGitNames(draft, lines.line.slice("diff --git ".length));
    lines.next();
  }
  while (!lines.isDone && readHeader(draft, lines.line)) {
    draft.isMalformed ||= lines.isTooLong;
    lines.next();
  }
  if (lines.startsWith("GIT binary patch")) readBinary(draft, lines);
  else if (/^(?:Binary f|F)iles .* differ$/s.test(lines.line)) {
    draft.isBinary = true;
    lines.next();
  }
  while (!lines.isDone && lines.startsWith("@@ -")) readHunk(draft, lines);
  if (draft.names.size === 0) draft.isMalformed = true;
  const { names, ...rest } = draft;
  return { ...rest, names: [...names], start, end: lines.offset, isTraditional };
}

/**
 * `a/x b/x`: without quotation marks only clear when both names are the same, which they are wherever git itself takes them
 * from here.
 */
function readGitNames(draft: Draft, text: string): void {
  if (!text.startsWith('"')) {
    for (let at = text.indexOf(" "); at !== -1; at = text.indexOf(" ", at + 1)) {
      // Equal but for the prefixes, so about equally long; also a bound for the work that one line can cause.
      if (Math.abs(text.length - 1 - 2 * at) > MAX_PREFIX_DIFFERENCE) continue;
      const one = stripped(readName(text.slice(0, at))?.name);
      const other = stripped(readName(text.slice(at + 1))?.name);
      if (one !== undefined && one === other) return setPaths(draft, one, other);
    }
  }
  const first = readName(text);
  const second = first === undefined ? undefined : readName(first.rest.replace(/^ /, ""));
  if (text.startsWith('"')) setPaths(draft, stripped(first?.name), stripped(second?.name));
}

/** git writes a name four times at most: `diff`, `rename` or `copy`, and the two sides. */
const MAX_NAMES = 8;

function addName(draft: Draft, name: string): void {
  if (draft.names.size < MAX_NAMES) draft.names.add(name);
  else draft.isMalformed ||= !draft.names.has(name);
}

function setPaths(draft: Draft, oldPath: string | undefined, newPath: string | undefined): void {
  draft.oldPath = oldPath;
  draft.newPath = newPath;
  for (const name of [oldPath, newPath]) if (name !== undefined) addName(draft, name);
}

type Header = (draft: Draft, value: string) => void;

const HEADERS: Readonly<Record<string, Header>> = {
  "--- ": (draft, value) => {
    const name = pathHeader(draft, value, draft.oldPath);
    if (name === null) draft.change = "added";
    draft.oldPath = name ?? undefined;
  },
  "+++ ": (draft, value) => {
    const name = pathHeader(draft, value, draft.newPath);
    if (name === null) draft.change = "deleted";
    draft.newPath = name ?? undefined;
  },
  "old mode ": (draft, value) => void (draft.oldMode = modeOf(draft, value)),
  "new mode ": (draft, value) => void (draft.newMode = modeOf(draft, value)),
  "new file mode ": (draft, value) => {
    draft.change = "added";
    draft.newMode = modeOf(draft, value);
    draft.oldPath = undefined;
  },
  "deleted file mode ": (draft, value) => {
    draft.change = "deleted";
    draft.oldMode = modeOf(draft, value);
    draft.newPath = undefined;
  },
  "copy from ": (draft, value) => moved(draft, "copied", "oldPath", value),
  "copy to ": (draft, value) => moved(draft, "copied", "newPath", value),
  "rename from ": (draft, value) => moved(draft, "renamed", "oldPath", value),
  "rename to ": (draft, value) => moved(draft, "renamed", "newPath", value),
  "rename old ": (draft, value) => moved(draft, "renamed", "oldPath", value),
  "rename new ": (draft, value) => moved(draft, "renamed", "newPath", value),
  "similarity index ": () => undefined,
  "dissimilarity index ": () => undefined,
  "index ": (draft, value) => {
    const mode = /^[0-9a-f]+\.\.[0-9a-f]+ (\d+)\s*$/.exec(value)?.[1];
    if (mode === undefined) return;
    draft.oldMode ??= mode;
    draft.newMode ??= mode;
  },
};

/** Whether the line is a header; anything else ends the headers of a file. */
function readHeader(draft: Draft, line: string): boolean {
  for (const [start, apply] of Object.entries(HEADERS)) {
    if (!line.startsWith(start)) continue;
    apply(draft, line.slice(start.length));
    return true;
  }
  return false;
}

/** The path of a `---` or `+++` line; null for no file at all. */
function pathHeader(draft: Draft, value: string, known: string | undefined): string | null | undefined {
  const name = readName(value.replace(/\r$/, ""))?.name;
  if (name === "/dev/null") return null;
  const pathname = stripped(name);
  if (name === undefined || pathname === undefined) {
    draft.isMalformed = true;
    if (name !== undefined) addName(draft, name);
    return known;
  }
  if (known !== undefined && known !== pathname) draft.isMalformed = true;
  // What a program that strips nothing would take: only where the first part is not one of git's own.
  if (!/^[abciow]\//.test(name)) addName(draft, name);
  addName(draft, pathname);
  return pathname;
}

function moved(draft: Draft, change: "copied" | "renamed", side: "oldPath" | "newPath", value: string): void {
  const name = readName(value)?.name;
  if (name === undefined || name === "") draft.isMalformed = true;
  else addName(draft, name);
  draft.change = change;
  draft[side] = name;
}

function modeOf(draft: Draft, value: string): string {
  const mode = value.trim();
  if (!/^[0-7]{5,6}$/.test(mode)) draft.isMalformed = true;
  return mode.slice(0, 12);
}

function stripped(name: string | undefined): string | undefined {
  const slash = name?.indexOf("/") ?? -1;
  const rest = slash === -1 ? undefined : name?.slice(slash + 1);
  return rest === "" ? undefined : rest;
}

function readBinary(draft: Draft, lines: Lines): void {
  draft.isBinary = true;
  lines.next();
  for (let part = 0; part < 2; part += 1) {
    const size = /^(?:literal|delta) (\d{1,15})$/.exec(lines.line)?.[1];
    if (size === undefined) {
      if (part === 0) draft.isMalformed = true;
      return;
    }
    draft.binaryBytes = Math.max(draft.binaryBytes, Number(size));
    do lines.next();
    while (!lines.isDone && lines.first !== undefined);
    lines.next();
  }
}

/** What a line of a hunk counts for. */
const COUNTS: Readonly<Record<string, { readonly old: number; readonly new: number }>> = {
  " ": { old: 1, new: 1 },
  "-": { old: 1, new: 0 },
  "+": { old: 0, new: 1 },
  "\\": { old: 0, new: 0 },
};

function readHunk(draft: Draft, lines: Lines): void {
  const header = /^@@ -\d+(?:,(\d{1,9}))? \+\d+(?:,(\d{1,9}))? @@/.exec(lines.line);
  lines.next();
  if (header === null) return void (draft.isMalformed = true);
  let oldLeft = Number(header[1] ?? 1);
  let newLeft = Number(header[2] ?? 1);
  while (oldLeft > 0 || newLeft > 0) {
    // Some programs cut the space of an empty line.
    const first = lines.first ?? " ";
    const counts = lines.isDone ? undefined : COUNTS[first];
    if (counts === undefined) return void (draft.isMalformed = true);
    oldLeft -= counts.old;
    newLeft -= counts.new;
    if (first === "+") draft.insertions += 1;
    if (first === "-") draft.deletions += 1;
    lines.next();
  }
  if (oldLeft < 0 || newLeft < 0) draft.isMalformed = true;
  while (!lines.isDone && lines.first === "\\") lines.next();
}
