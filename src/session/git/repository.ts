import { lstat, realpath } from "node:fs/promises";
import path from "node:path";
import { homeDirectory } from "../../runtime/places.ts";
import { isTooWide, isWithin } from "../paths/roots.ts";
import { gitText, quietFilters, type Environment, type GitCall } from "./run.ts";

export interface Repository {
  /** Without symbolic links. */
  readonly toplevel: string;
  readonly gitDirectory: string;
  /** For further calls, at the top of the working tree. */
  readonly call: GitCall;
}

export interface RepositoryOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly home?: string;
}

/**
 * The repository around a folder. Undefined where there is none, no git, where git does not trust it (another owner), or
 * where its settings would have git look at files elsewhere (`core.worktree`).
 */
export async function findRepository(
  cwd: string,
  options: RepositoryOptions,
): Promise<Repository | undefined> {
  const { env, timeoutMs, signal, home = homeDirectory() } = options;
  const base: GitCall = { cwd, env, timeoutMs, ...(signal === undefined ? {} : { signal }) };
  const [filters, shown, gitDirectory] = await Promise.all([
    quietFilters(base),
    gitText(["rev-parse", "--show-toplevel"], base),
    gitText(["rev-parse", "--absolute-git-dir"], base),
  ]);
  if (filters === undefined || !shown || !gitDirectory) return undefined;
  const [toplevel, here, realHome] = await Promise.all([shown, cwd, home].map(realOrUndefined));
  if (toplevel === undefined || here === undefined) return undefined;
  if (!isWithin(toplevel, here) || isTooWide(toplevel, realHome ?? home)) return undefined;
  if (!(await isOwnTree(toplevel, gitDirectory))) return undefined;
  return { toplevel, gitDirectory, call: { ...base, cwd: toplevel, settings: filters } };
}

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
