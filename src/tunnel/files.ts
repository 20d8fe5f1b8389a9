import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, lstat, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Larger than any cloudflared so far (40 MB packed, 60 MB unpacked), small enough not to fill a disk. */
export const MAX_BINARY_BYTES = 256 * 1024 * 1024;

/** Lower-case hex SHA-256 of a file. */
export async function sha256OfFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { signal, highWaterMark: 1024 * 1024 })) {
    if (chunk instanceof Uint8Array) hash.update(chunk);
  }
  return hash.digest("hex");
}

/** A script that is run by this Node and not by the system. */
export function isScript(path: string): boolean {
  return /\.[cm]?js$/i.test(path);
}

/** A regular file that can be run and that not every user of the machine can alter. */
export async function isRunnableFile(path: string, platform: string): Promise<boolean> {
  try {
    const file = await stat(path);
    if (!file.isFile()) return false;
    if (platform === "win32") return true;
    const executable = (file.mode & 0o111) !== 0 || isScript(path);
    return executable && (file.mode & 0o002) === 0;
  } catch {
    return false;
  }
}

/** Whether every user of the machine may put files into the directory, be it sticky or not. */
export async function isWorldWritable(directory: string, platform: string): Promise<boolean> {
  if (platform === "win32") return false;
  try {
    return ((await stat(directory)).mode & 0o002) !== 0;
  } catch {
    return true;
  }
}

/**
 * Makes the directory, or checks the one that is there: a real directory (not a link) of this user, open to nobody
 * else. Wrong permissions of an own directory are corrected; anything else is an error, since whoever controls the
 * directory could exchange the program between its check and its start.
 */
export async function ensurePrivateDirectory(path: string, platform: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if (!isCode(error, "EEXIST")) throw error;
  });
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Error("the cache path is not a directory");
  if (platform === "win32") return;
  if (process.getuid !== undefined && found.uid !== process.getuid()) {
    throw new Error("the cache directory belongs to another user");
  }
  if ((found.mode & 0o077) !== 0) await chmod(path, 0o700);
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
