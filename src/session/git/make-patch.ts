import { Buffer } from "node:buffer";
import { realpath } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { plainLabel } from "../paths/names.ts";
import { sensitiveName } from "../paths/sensitive.ts";
import { diffOf, outputOf, PATCH } from "./diff.ts";
import { leftOutText, type LeftOut } from "./left-out.ts";
import { isPointerChange } from "./filters.ts";
import { encodePreamble } from "./preamble.ts";
import { commitName, rangeOf, type CommitName } from "./range.ts";
import { readPatch, type PatchFile } from "./read-patch.ts";
import { lookForRepository, unavailable, type Repository } from "./repository.ts";
import { gitText, type Environment, type GitCall } from "./run.ts";
import { ignoredOf } from "./untracked.ts";
import { uncommitted } from "./working-tree.ts";

export { PATCH };

export interface Patch {
  /** With lines in front of the first file that git skips: ends of the change, and what is left out. */
  readonly bytes: Buffer;
  /** The commit it applies to; undefined when it begins with the first commit of a repository. */
  readonly baseCommit: string | undefined;
  readonly base: CommitName | undefined;
  /** The last commit in it; undefined when it is not committed. */
  readonly head: CommitName | undefined;
  readonly diffstat: { readonly files: number; readonly insertions: number; readonly deletions: number };
  /** Paths in the repository. */
  readonly files: readonly string[];
  /** Texts with a path each: files whose names say that they hold secrets, and that nobody has let through. */
  readonly sensitive: readonly string[];
  /** Texts with a path each: files of which the patch holds packed bytes. */
  readonly binary: readonly string[];
  /** Texts with a path each: what the change has and the patch has not. */
  readonly leftOut: readonly string[];
  /** Texts: what somebody who reads the patch must know of it. */
  readonly notes: readonly string[];
}

export interface MakePatchOptions {
  readonly env: Environment;
  /** Absolute paths of single files that may be in it although their names say that they hold secrets. */
  readonly allow: readonly string[];
  /** One commit, or `BASE..TIP` (`rangeOf`); without it, everything that is not committed, new files included. */
  readonly range?: string;
  readonly signal?: AbortSignal;
  readonly home?: string;
}

/**
 * The change as one patch. Neither index nor objects of the repository are touched.
 * @throws {TunnelError} git-missing, git-not-owned, git-unavailable, git-failed, patch-*, share-unreadable, cancelled
 */
export async function makePatch(cwd: string, options: MakePatchOptions): Promise<Patch> {
  const { range } = options;
  const repository = await ownRepository(cwd, options);
  const change = range === undefined ? await notCommitted(repository) : await committed(repository, range);
  return await patchOf(repository, change, options);
}

/** @throws {TunnelError} git-missing, git-not-owned, git-unavailable, cancelled */
export async function ownRepository(cwd: string, options: MakePatchOptions): Promise<Repository> {
  const repository = await lookForRepository(cwd, { ...options, timeoutMs: PATCH.timeoutMs });
  if (options.signal?.aborted === true) throw new TunnelError("cancelled");
  if (!("toplevel" in repository)) throw unavailable(repository);
  return repository;
}

/** A change that was made, with all that is to be known of it. @throws {TunnelError} patch-empty, patch-too-large, git-failed, cancelled */
export async function patchOf(
  repository: Repository,
  change: Change,
  options: MakePatchOptions,
): Promise<Patch> {
  const { range, allow } = options;
  const { bytes, baseCommit, head, notes } = change;
  if (bytes.length === 0) {
    const detail = change.leftOut.slice(0, 5).map(leftOutText).join("; ");
    throw new TunnelError("patch-empty", detail === "" ? {} : { detail });
  }
  const { files, parts } = await readOwn(bytes, options);
  const sensitive: string[] = [];
  for (const { path: name, previousPath } of files)
    for (const one of previousPath === undefined ? [name] : [previousPath, name]) {
      const rule = await sensitiveIn(repository, one, allow);
      if (rule !== undefined) sensitive.push(`${plainLabel(one)}: ${rule}`);
    }
  const base = baseCommit === undefined ? undefined : await commitName(repository.call, baseCommit);
  const leftOut = [...change.leftOut, ...carriedInPart(files, parts)].map(leftOutText);
  // A mailbox begins with its first mail.
  const preamble = change.isMail === true ? Buffer.alloc(0) : encodePreamble({ base, head, leftOut, notes });
  if (preamble.length + bytes.length > PATCH.maxBytes) throw new TunnelError("patch-too-large");
  const ignored = range === undefined ? await ignoredOf(repository.call) : undefined;
  return {
    bytes: Buffer.concat([preamble, bytes]),
    baseCommit,
    base,
    head,
    diffstat: {
      files: new Set(files.map(({ path: name }) => name)).size,
      insertions: files.reduce((total, { insertions }) => total + insertions, 0),
      deletions: files.reduce((total, { deletions }) => total + deletions, 0),
    },
    files: files.map(({ path: name }) => name),
    sensitive,
    binary: files.filter(({ isBinary }) => isBinary).map(({ path: name }) => `${plainLabel(name)}: binary`),
    leftOut,
    notes: [...notes, ...(ignored === undefined ? [] : [ignoredText(ignored)])],
  };
}

export interface Change {
  readonly bytes: Buffer;
  readonly baseCommit: string | undefined;
  readonly head: CommitName | undefined;
  readonly leftOut: readonly LeftOut[];
  readonly notes: readonly string[];
  /** Commits, each as a mail. */
  readonly isMail?: true;
}

async function notCommitted(repository: Repository): Promise<Change> {
  const made = await uncommitted(repository);
  return { ...made, head: undefined, notes: [] };
}

async function committed(repository: Repository, range: string): Promise<Change> {
  const { call } = repository;
  const { base, tip, notes } = await rangeOf(repository, range);
  const bytes = outputOf(await diffOf(call, [base ?? (await emptyTree(call)), tip]));
  return { bytes, baseCommit: base, head: await commitName(call, tip), leftOut: [], notes };
}

async function emptyTree(call: GitCall): Promise<string> {
  const hash = await gitText(["hash-object", "-t", "tree", "--stdin"], call);
  if (hash === undefined) throw new TunnelError("git-failed");
  return hash;
}

/** What a patch names without holding it. */
function carriedInPart(files: readonly PatchFile[], parts: readonly Buffer[]): LeftOut[] {
  return files.flatMap(({ path: name, oldMode, newMode }, index): LeftOut[] => {
    if (newMode === "160000" || oldMode === "160000") return [{ path: name, why: "submodule-moved" }];
    const part = parts[index];
    return part !== undefined && isPointerChange(part) ? [{ path: name, why: "lfs" }] : [];
  });
}

/** The names stay here: the other side has no use for them. */
function ignoredText({ count, first }: { count: number; first: readonly string[] }): string {
  const more = count > first.length ? ", ..." : "";
  return `${count} files and folders are ignored (.gitignore) and not in it: ${first.join(", ")}${more}`;
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

/** The rule that a name breaks, unless a human has let this file through. */
async function sensitiveIn(
  { toplevel }: Repository,
  file: string,
  allow: readonly string[],
): Promise<string | undefined> {
  const rule = sensitiveName(file);
  return rule === undefined || (await isAllowed(path.join(toplevel, file), allow)) ? undefined : rule;
}

async function isAllowed(file: string, allow: readonly string[]): Promise<boolean> {
  for (const allowed of allow) {
    // A file that the patch deletes is not there any more, and is known by its path alone.
    if (path.normalize(allowed) === file || (await realpath(allowed).catch(() => allowed)) === file)
      return true;
  }
  return false;
}
