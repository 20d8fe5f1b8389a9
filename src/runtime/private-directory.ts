import { chmod, lstat, mkdir } from "node:fs/promises";

/**
 * Makes the directory, or checks the one that is there: a real directory (not a link) of this user, open to nobody
 * else. Wrong permissions of an own directory are corrected. Anything else is an error: a user who controls the directory
 * could exchange a file in it between its check and its use. The folder around it must be there: one that was removed is not
 * this program's to bring back.
 */
export async function ensurePrivateDirectory(path: string, platform: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (!isCode(error, "EEXIST")) throw error;
  });
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Error("the path is not a directory");
  if (platform === "win32") return;
  if (process.getuid !== undefined && found.uid !== process.getuid()) {
    throw new Error("the directory belongs to another user");
  }
  if ((found.mode & 0o077) !== 0) await chmod(path, 0o700);
}

/** Whether the file or directory at `path` is this user's own, open to nobody else, and no link; false where nothing is. */
export async function isPrivate(
  path: string,
  kind: "directory" | "file",
  platform: string,
): Promise<boolean> {
  try {
    const found = await lstat(path);
    if (!(kind === "directory" ? found.isDirectory() : found.isFile())) return false;
    if (platform === "win32") return true;
    if (process.getuid !== undefined && found.uid !== process.getuid()) return false;
    return (found.mode & 0o077) === 0;
  } catch (error) {
    // Gone, or out of reach: not ours to use, whatever it is.
    if (error instanceof Error) return false;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
