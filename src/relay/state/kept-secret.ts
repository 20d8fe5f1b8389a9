import { randomBytes } from "node:crypto";
import { lstat, open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { isPrivate } from "../../runtime/private-directory.ts";

/** 32 bytes in base64url. */
const SECRET = /^[A-Za-z0-9_-]{43}$/;

/**
 * A secret that outlives a restart: read from its file, or made and written there, open to nobody but this user.
 * @param folder there already
 * @returns 43 characters of base64url
 * @throws {TunnelError} relay-state
 */
export async function keptSecret(folder: string, name: string, platform: string): Promise<string> {
  const file = path.join(folder, name);
  if (await isThere(file)) {
    const kept = await readSecret(file, platform);
    if (kept !== undefined) return kept;
    throw new TunnelError("relay-state", { detail: `${name} is not as it must be, or open to others` });
  }
  try {
    return await writeSecret(file);
  } catch (error) {
    throw new TunnelError("relay-state", { detail: name, cause: error });
  }
}

/** Writes a new secret; half of one is never there under this name. */
export async function writeSecret(file: string): Promise<string> {
  const made = randomBytes(32).toString("base64url");
  const temporary = `${file}.new`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.write(`${made}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  return made;
}

/** Undefined where there is none, or it is not this user's alone. */
export async function readSecret(file: string, platform: string): Promise<string | undefined> {
  if (!(await isPrivate(file, "file", platform))) return undefined;
  const text = await readFile(file, "utf8").catch(() => "");
  const word = text.trim();
  return SECRET.test(word) ? word : undefined;
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw new TunnelError("relay-state", { detail: path.basename(file), cause: error });
  }
}
