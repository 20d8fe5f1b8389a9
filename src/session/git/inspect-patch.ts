import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { readFailure } from "../paths/failures.ts";
import { oneLine } from "../paths/names.ts";
import { lexicalPath } from "../paths/roots.ts";
import { READ_ONLY } from "../paths/share.ts";
import { isCommitHash } from "./context.ts";
import { PATCH, readable } from "./diff.ts";
import { filtersOf, isConfigured, isPointerChange } from "./filters.ts";
import { decodePreamble, isMail, type ToldOfPatch } from "./preamble.ts";
import { readPatch, type PatchFile, type PatchReading } from "./read-patch.ts";
import { lookForRepository, type NoRepository, type Repository } from "./repository.ts";
import { gitText, runGit, type Environment } from "./run.ts";
import { headerSuspicions, suspicionsOf, type Suspicion } from "./suspicions.ts";

export interface InspectedFile {
  /** Names are the sender's words, on one line each: labels, not paths to act upon. */
  readonly path: string;
  readonly previousPath?: string;
  readonly change: PatchFile["change"];
  readonly isBinary: boolean;
  readonly insertions: number;
  readonly deletions: number;
  readonly suspicions: readonly Suspicion[];
}

/** Whether git would take the patch as the working tree is now. It is never applied here. */
export type Applies =
  | { readonly kind: "yes" }
  | {
      readonly kind: "no";
      readonly failing: readonly { readonly path: string; readonly reason: ApplyProblem }[];
    }
  | {
      readonly kind: "unknown";
      readonly reason:
        | "no-repository"
        | "malformed"
        | "too-large"
        | "git-failed"
        | "git-missing"
        | "git-not-owned"
        /** Some file goes through a filter (`.gitattributes`) that was not run, so git compared other bytes than it will. */
        | "filter";
    };

/** `changed-here`: git refuses commits where a file of theirs, or the index, has changes that no commit holds. */
type ApplyProblem = "conflict" | "missing" | "exists" | "refused" | "changed-here";

export interface PatchInspection {
  readonly files: readonly InspectedFile[];
  /** This and the counts of lines: undefined where git could not be asked. */
  readonly fileCount: number | undefined;
  readonly insertions: number | undefined;
  readonly deletions: number | undefined;
  /** Every kind that some file has, once. */
  readonly suspicions: readonly Suspicion["kind"][];
  readonly base:
    "head" | "known" | "unknown" | "not-given" | "no-repository" | "git-missing" | "git-not-owned";
  readonly applies: Applies;
  /** The command that makes git trust the repository here, where it belongs to somebody else. */
  readonly command: string | undefined;
  /** It holds commits, each as a mail (`git format-patch`). */
  readonly isMail: boolean;
  /** The words of its sender in front of it. */
  readonly told: ToldOfPatch | undefined;
}

const LIMITS = {
  /** Files that are told of; the counts are of all. */
  maxFiles: 500,
  /** `git apply --check` unpacks binary changes in memory. */
  maxBinaryBytes: 256 * 1024 * 1024,
  timeoutMs: 30_000,
} as const;

/**
 * Tells what a received patch would do, from its own text, and whether it would apply.
 * @param patchPath as this side's agent gave it: a file that was received and saved
 * @throws TunnelError `path-invalid`, `share-not-found`, `share-not-a-file`, `share-unreadable`, `patch-too-large`
 */
export async function inspectPatch(
  cwd: string,
  patchPath: string,
  options: { env: Environment; baseCommit?: string; signal?: AbortSignal; home?: string },
): Promise<PatchInspection> {
  const file = lexicalPath(patchPath, cwd);
  const bytes = await bytesOf(file);
  const { env, signal } = options;
  const { timeoutMs, maxBinaryBytes: maxUnpackedBytes } = LIMITS;
  const [reading, repository] = await Promise.all([
    readPatch(bytes, { env, timeoutMs, maxUnpackedBytes, signal }),
    lookForRepository(cwd, { ...options, timeoutMs }),
  ]);
  const files = reading.kind === "read" ? reading.files : [];
  const inspected = inspectFiles(files, reading.kind === "read" ? (reading.parts ?? []) : []);
  const suspicions = [...inspected.flatMap((one) => one.suspicions), ...wholeSuspicions(reading, bytes)];
  const isUnread = reading.kind === "git-missing" || reading.kind === "git-failed";
  const sum = (count: (file: PatchFile) => number): number | undefined =>
    isUnread ? undefined : files.reduce((total, file) => total + count(file), 0);
  return {
    files: inspected.slice(0, LIMITS.maxFiles),
    fileCount: sum(() => 1),
    insertions: sum(({ insertions }) => insertions),
    deletions: sum(({ deletions }) => deletions),
    suspicions: [...new Set(suspicions.map(({ kind }) => kind))],
    base: await baseOf(repository, options.baseCommit),
    applies: await applies(repository, bytes, reading),
    command: "command" in repository ? repository.command : undefined,
    isMail: isMail(bytes),
    told: decodePreamble(bytes),
  };
}

/** A patch that git refuses, or reads by guessing, may be taken otherwise by another program: its headers count as well. */
function wholeSuspicions(reading: PatchReading, bytes: Buffer): Suspicion[] {
  if (reading.kind === "read" && reading.parts !== undefined) return [];
  // A text without any part of a patch is no patch, which is nothing to warn of.
  if (!/^(?:diff --git |--- |\+\+\+ |@@ -|GIT binary patch)/m.test(bytes.toString("latin1"))) return [];
  // Without git nobody can say so.
  if (reading.kind === "git-missing") return headerSuspicions(bytes);
  const kind = reading.kind === "read" ? "traditional" : "malformed";
  return [{ kind }, ...headerSuspicions(bytes)];
}

