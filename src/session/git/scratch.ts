import { copyFile, mkdir, mkdtemp, realpath, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tempDirectory } from "../../runtime/places.ts";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { codeOf } from "../paths/failures.ts";
import type { Repository } from "./repository.ts";
import { gitText, type GitCall } from "./run.ts";

/** A copy of the index, and a place for objects, that are thrown away: neither those of the repository are touched, nor its locks. */
export async function inScratch<T>(
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
