import type { PatchFacts } from "../../protocol/files/offer.ts";
import type { PatchView } from "../../view/patches.ts";
import { boundsOf, within } from "./bounds.ts";
import type { Fence } from "./fence.ts";
import type { Payload } from "./result.ts";

/** Files that are listed: a result stays readable. */
const MAX_FILES = 50;
const MAX_PATH_CHARS = 200;

const BASE_TEXTS = {
  head: "It was made against the commit that is checked out here.",
  known: "It was made against another commit than the one checked out here; this repository has it.",
  unknown: "It was made against a commit that this repository does not have: fetch it first.",
  "not-given": "It names no commit that it was made against.",
  "no-repository": "The working directory is no git repository.",
} as const satisfies Record<PatchView["baseIs"], string>;

/**
 * The effects of a received patch: facts that this server found, with the names in it inside the fence.
 * @param limit characters of the whole result
 */
export function patchFields(facts: PatchFacts, view: PatchView, fence: Fence, limit: number): Payload {
  const bounds = boundsOf(limit);
  const { files, fileCount, insertions, deletions, suspicious, baseIs } = view;
  const shown = within(
    files.slice(0, MAX_FILES).map((file) => fileLine(file, fence)),
    bounds.patchFiles,
  );
  return {
    base: facts.base,
    baseIs,
    baseText: BASE_TEXTS[baseIs],
    applies: view.applies,
    ...(view.applies === "unknown" ? { reason: view.reason } : {}),
    ...(view.applies === "no" ? failingFields(view.failing, fence, bounds.patchFailing) : {}),
    fileCount,
    insertions,
    deletions,
    suspicious,
    files: fence.wrap(shown.join("\n")),
    filesNotShown: fileCount > shown.length ? fileCount - shown.length : undefined,
    note: "It was saved, not applied. Read it with your human before you apply it with git apply.",
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
