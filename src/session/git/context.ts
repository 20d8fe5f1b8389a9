import path from "node:path";
import { plainLabel, safeName } from "../paths/names.ts";
import { findRepository } from "./repository.ts";
import { gitText, runGit, type Environment } from "./run.ts";

export interface GitContext {
  /** The name of the project alone: no host, no account, no folder of this machine. */
  readonly repository: string;
  /** Undefined when HEAD is detached. */
  readonly branch: string | undefined;
  /** The hash of the commit; undefined before the first one. */
  readonly head: string | undefined;
  /** Whether there are changes, or files that are not ignored, which no commit holds. */
  readonly dirty: boolean;
}

const CONTEXT_TIMEOUT_MS = 2_000;

/** Where work happens, or undefined: outside a repository, without git, or when it takes too long. */
export async function contextOf(
  cwd: string,
  options: { env: Environment; timeoutMs?: number; home?: string },
): Promise<GitContext | undefined> {
  const timeoutMs = options.timeoutMs ?? CONTEXT_TIMEOUT_MS;
  // One limit for all calls together; the one of each call only catches what ignores the signal.
  const signal = AbortSignal.timeout(timeoutMs);
  const found = await findRepository(cwd, { ...options, timeoutMs, signal });
  if (found === undefined) return undefined;
  const status = [
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=normal",
    "--ignore-submodules=dirty",
  ];
  const [result, origin] = await Promise.all([
    runGit(status, { ...found.call, maxBytes: 16 * 1024 * 1024 }),
    gitText(["config", "--get", "remote.origin.url"], found.call),
  ]);
  if (result.kind !== "done" || result.exitCode !== 0) return undefined;
  const lines = result.stdout.toString("utf8").split("\0");
  const head = header(lines, "oid");
  const branch = header(lines, "head");
  return {
    repository: projectName(origin) ?? safeName(path.basename(found.toplevel)),
    branch: branch === undefined || branch === "(detached)" ? undefined : plainLabel(branch),
    head: head !== undefined && isCommitHash(head) ? head : undefined,
    dirty: lines.some((line) => line !== "" && !line.startsWith("# ")),
  };
}

/** SHA-1, or SHA-256 in the newer format. */
export function isCommitHash(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

function header(lines: readonly string[], name: string): string | undefined {
  const start = `# branch.${name} `;
  return lines.find((line) => line.startsWith(start))?.slice(start.length);
}

/** The last name in the path of a remote: `https://user:token@host/team/shop.git`, `git@host:team/shop`, `/srv/shop`. */
export function projectName(url: string | undefined): string | undefined {
  const withoutHost = (url ?? "").replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "").replace(/^[^/\\]*:/, "/");
  const last = withoutHost
    .replace(/[?#].*$/s, "")
    .split(/[\\/]+/)
    .filter((segment) => segment !== "")
    .at(-1);
  const name = last?.replace(/\.git$/i, "") ?? "";
  // A name that still looks like an address may hold an account or a token.
  return name === "" || /[@:]/.test(name) ? undefined : safeName(name);
}
