import type { PatchFacts } from "../../protocol/files/offer.ts";
import type { InspectedFile, PatchInspection } from "../../session/git/inspect-patch.ts";
import { within } from "./bounds.ts";
import type { Fence } from "./fence.ts";
import type { Payload } from "./result.ts";

/** Files that are shown one by one, and bytes of their names: a result stays readable. */
const MAX_FILES = 50;
const MAX_PATH_CHARS = 200;
const FILES_BYTES = 8 * 1024;
const FAILING_BYTES = 4 * 1024;

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
  const shown = within(files.slice(0, MAX_FILES).map(fileLine), FILES_BYTES);
  return {
    base: facts.base,
    baseIs: base,
    baseText: BASE_TEXTS[base],
    applies: applies.kind,
    ...(applies.kind === "unknown" ? { reason: applies.reason } : {}),
    ...(applies.kind === "no" ? failingView(applies.failing, fence) : {}),
    fileCount,
    insertions,
    deletions,
    suspicious: suspicions,
    files: fence.wrap(shown.join("\n")),
    filesNotShown: fileCount > shown.length ? fileCount - shown.length : undefined,
    note: "It was saved, not applied. Read it with your human before you apply it with git apply.",
  };
}

/** As it begins and as it ends: one endless name must not take the place of all others. */
function shortPath(path: string): string {
  const letters = Array.from(path);
  if (letters.length <= MAX_PATH_CHARS) return path;
  const half = MAX_PATH_CHARS / 2;
  return `${letters.slice(0, half).join("")}…${letters.slice(-half).join("")}`;
}

function fileLine({ change, path, previousPath, insertions, deletions, suspicions }: InspectedFile): string {
  const from = previousPath === undefined ? "" : ` (from ${shortPath(previousPath)})`;
  const marks = suspicions.length === 0 ? "" : ` [${suspicions.map(({ kind }) => kind).join(", ")}]`;
  return `${change} ${shortPath(path)}${from} +${insertions} -${deletions}${marks}`;
}

type Failing = Extract<PatchInspection["applies"], { kind: "no" }>["failing"];

function failingView(all: Failing, fence: Fence): Payload {
  const lines = all.map(({ path, reason }) => `${reason}: ${shortPath(path)}`);
  const shown = within(lines.slice(0, MAX_FILES), FAILING_BYTES);
  const left = lines.length - shown.length;
  return {
    failing: fence.wrap(shown.join("\n")),
    failingNotShown: left > 0 ? left : undefined,
  };
}
