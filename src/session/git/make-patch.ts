import { Buffer } from "node:buffer";
import { copyFile, mkdir, mkdtemp, realpath, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { tempDirectory } from "../../runtime/places.ts";
import { INPUT_LIMITS } from "../../errors/base/limits.ts";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { codeOf } from "../paths/failures.ts";
import { plainLabel } from "../paths/names.ts";
import { sensitiveContent, sensitiveName } from "../paths/sensitive.ts";
import { isCommitHash } from "./context.ts";
import { readPatch, type PatchFile } from "./read-patch.ts";
import { findRepository, type Repository } from "./repository.ts";
import { gitText, runGit, type Environment, type GitCall, type GitResult } from "./run.ts";

export const PATCH = {
  maxBytes: INPUT_LIMITS.patchBytes,
  /** A large repository on a slow disk. */
  timeoutMs: 60_000,
  /** git reads the patch once more, and unpacks its binary changes in memory. */
  maxUnpackedBytes: 1024 * 1024 * 1024,
  /** Names of files that no commit holds; more are a folder that somebody forgot to ignore. */
  maxUntrackedBytes: 1024 * 1024,
} as const;

export interface Patch {
  readonly bytes: Buffer;
  /** The commit it applies to; undefined when it begins with the first commit of a repository. */
  readonly baseCommit: string | undefined;
  readonly diffstat: { readonly files: number; readonly insertions: number; readonly deletions: number };
  /** Paths in the repository. */
  readonly files: readonly string[];
}

export interface MakePatchOptions {
  readonly env: Environment;
  /** Absolute paths of single files that a human lets through although they look like a secret. */
  readonly allow: readonly string[];
  /** One commit, or `BASE..TIP`; without it, everything that is not committed, new files included. */
  readonly range?: string;
  readonly signal?: AbortSignal;
  readonly home?: string;
}

const DIFF = [
  "diff",
  "--binary",
  "--full-index",
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--ignore-submodules=dirty",
  "--submodule=short",
  "--find-renames",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "--unified=3",
  "--inter-hunk-context=0",
];

/**
 * The change as one patch. Neither index nor objects of the repository are touched.
 * @throws TunnelError `git-unavailable`, `git-failed`, `patch-range`, `patch-empty`, `patch-too-large`, `share-sensitive`, `cancelled`
 */
export async function makePatch(cwd: string, options: MakePatchOptions): Promise<Patch> {
  const { range, allow } = options;
  const repository = await findRepository(cwd, { ...options, timeoutMs: PATCH.timeoutMs });
  options.signal?.throwIfAborted();
  if (repository === undefined) throw new TunnelError("git-unavailable");
  const { bytes, baseCommit } =
    range === undefined ? await uncommitted(repository, allow) : await committed(repository, range);
  if (bytes.length === 0) throw new TunnelError("patch-empty");
  const { files, parts } = await readOwn(bytes, options);
  for (const [index, { path: name, previousPath }] of files.entries()) {
    for (const one of previousPath === undefined ? [name] : [previousPath, name])
      await refuseName(repository, one, allow);
    await refuseContent(repository, name, parts[index], allow);
  }
  return {
    bytes,
    baseCommit,
    diffstat: {
      files: files.length,
      insertions: files.reduce((total, { insertions }) => total + insertions, 0),
      deletions: files.reduce((total, { deletions }) => total + deletions, 0),
    },
    files: files.map(({ path: name }) => name),
  };
}

async function readOwn(
  bytes: Buffer,
  { env, signal }: MakePatchOptions,
): Promise<{ files: readonly PatchFile[]; parts: readonly Buffer[] }> {
  const { timeoutMs, maxUnpackedBytes } = PATCH;
  const reading = await readPatch(bytes, { env, timeoutMs, maxUnpackedBytes, signal });
  if (reading.kind === "too-large") throw new TunnelError("patch-too-large");
  if (signal?.aborted === true) throw new TunnelError("cancelled");
  if (reading.kind !== "read" || reading.parts === undefined) throw new TunnelError("git-failed");
  return { files: reading.files, parts: reading.parts };
}

async function committed(
  { call }: Repository,
  range: string,
): Promise<{ bytes: Buffer; baseCommit: string | undefined }> {
  const ends = range.split("..");
  const [start, second] = ends;
  if (ends.length > 2) throw new TunnelError("patch-range");
  const first = must(start, "the first end of a range");
  const tip = await commit(call, second ?? first);
  const base = second === undefined ? await parentOf(call, tip) : await commit(call, first);
  const from = base ?? (await emptyTree(call));
  return { bytes: outputOf(await diff(call, [from, tip])), baseCommit: base };
}

/** A revision as people write it; nothing that git could take for an option, a path or a search. */
async function commit(call: GitCall, revision: string): Promise<string> {
  if (!/^[A-Za-z0-9_@][\w./@{}^~+-]{0,254}$/.test(revision)) throw new TunnelError("patch-range");
  const hash = await gitText(["rev-parse", "--verify", "--quiet", `${revision}^{commit}`], call);
  if (hash === undefined || !isCommitHash(hash)) throw new TunnelError("patch-range");
  return hash;
}

async function parentOf(call: GitCall, tip: string): Promise<string | undefined> {
  return await gitText(["rev-parse", "--verify", "--quiet", `${tip}^1`], call);
}

async function emptyTree(call: GitCall): Promise<string> {
  const hash = await gitText(["hash-object", "-t", "tree", "--stdin"], call);
  if (hash === undefined) throw new TunnelError("git-failed");
  return hash;
}

async function uncommitted(
  repository: Repository,
  allow: readonly string[],
): Promise<{ bytes: Buffer; baseCommit: string }> {
  const { call } = repository;
  const baseCommit = await gitText(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], call);
  if (baseCommit === undefined)
    throw new TunnelError("git-unavailable", { detail: "there is no commit yet" });
  const listed = await runGit(["ls-files", "--others", "--exclude-standard", "-z"], {
    ...call,
    maxBytes: PATCH.maxUntrackedBytes,
  });
  // A name that ends with a slash is a repository of its own.
  const untracked = outputOf(listed)
    .toString("latin1")
    .split("\0")
    .filter((name) => name !== "" && !name.endsWith("/"));
  if (untracked.length === 0) return { bytes: outputOf(await diff(call, [baseCommit])), baseCommit };
  for (const name of untracked) {
    const file = Buffer.from(name, "latin1").toString("utf8");
    await refuseName(repository, file, allow);
  }
  const input = Buffer.from(untracked.join("\0"), "latin1");
  const bytes = await inScratch(repository, async (scratch) => {
    const add = ["add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"];
    outputOf(await runGit(add, { ...scratch, input }));
    return outputOf(await diff(scratch, [baseCommit]));
  });
  return { bytes, baseCommit };
}

