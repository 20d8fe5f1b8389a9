import type { PatchFacts } from "../../../protocol/files/offer.ts";
import type { PatchView, SharedPatchView } from "../../../view/patches.ts";
import { boundsOf, listed, within } from "../bounds.ts";
import type { Fence } from "../fence.ts";
import type { Payload } from "../result.ts";

/** Files that are listed: a result stays readable. */
const MAX_FILES = 50;
const MAX_PATH_CHARS = 200;
/** Each of what is left out and what is noted. */
const TOLD_BYTES = 2 * 1024;

const BASE_TEXTS = {
  head: "It was made against the commit that is checked out here.",
  known: "It was made against another commit than the one checked out here; this repository has it.",
  unknown: "It was made against a commit that this repository does not have: fetch it first.",
  "not-given": "It names no commit that it was made against.",
  "no-repository": "The working directory is no git repository.",
  "git-missing": "There is no git here, so nothing of it could be looked at.",
  "git-not-owned":
    "The repository here belongs to another user, so git does not use it. If your human trusts it, they run `command`.",
} as const satisfies Record<PatchView["baseIs"], string>;

/**
 * The effects of a received patch: facts that this server found, with the names in it inside the fence.
 * @param limit characters of the whole result
 */
export function patchFields(facts: PatchFacts, view: PatchView, fence: Fence, limit: number): Payload {
  const bounds = boundsOf(limit);
  const { files, suspicious, baseIs, head, command } = view;
  // Always numbers: where git could not be asked, the texts say that nothing was looked at.
  const { fileCount = 0, insertions = 0, deletions = 0 } = view;
  const shown = within(
    files.slice(0, MAX_FILES).map((file) => fileLine(file, fence)),
    bounds.patchFiles,
  );
  return {
    base: facts.base,
    head,
    baseIs,
    baseText: BASE_TEXTS[baseIs],
    command,
    applies: view.applies,
    ...(view.applies === "unknown" ? { reason: view.reason } : {}),
    ...(view.applies === "no" ? failingFields(view.failing, fence, bounds.patchFailing) : {}),
    fileCount,
    insertions,
    deletions,
    suspicious,
    files: fence.wrap(shown.join("\n")),
    filesNotShown: fileCount > shown.length ? fileCount - shown.length : undefined,
    leftOut: fencedLines(view.leftOut, fence),
    notes: fencedLines(view.notes, fence),
    ...(view.commits === undefined ? {} : commitFields(view.commits, fence, bounds.patchFiles)),
    note:
      view.commits === undefined
        ? "It was saved, not applied. Read it with your human before you apply it with git apply."
        : "It was saved, not applied. Read it with your human before you make these commits here with `am`.",
  };
}

function commitFields(
  { commits, commitCount, failingCommit, command }: NonNullable<PatchView["commits"]>,
  fence: Fence,
  maxChars: number,
): Payload {
  const lines = commits.map(({ subject, author, date, paths, fileCount, insertions, deletions }, index) => {
    const names = paths.map((one) => shortPath(one, fence)).join(", ");
    const more = fileCount > paths.length ? `, and ${fileCount - paths.length} more` : "";
    const count = `${fileCount} ${fileCount === 1 ? "file" : "files"} +${insertions} -${deletions}`;
    return `${index + 1}. ${fence.label(subject)} | ${fence.label(author)} | ${fence.label(date)} | ${count}: ${names}${more}`;
  });
  const shown = within(lines, maxChars);
  return {
    commitCount,
    commits: fence.wrap(shown.join("\n")),
    commitsNotShown: commitCount > shown.length ? commitCount - shown.length : undefined,
    failingCommit,
    am: command,
  };
}

/** The sender's words, on one line each; no field where there are none. */
function fencedLines(lines: readonly string[], fence: Fence): string | undefined {
  if (lines.length === 0) return undefined;
  const shown = within(
    lines.map((line) => fence.label(line)),
    TOLD_BYTES,
  );
  const left = lines.length - shown.length;
  return fence.wrap([...shown, ...(left > 0 ? [`and ${left} more`] : [])].join("\n"));
}

/** A patch of this side, as its own agent is told of it. */
export function sharedPatchFields({ leftOut, notes, ...facts }: SharedPatchView): Payload {
  return {
    ...facts,
    ...listed("leftOut", within(leftOut, TOLD_BYTES), leftOut.length),
    ...listed("notes", within(notes, TOLD_BYTES), notes.length),
  };
}

/**
 * A name on one line, without what it hides. The beginning and the end: one endless name must not take the place of all
 * others.
 */
function shortPath(path: string, fence: Fence): string {
  const letters = Array.from(fence.label(path));
  if (letters.length <= MAX_PATH_CHARS) return letters.join("");
  const half = MAX_PATH_CHARS / 2;
  return `${letters.slice(0, half).join("")}…${letters.slice(-half).join("")}`;
}

type InspectedFile = PatchView["files"][number];

function fileLine(file: InspectedFile, fence: Fence): string {
  const { change, path, previousPath, insertions, deletions, suspicions } = file;
  const from = previousPath === undefined ? "" : ` (from ${shortPath(previousPath, fence)})`;
  const marks = suspicions.length === 0 ? "" : ` [${suspicions.map(({ kind }) => kind).join(", ")}]`;
  return `${change} ${shortPath(path, fence)}${from} +${insertions} -${deletions}${marks}`;
}

function failingFields(
  all: Extract<PatchView, { applies: "no" }>["failing"],
  fence: Fence,
  maxChars: number,
): Payload {
  const lines = all.map(({ path, reason }) => `${reason}: ${shortPath(path, fence)}`);
  const shown = within(lines.slice(0, MAX_FILES), maxChars);
  const left = lines.length - shown.length;
  return {
    failing: fence.wrap(shown.join("\n")),
    failingNotShown: left > 0 ? left : undefined,
  };
}
