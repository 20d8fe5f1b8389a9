import { mkdir, rmdir, stat } from "node:fs/promises";
import type { Clock } from "../../../runtime/clock.ts";
import { Unusable } from "../formats/config-text.ts";

/** A holder renews its lock; one that has not for so long has died. */
const STALE_MS = 30_000;
const RETRY_MS = 100;
const MAX_TRIES = 100;

export interface LockOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Does `work` while it holds a lock in the manner of npm's `proper-lockfile`: a folder, since making one either succeeds or
 * finds it there. Sessions of Claude Code take the same lock to write the same file.
 * @throws {Unusable} when another program holds it for too long
 */
export async function underLock<Value>(
  folder: string,
  work: () => Promise<Value>,
  { clock, signal }: LockOptions,
): Promise<Value> {
  for (let tries = 0; !(await isTaken(folder)); tries += 1) {
    if (tries === MAX_TRIES || signal.aborted)
      throw new Unusable(`another program is writing it (${folder} is its lock)`);
    await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
  }
  try {
    return await work();
  } finally {
    await rmdir(folder).catch(() => undefined); // somebody may have taken it for a dead one
  }
}

/** Tries once; also false after a dead lock was cleared away, so that the next try may find it free. */
async function isTaken(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // Without the folder around it there is no file yet, and nobody to share it with: the write itself makes the folder.
    if (code === "ENOENT") return true;
    if (code !== "EEXIST") throw new Unusable(`it cannot be written (${String(code)})`);
    const held = await stat(folder).catch(() => undefined);
    if (held !== undefined && Date.now() - held.mtimeMs > STALE_MS)
      await rmdir(folder).catch(() => undefined);
    return false;
  }
}