/** A copy of the index, and a place for objects, that are thrown away: git shows new files only when it knows of them. */
async function inScratch<T>(
  { call, gitDirectory }: Repository,
  work: (scratch: GitCall) => Promise<T>,
): Promise<T> {
  const index = await gitText(["rev-parse", "--git-path", "index"], call);
  const objects = await gitText(["rev-parse", "--git-path", "objects"], call);
  if (index === undefined || objects === undefined) throw new TunnelError("git-failed");
  const folder = await mkdtemp(path.join(await realpath(tempDirectory()), "tunnel-patch-"));
  try {
    const scratchIndex = path.join(folder, "index");
    await copyIndex(path.resolve(call.cwd, index), scratchIndex);
    await mkdir(path.join(folder, "objects", "info"), { recursive: true });
    const store = path.resolve(call.cwd, objects).split(path.sep).join("/");
    await writeFile(path.join(folder, "objects", "info", "alternates"), `${store}\n`);
    const extra = {
      GIT_DIR: gitDirectory,
      GIT_WORK_TREE: call.cwd,
      GIT_INDEX_FILE: scratchIndex,
      GIT_OBJECT_DIRECTORY: path.join(folder, "objects"),
    };
    return await work({ ...call, extra });
  } catch (error) {
    throw error instanceof TunnelError
      ? error
      : new TunnelError("git-failed", { detail: codeOf(error), cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** With its time: git looks at the content of a file that is not older than the index, whose record may be of the same second. */
async function copyIndex(index: string, copy: string): Promise<void> {
  try {
    const { atime, mtime } = await stat(index);
    await copyFile(index, copy);
    await utimes(copy, atime, mtime);
  } catch (error) {
    // A repository in which nothing was ever added has none.
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

async function diff(call: GitCall, commits: readonly string[]): Promise<GitResult> {
  return await runGit([...DIFF, ...commits, "--"], { ...call, maxBytes: PATCH.maxBytes });
}

function outputOf(result: GitResult): Buffer {
  if (result.kind === "done" && result.exitCode === 0) return result.stdout;
  if (result.kind === "too-large") throw new TunnelError("patch-too-large");
  if (result.kind === "cancelled") throw new TunnelError("cancelled");
  throw new TunnelError("git-failed", result.kind === "timeout" ? { detail: "it took too long" } : {});
}

async function refuseName({ toplevel }: Repository, file: string, allow: readonly string[]): Promise<void> {
  const rule = sensitiveName(file);
  if (rule === undefined || (await isAllowed(path.join(toplevel, file), allow))) return;
  throw new TunnelError("share-sensitive", { detail: `${plainLabel(file)}: ${rule}` });
}

async function refuseContent(
  { toplevel }: Repository,
  file: string,
  part: Buffer | undefined,
  allow: readonly string[],
): Promise<void> {
  const rule = part === undefined ? undefined : sensitiveContent(part);
  if (rule === undefined || (await isAllowed(path.join(toplevel, file), allow))) return;
  throw new TunnelError("share-sensitive", { detail: `${plainLabel(file)}: ${rule}` });
}

async function isAllowed(file: string, allow: readonly string[]): Promise<boolean> {
  for (const allowed of allow) {
    // A file that the patch deletes is not there any more, and is known by its path alone.
    if (path.normalize(allowed) === file || (await realpath(allowed).catch(() => allowed)) === file)
      return true;
  }
  return false;
}
