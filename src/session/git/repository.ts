import { lstat, realpath } from "node:fs/promises";
import path from "node:path";
import { homeDirectory } from "../../runtime/places.ts";
import { OLDEST_GIT } from "../../errors/base/limits.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { isTooWide, isWithin } from "../paths/roots.ts";
import {
  gitText,
  ownFilters,
  runGit,
  withoutFilters,
  type Environment,
  type GitCall,
  type GitResult,
} from "./run.ts";

export interface Repository {
  /** Without symbolic links. */
  readonly toplevel: string;
  readonly gitDirectory: string;
  /** Filters that the repository itself defines; they are never started. */
  readonly ownFilters: ReadonlySet<string>;
  /** For further calls, at the top of the working tree. */
  readonly call: GitCall;
}

export interface RepositoryOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly home?: string;
}

/** Why there is none that can be used. */
export type NoRepository =
  | { readonly kind: "git-missing"; readonly detail?: string }
  /** `command` is git's own, which would make it trust the repository. */
  | { readonly kind: "git-not-owned"; readonly command: string }
  | { readonly kind: "no-repository"; readonly detail?: string };

/** Undefined where there is none that can be used, for whatever reason. */
export async function findRepository(
  cwd: string,
  options: RepositoryOptions,
): Promise<Repository | undefined> {
  const found = await lookForRepository(cwd, options);
  return "toplevel" in found ? found : undefined;
}

/**
 * The repository around a folder, or why it cannot be used: there is none, or no git; git does not trust it (another owner);
 * or its settings would have git look at files elsewhere (`core.worktree`).
 */
export async function lookForRepository(
  cwd: string,
  options: RepositoryOptions,
): Promise<Repository | NoRepository> {
  const { env, timeoutMs, signal, home = homeDirectory() } = options;
  const base: GitCall = { cwd, env, timeoutMs, ...(signal === undefined ? {} : { signal }) };
  const [filters, top, gitDirectory] = await Promise.all([
    ownFilters(base),
    runGit(["rev-parse", "--show-toplevel"], base),
    gitText(["rev-parse", "--absolute-git-dir"], base),
  ]);
  const shown = top.kind === "done" && top.exitCode === 0 ? top.stdout.toString("utf8").trimEnd() : "";
  if (shown === "" || filters === undefined || !gitDirectory) return await whyNone(base, top);
  const [toplevel, here, realHome] = await Promise.all([shown, cwd, home].map(realOrUndefined));
  if (toplevel === undefined || here === undefined) return { kind: "no-repository" };
  if (isTooWide(toplevel, realHome ?? home)) return { kind: "no-repository", detail: TOO_WIDE };
  if (!isWithin(toplevel, here) || !(await isOwnTree(toplevel, gitDirectory)))
    return { kind: "no-repository" };
  const call = { ...base, cwd: toplevel, settings: withoutFilters(filters) };
  return { toplevel, gitDirectory, ownFilters: filters, call };
}

const TOO_WIDE = "the one that is there holds a home or a whole disk, which is too much";

/** @throws {TunnelError} git-missing, git-not-owned, git-unavailable */
export function unavailable(none: NoRepository): TunnelError {
  switch (none.kind) {
    case "git-not-owned":
      return new TunnelError("git-not-owned", { detail: `\`${none.command}\`` });
    case "git-missing":
      return new TunnelError("git-missing", none.detail === undefined ? {} : { detail: none.detail });
    case "no-repository":
      return new TunnelError("git-unavailable", none.detail === undefined ? {} : { detail: none.detail });
  }
}

async function whyNone(base: GitCall, top: GitResult): Promise<NoRepository> {
  if (top.kind === "timeout") return { kind: "no-repository", detail: "git did not answer in time" };
  const version = await gitText(["--version"], base);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version ?? "") ?? [];
  // A folder that is gone looks like a missing program, and the stub of macOS fails whatever it is asked.
  if (version === undefined)
    return (await realOrUndefined(base.cwd)) === undefined
      ? { kind: "no-repository", detail: "the working directory does not exist any more" }
      : { kind: "git-missing" };
  const isOld =
    Number(major) < OLDEST_GIT.major ||
    (Number(major) === OLDEST_GIT.major && Number(minor) < OLDEST_GIT.minor);
  if (isOld) return { kind: "git-missing", detail: `git ${major}.${minor} is too old` };
  const words = top.kind === "done" ? top.stderr.toString("utf8") : "";
  const [, command] = /^\s*(git config --global --add safe\.directory \S.{0,4096})$/m.exec(words) ?? [];
  if (command !== undefined) return { kind: "git-not-owned", command };
  const detail = REASONS.find(([pattern]) => pattern.test(words))?.[1];
  return { kind: "no-repository", ...(detail === undefined ? {} : { detail }) };
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /bare repository|must be run in a work tree/,
    "a bare repository has no files of which a patch could be made",
  ],
  [/bad config|bad numeric config|bad boolean config/, "git cannot read its settings: see `git status`"],
  [
    /invalid gitfile|not a git repository: \S/,
    "its `.git` file leads to a repository that is not there any more",
  ],
];

/** Whether the top holds this very repository, as a folder or as the small file of a linked tree or a submodule. */
async function isOwnTree(toplevel: string, gitDirectory: string): Promise<boolean> {
  const entry = path.join(toplevel, ".git");
  const found = await lstat(entry).catch(() => undefined);
  if (found === undefined) return false;
  return found.isFile() || (await realOrUndefined(entry)) === (await realOrUndefined(gitDirectory));
}

async function realOrUndefined(folder: string): Promise<string | undefined> {
  return await realpath(folder).catch(() => undefined);
}
