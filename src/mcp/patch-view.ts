import type { PatchFacts } from "../protocol/offer.ts";
import type { InspectedFile, PatchInspection } from "../session/git/inspect-patch.ts";
import type { Fence } from "./fence.ts";
import type { Payload } from "./result.ts";

/** Files that are shown one by one, and characters of their names: a result stays readable. */
const MAX_FILES = 50;

const BASE_TEXTS = {
  head: "It was made against the commit that is checked out here.",
  known: "It was made against another commit than the one checked out here; this repository has it.",
  unknown: "It was made against a commit that this repository does not have: fetch it first.",
  "not-given": "It names no commit that it was made against.",
  "no-repository": "The working directory is no git repository.",
} as const satisfies Record<PatchInspection["base"], string>;

/** What a received patch would do here: facts found by this server, with the names in it inside the fence. */
export function patchView(facts: PatchFacts, inspection: PatchInspection, fence: Fence): Payload {
  const { files, fileCount, insertions, deletions, suspicions, base, applies } = inspection;
  const shown = files.slice(0, MAX_FILES);
  return {
    base: facts.base,
    baseIs: base,
    baseText: BASE_TEXTS[base],
    applies: applies.kind,
    ...(applies.kind === "unknown" ? { reason: applies.reason } : {}),
    ...(applies.kind === "no"
      ? { failing: fence.wrap(lines(applies.failing.map(({ path, reason }) => `${reason}: ${path}`))) }
      : {}),
    fileCount,
    insertions,
    deletions,
    suspicious: suspicions,
    files: fence.wrap(lines(shown.map(fileLine))),
    filesNotShown: fileCount > shown.length ? fileCount - shown.length : undefined,
    note: "It was saved, not applied. Read it with your human before you apply it with git apply.",
  };
}

function fileLine({ change, path, previousPath, insertions, deletions, suspicions }: InspectedFile): string {
  const from = previousPath === undefined ? "" : ` (from ${previousPath})`;
  const marks = suspicions.length === 0 ? "" : ` [${suspicions.map(({ kind }) => kind).join(", ")}]`;
  return `${change} ${path}${from} +${insertions} -${deletions}${marks}`;
}

function lines(all: readonly string[]): string {
  return all.slice(0, MAX_FILES).join("\n");
}
