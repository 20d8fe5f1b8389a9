import type { Buffer } from "node:buffer";
import { access, constants, lstat } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { plainLabel } from "../paths/names.ts";
import { changedFiles, diffOf, namesAsInput, namesIn, outputOf, PATCH, readable } from "./diff.ts";
import { filtersOf, hide, LFS, stagePointers } from "./filters.ts";
import type { LeftOut } from "./left-out.ts";
import { findRepository, type Repository } from "./repository.ts";
import { gitText, runGit, withoutFilters, type GitCall } from "./run.ts";
import { inScratch } from "./scratch.ts";
import { untrackedOf } from "./untracked.ts";

export interface Uncommitted {
  readonly bytes: Buffer;
  readonly baseCommit: string;
  readonly leftOut: readonly LeftOut[];
}

/**
 * Everything that is not committed, new files included, as git's own diff.
 * @throws {TunnelError} git-unavailable, git-failed, patch-conflicts, patch-untracked, patch-too-large, share-*, cancelled
 */
export async function uncommitted(repository: Repository): Promise<Uncommitted> {
  const baseCommit = await headOf(repository.call);
  const [untracked] = await Promise.all([untrackedOf(repository.call), refuseConflicts(repository.call)]);
  // Its pointers are made here, whoever has configured it.
  const settings = [...(repository.call.settings ?? []), ...withoutFilters([LFS])];
  const quiet = { ...repository, call: { ...repository.call, settings } };
  const { bytes, leftOut } = await inScratch(quiet, (scratch) =>
    named(scratch, untracked.files, async () => {
      const [modes, marked] = await Promise.all([indexModes(scratch), markedOf(scratch)]);
      await announce(scratch, untracked.files);
      const filtered = await withFilters(repository, scratch, { baseCommit, modes });
      const made = outputOf(await diffOf(scratch, [baseCommit]));
      const changed = await changedSubmodules(repository, modes);
      return { bytes: made, leftOut: [...marked, ...filtered, ...changed] };
    }),
  );
  return { bytes, baseCommit, leftOut: [...untracked.leftOut, ...leftOut] };
}

async function headOf(call: GitCall): Promise<string> {
  const hash = await gitText(["rev-parse", "--verify", "--quiet", "HEAD"], call);
  if (hash === undefined) throw new TunnelError("git-unavailable", { detail: "there is no commit yet" });
  const commit = await gitText(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], call);
  if (commit !== undefined) return commit;
  throw new TunnelError("git-failed", { detail: "the last commit is missing or damaged: see `git fsck`" });
}

const MAX_NAMED = 10;

/** @throws {TunnelError} patch-conflicts */
async function refuseConflicts(call: GitCall): Promise<void> {
  const result = await runGit(["ls-files", "--unmerged", "-z"], { ...call, maxBytes: PATCH.maxListBytes });
  // Each stands there once for each side of the merge.
  const names = [...new Set(namesIn(outputOf(result)).map((entry) => entry.slice(entry.indexOf("\t") + 1)))];
  if (names.length === 0) return;
  const shown = names.slice(0, MAX_NAMED).map((name) => plainLabel(readable(name), 200));
  const more = names.length > shown.length ? `, and ${names.length - shown.length} more` : "";
  throw new TunnelError("patch-conflicts", { detail: `${shown.join(", ")}${more}` });
}

/** The modes in the index, by name in latin1. */
async function indexModes(call: GitCall): Promise<ReadonlyMap<string, string>> {
  const result = await runGit(["ls-files", "--stage", "-z"], { ...call, maxBytes: PATCH.maxListBytes });
  return new Map(
    namesIn(outputOf(result)).map((entry) => [entry.slice(entry.indexOf("\t") + 1), entry.slice(0, 6)]),
  );
}

/** New files become known to git, which shows only what it knows. */
async function announce(scratch: GitCall, files: readonly string[]): Promise<void> {
  if (files.length === 0) return;
  const add = ["add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"];
  outputOf(await runGit(add, { ...scratch, input: namesAsInput(files) }));
}

