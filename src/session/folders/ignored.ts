import { mkdtemp, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { tempDirectory } from "../../runtime/places.ts";
import { namesIn, outputOf, PATCH } from "../git/diff.ts";
import { findRepository } from "../git/repository.ts";
import { runGit, type Environment, type GitCall } from "../git/run.ts";

export interface IgnoredOptions {
  readonly env: Environment;
  readonly home: string;
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 30_000;
const LIST = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];

/**
 * The files and folders below a folder that git ignores there, as absolute paths. Where the folder is in no repository that can be used, the
 * `.gitignore` files in it count as if it were one.
 * @param folder without symbolic links
 * @returns undefined where there is no git; nothing where the folder itself is ignored: who names it means what is in it
 * @throws {TunnelError} git-failed, cancelled
 */
export async function ignoredIn(
  folder: string,
  options: IgnoredOptions,
): Promise<ReadonlySet<string> | undefined> {
  const { env, home, signal } = options;
  const found = await findRepository(folder, { env, home, signal, timeoutMs: TIMEOUT_MS });
  if (found !== undefined) {
    const call = { ...found.call, cwd: folder };
    const isRoot = path.relative(found.toplevel, folder) === "";
    if (!isRoot && (await isIgnored(found.call, folder))) return new Set();
    return await listed(call, folder);
  }
  const base: GitCall = { cwd: folder, env, signal, timeoutMs: TIMEOUT_MS };
  return await withEmptyRepository(base, (call) => listed(call, folder));
}

/** Whether the folder itself is what is ignored. */
async function isIgnored(call: GitCall, folder: string): Promise<boolean> {
  const name = path.relative(call.cwd, folder).split(path.sep).join("/");
  const result = await runGit(["check-ignore", "--quiet", "--", name], call);
  return result.kind === "done" && result.exitCode === 0;
}

async function listed(call: GitCall, folder: string): Promise<ReadonlySet<string> | undefined> {
  const result = await runGit(LIST, { ...call, maxBytes: PATCH.maxListBytes });
  if (result.kind === "missing") return undefined;
  const names = namesIn(outputOf(result)).map((name) => Buffer.from(name, "latin1").toString("utf8"));
  // `./` says that nothing but ignored files is in it.
  return new Set(
    names.filter((name) => name !== "./").map((name) => path.join(folder, name.replace(/\/$/, ""))),
  );
}

/** A repository with nothing in it, for a working tree that is none: git then reads the rules of that tree, and no settings of it. */
async function withEmptyRepository<T>(
  base: GitCall,
  work: (call: GitCall) => Promise<T | undefined>,
): Promise<T | undefined> {
  const scratch = await mkdtemp(path.join(await realpath(tempDirectory()), "tunnel-ignore-"));
  try {
    const made = await runGit(["init", "--quiet", "--template=", scratch], { ...base, cwd: scratch });
    if (made.kind === "missing") return undefined;
    if (made.kind === "cancelled") throw new TunnelError("cancelled");
    return await work({ ...base, extra: { GIT_DIR: path.join(scratch, ".git"), GIT_WORK_TREE: base.cwd } });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
