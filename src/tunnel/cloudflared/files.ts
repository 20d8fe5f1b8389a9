import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

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