/** Files that git was told not to look at, where they are there and have changed all the same. */
async function markedOf(scratch: GitCall): Promise<LeftOut[]> {
  const result = await runGit(["ls-files", "-v", "-z"], { ...scratch, maxBytes: PATCH.maxListBytes });
  const names: string[] = [];
  for (const entry of namesIn(outputOf(result))) {
    if (!/^[a-zS] /.test(entry)) continue;
    const name = entry.slice(2);
    const found = await lstat(path.join(scratch.cwd, readable(name))).catch(() => undefined);
    if (found !== undefined) names.push(name);
  }
  if (names.length === 0) return [];
  const input = namesAsInput(names);
  for (const flag of ["--no-assume-unchanged", "--no-skip-worktree"])
    outputOf(await runGit(["update-index", flag, "-z", "--stdin"], { ...scratch, input }));
  const diff = ["diff", "--name-only", "--no-ext-diff", "--ignore-submodules=dirty", "-z", "--"];
  const changed = namesIn(outputOf(await runGit(diff, { ...scratch, maxBytes: PATCH.maxListBytes })));
  await hide(scratch, names);
  return changed
    .filter((name) => names.includes(name))
    .map((name) => ({ path: readable(name), why: "marked" as const }));
}

/** LFS content becomes its pointer; content that goes through a filter which is not run is named. */
async function withFilters(
  { ownFilters }: Repository,
  scratch: GitCall,
  { baseCommit, modes }: { baseCommit: string; modes: ReadonlyMap<string, string> },
): Promise<LeftOut[]> {
  const filters = await filtersOf(scratch, await changedFiles(scratch, baseCommit));
  const lfs = [...filters].filter(([, filter]) => filter === LFS).map(([name]) => name);
  await stagePointers(scratch, lfs, modes);
  return [...filters]
    .filter(([, filter]) => filter !== LFS && ownFilters.has(filter))
    .map(([name]) => ({ path: readable(name), why: "filter" }));
}

const MAX_SUBMODULES = 100;

/** Each is asked as a repository of its own, with its own filters switched off. */
async function changedSubmodules(
  { call }: Repository,
  modes: ReadonlyMap<string, string>,
): Promise<LeftOut[]> {
  const links = [...modes].filter(([, mode]) => mode === "160000").map(([name]) => name);
  const changed: LeftOut[] = [];
  for (const name of links.slice(0, MAX_SUBMODULES)) {
    const folder = path.join(call.cwd, readable(name));
    const inner = await findRepository(folder, call);
    // One that was never fetched is an empty folder of the outer one.
    if (inner === undefined || inner.toplevel === call.cwd) continue;
    const status = ["status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"];
    const result = await runGit(status, { ...inner.call, maxBytes: PATCH.maxListBytes });
    const isClean = result.kind === "done" && result.exitCode === 0 && result.stdout.length === 0;
    if (!isClean) changed.push({ path: `${readable(name)}/`, why: "submodule-changed" });
  }
  return changed;
}

/** A failure of git, with the file that it could not read, if there is one. */
async function named<T>(scratch: GitCall, untracked: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    if (error.code === "patch-too-large") throw await largest(scratch, untracked, error);
    if (error.code === "git-failed" && error.detail === undefined)
      throw await unreadable(scratch, untracked, error);
    throw error;
  }
}

/** Without a look into any of them. */
async function touched(scratch: GitCall, untracked: readonly string[]): Promise<string[]> {
  const result = await runGit(["diff-files", "--name-only", "-z", "--ignore-submodules=dirty"], {
    ...scratch,
    maxBytes: PATCH.maxListBytes,
  });
  const known = result.kind === "done" ? namesIn(result.stdout) : [];
  return [...new Set([...known, ...untracked])];
}

async function unreadable(
  scratch: GitCall,
  untracked: readonly string[],
  cause: TunnelError,
): Promise<TunnelError> {
  for (const name of await touched(scratch, untracked)) {
    const file = path.join(scratch.cwd, readable(name));
    const found = await lstat(file).catch(() => undefined);
    if (found === undefined || found.isSymbolicLink() || found.isDirectory()) continue;
    const detail = plainLabel(readable(name), 200);
    if (!found.isFile()) return new TunnelError("share-not-a-file", { detail, cause });
    const isReadable = await access(file, constants.R_OK).then(
      () => true,
      () => false,
    );
    if (!isReadable) return new TunnelError("share-unreadable", { detail, cause });
  }
  return cause;
}

async function largest(
  scratch: GitCall,
  untracked: readonly string[],
  cause: TunnelError,
): Promise<TunnelError> {
  let most = { name: "", size: -1 };
  for (const name of await touched(scratch, untracked)) {
    const found = await lstat(path.join(scratch.cwd, readable(name))).catch(() => undefined);
    if (found?.isFile() === true && found.size > most.size) most = { name, size: found.size };
  }
  if (most.size < 0) return cause;
  const detail = `the largest changed file is ${plainLabel(readable(most.name), 200)} with ${most.size} bytes`;
  return new TunnelError("patch-too-large", { detail, cause });
}
