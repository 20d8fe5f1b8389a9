import { Buffer } from "node:buffer";
import { INPUT_LIMITS } from "../../errors/base/limits.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { runGit, type GitCall, type GitResult } from "./run.ts";

export const PATCH = {
  maxBytes: INPUT_LIMITS.patchBytes,
  /** A large repository on a slow disk. */
  timeoutMs: 60_000,
  /** git reads the patch once more, and unpacks its binary changes in memory. */
  maxUnpackedBytes: 1024 * 1024 * 1024,
  /** Names of all files of a large repository. */
  maxListBytes: 64 * 1024 * 1024,
} as const;

const DIFF = ["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty"];

const PATCH_FORM = [
  "--binary",
  "--full-index",
  "--submodule=short",
  "--find-renames",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "--unified=3",
  "--inter-hunk-context=0",
];

/** The change between two commits, or between one and the working tree, in git's own form whatever the settings say. */
export async function diffOf(call: GitCall, commits: readonly string[]): Promise<GitResult> {
  return await runGit([...DIFF, ...PATCH_FORM, ...commits, "--"], { ...call, maxBytes: PATCH.maxBytes });
}

/** The names of the files that differ from a commit, as bytes in latin1. */
export async function changedFiles(call: GitCall, commit: string): Promise<string[]> {
  const args = [...DIFF, "--name-only", "--no-renames", "-z", commit, "--"];
  return namesIn(outputOf(await runGit(args, { ...call, maxBytes: PATCH.maxListBytes })));
}

/** Names that end with NUL. In latin1, since a name may be no UTF-8. */
export function namesIn(output: Buffer): string[] {
  return output
    .toString("latin1")
    .split("\0")
    .filter((name) => name !== "");
}

export function namesAsInput(names: readonly string[]): Buffer {
  return Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1");
}

/** A name as people read it. */
export function readable(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}

/** @throws {TunnelError} patch-too-large, cancelled, git-missing, git-failed */
export function outputOf(result: GitResult): Buffer {
  if (result.kind === "done" && result.exitCode === 0) return result.stdout;
  if (result.kind === "too-large") throw new TunnelError("patch-too-large");
  if (result.kind === "cancelled") throw new TunnelError("cancelled");
  if (result.kind === "missing") throw new TunnelError("git-missing");
  if (result.kind === "timeout") throw new TunnelError("git-failed", { detail: "it took too long" });
  const words = result.kind === "done" ? result.stderr.toString("latin1") : "";
  const damage = DAMAGES.find(([pattern]) => pattern.test(words))?.[1];
  throw new TunnelError("git-failed", damage === undefined ? {} : { detail: damage });
}

/** git's own words hold names and paths, so they are only recognised. */
const DAMAGES: readonly (readonly [RegExp, string])[] = [
  [
    /promisor|lazy fetch|transport '[^']*' not allowed/i,
    "this partial clone lacks files of these commits, and nothing is fetched unasked: run `git diff` of the same commits once, which fetches them",
  ],
  [/index file|bad index|bad signature 0x/i, "the index of the repository is damaged, as `git status` says"],
  [
    /corrupt|unable to read|bad object|missing (?:blob|tree)|loose object|bad tree|not a tree/i,
    "objects of the repository are missing or damaged: `git fsck` names them",
  ],
];