async function bytesOf(file: string): Promise<Buffer> {
  const handle = await open(file, READ_ONLY).catch((error: unknown) => {
    throw readFailure(error);
  });
  try {
    const { size } = await statOfFile(handle);
    if (size > PATCH.maxBytes) throw new TunnelError("patch-too-large");
    return await handle.readFile();
  } catch (error) {
    throw readFailure(error);
  } finally {
    await handle.close();
  }
}

async function statOfFile(handle: Awaited<ReturnType<typeof open>>): Promise<{ size: number }> {
  const found = await handle.stat();
  if (!found.isFile()) throw new TunnelError("share-not-a-file");
  return found;
}

function inspectFiles(files: readonly PatchFile[], parts: readonly Buffer[]): InspectedFile[] {
  const seen = new Map<string, string>();
  return files.map((file, index) => {
    const part = parts[index];
    const isPointer = part !== undefined && isPointerChange(part);
    const { path: name, previousPath, change, isBinary, insertions, deletions } = file;
    return {
      path: oneLine(name, 1_024),
      ...(previousPath === undefined ? {} : { previousPath: oneLine(previousPath, 1_024) }),
      change,
      isBinary,
      insertions,
      deletions,
      suspicions: [...suspicionsOf(file, seen), ...(isPointer ? [{ kind: "lfs" } as const] : [])],
    };
  });
}

async function baseOf(
  repository: Repository | NoRepository,
  baseCommit: string | undefined,
): Promise<PatchInspection["base"]> {
  if (!("toplevel" in repository)) return repository.kind;
  if (baseCommit === undefined) return "not-given";
  if (!isCommitHash(baseCommit)) return "unknown";
  const head = await gitText(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], repository.call);
  if (head === baseCommit) return "head";
  const found = await runGit(["cat-file", "-e", `${baseCommit}^{commit}`], repository.call);
  return found.kind === "done" && found.exitCode === 0 ? "known" : "unknown";
}

async function applies(
  repository: Repository | NoRepository,
  bytes: Buffer,
  reading: PatchReading,
): Promise<Applies> {
  if (reading.kind !== "read") return { kind: "unknown", reason: reading.kind };
  if (!("toplevel" in repository)) return { kind: "unknown", reason: repository.kind };
  // From standard input: what is checked is what was read, whatever happens to the file.
  const result = await runGit(["apply", "--check", "-"], { ...repository.call, input: bytes });
  if (result.kind !== "done") return { kind: "unknown", reason: "git-failed" };
  const words = result.stderr.toString("utf8");
  const { idle, hasAny } = await filtersIn(repository, reading.files);
  const problems = result.exitCode === 0 ? [] : failing(words, reading.files);
  const certain = problems.filter(({ path: name }) => !idle.has(name));
  // A filter that cannot be run ends git with a word of the system's, and without one of a file.
  const isFilterBroken = hasAny && result.exitCode !== 0 && problems.length === 0;
  if (isFilterBroken || (idle.size > 0 && certain.length === 0)) return { kind: "unknown", reason: "filter" };
  if (result.exitCode === 0) return { kind: "yes" };
  return {
    kind: "no",
    failing: certain.map(({ path: name, reason }) => ({ path: oneLine(name, 1_024), reason })),
  };
}

/** Whether files of the patch go through a filter, and those whose filter git does not run here: it is the repository's own, or not set up. */
async function filtersIn(
  { call, ownFilters }: Repository,
  files: readonly PatchFile[],
): Promise<{ idle: ReadonlySet<string>; hasAny: boolean }> {
  const names = files.flatMap(({ path: name, previousPath }) => [name, previousPath ?? name]);
  // git takes no list in which one name leads out of the repository.
  const inside = names.filter((name) => !/^(?:[\\/]|[a-z]:)|(?:^|[\\/])\.\.(?:[\\/]|$)/i.test(name));
  const latin1 = inside.map((name) => Buffer.from(name).toString("latin1"));
  const filters = await filtersOf(call, latin1);
  const running = new Map<string, boolean>();
  for (const filter of new Set(filters.values()))
    running.set(filter, !ownFilters.has(filter) && (await isConfigured(call, filter)));
  const idle = [...filters]
    .filter(([, filter]) => running.get(filter) !== true)
    .map(([name]) => readable(name));
  return { idle: new Set(idle), hasAny: filters.size > 0 };
}

/** git's words quote the patch, so only paths that its own headers name are taken from them. */
export function failing(
  stderr: string,
  files: readonly PatchFile[],
): { path: string; reason: ApplyProblem }[] {
  const names = new Set(files.flatMap(({ path: name, previousPath }) => [name, previousPath ?? name]));
  const problems = new Map<string, ApplyProblem>();
  for (const line of stderr.split("\n")) {
    const [, name = "", words = ""] = /^error: (.*): ([^:]*)$/.exec(line) ?? [];
    if (names.has(name)) problems.set(name, reasonOf(words));
  }
  return [...problems].slice(0, LIMITS.maxFiles).map(([name, reason]) => ({ path: name, reason }));
}

function reasonOf(words: string): ApplyProblem {
  if (words.startsWith("patch does not apply")) return "conflict";
  if (words.startsWith("No such file")) return "missing";
  if (words.startsWith("already exists")) return "exists";
  return "refused";
}
