import { randomBytes } from "node:crypto";
import { chmod, chown, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../runtime/clock.ts";
import { parseTokens, writeTokens, type TokenEntry } from "../auth/tokens.ts";

/** Why the file cannot be used, as the end of a sentence that begins with its path. */
export class TokenFileProblem extends Error {
  override readonly name = "TokenFileProblem";
}

/** A writer needs some ms; a lock that outlasts this was left behind. */
const LOCK_MS = 10_000;
const LOOK_MS = 20;

/**
 * The tokens in a file.
 * @returns undefined where there is no such file
 * @throws {TokenFileProblem}
 */
export async function readTokenFile(file: string): Promise<readonly TokenEntry[] | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw problem("cannot be read", error);
  }
  const tokens = parseTokens(text);
  if (typeof tokens === "string") throw new TokenFileProblem(`is no file of tokens: ${tokens}`);
  return tokens;
}

/**
 * Changes the tokens in a file, which is made where there is none. Two writers come one after the other, and a reader finds the
 * old file or the new one.
 * @throws {TokenFileProblem}
 */
export async function changeTokenFile<Result>(
  named: string,
  clock: Clock,
  change: (tokens: readonly TokenEntry[]) => {
    readonly tokens: readonly TokenEntry[];
    readonly result: Result;
  },
): Promise<Result> {
  // A link stays one: what it leads to is replaced.
  const file = await realpath(named).catch(() => named);
  const lock = `${file}.lock`;
  await take(lock, clock);
  try {
    const { tokens, result } = change((await readTokenFile(file)) ?? []);
    await replace(file, writeTokens(tokens));
    return result;
  } catch (error) {
    if (error instanceof TokenFileProblem) throw error;
    throw codeOf(error) === undefined ? error : problem("cannot be written", error);
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock: string, clock: Clock): Promise<void> {
  const until = clock.now() + LOCK_MS;
  for (;;) {
    try {
      await (await open(lock, "wx", 0o600)).close();
      return;
    } catch (error) {
      // Windows says EPERM or EBUSY while the last one is on its way out.
      const isHeld = ["EEXIST", "EPERM", "EBUSY"].includes(codeOf(error) ?? "");
      if (!isHeld || clock.now() >= until)
        throw codeOf(error) === "EEXIST"
          ? new TokenFileProblem(`is being written by another process; if none runs, remove ${lock}`)
          : problem("cannot be written", error);
    }
    // Not a timer of the clock's: the command has nothing else that would keep its process alive.
    await sleep(LOOK_MS + Math.random() * LOOK_MS);
  }
}

/** In one step, on the disk before it is seen. A new file is its owner's alone; another one keeps its owner and mode. */
async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await keepOwner(file, temporary);
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The relay may run as another user than whoever makes its tokens, and must go on reading them. */
async function keepOwner(file: string, temporary: string): Promise<void> {
  const found = await stat(file).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined || process.platform === "win32") return;
  await chmod(temporary, found.mode & 0o777);
  const own = await stat(temporary);
  if (own.uid !== found.uid || own.gid !== found.gid) await chown(temporary, found.uid, found.gid);
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

const problem = (what: string, error: unknown): TokenFileProblem =>
  new TokenFileProblem(`${what} (${codeOf(error) ?? "unknown error"})`, { cause: error });
