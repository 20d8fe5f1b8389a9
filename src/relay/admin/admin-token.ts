import { rm } from "node:fs/promises";
import path from "node:path";
import { ensurePrivateDirectory, isPrivate } from "../../runtime/private-directory.ts";
import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";
import { keptSecret, readSecret, writeSecret } from "../state/kept-secret.ts";

const FILE = "admin-token";

/** Where a token lies that no operator has chosen. */
export interface TokenPlaces {
  /** The folder of the relay, where it has one. */
  readonly state: string | undefined;
  /** Private folders of this user, the preferred one first. */
  readonly folders: readonly string[];
  readonly platform: string;
}

/** For the relay that makes the token, and for the command that looks for it. */
export function tokenPlaces(
  state: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): TokenPlaces {
  return { state, folders: privateFolders(env, machineFacts()), platform: process.platform };
}

export interface MadeToken {
  readonly token: string;
  readonly file: string;
  /** Takes away what is of no use to the next run. */
  readonly remove: () => Promise<void>;
}

/**
 * Makes the operator's token where none was chosen: in the folder of the relay it stays the same, in a private folder it lasts
 * as long as this run. Loopback alone is no proof of an operator, since every user and every program of a machine reaches it; the
 * file is one, since nobody else can read it.
 * @returns undefined where there is no place for it
 * @throws {TunnelError} relay-state
 */
export async function makeToken(port: number, places: TokenPlaces): Promise<MadeToken | undefined> {
  const { state, folders, platform } = places;
  if (state !== undefined) {
    const token = await keptSecret(state, FILE, platform);
    return { token, file: path.join(state, FILE), remove: () => Promise.resolve() };
  }
  for (const folder of folders) {
    const file = path.join(folder, fileFor(port));
    try {
      await ensurePrivateDirectory(folder, platform);
      const token = await writeSecret(file);
      return { token, file, remove: () => rm(file, { force: true }) };
    } catch (error) {
      // The next folder may be this user's own.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}

/** The token that a relay of this user has made for its admin listener at this port. */
export async function findMadeToken(port: number, places: TokenPlaces): Promise<string | undefined> {
  const { state, folders, platform } = places;
  if (state !== undefined) {
    const kept = await readSecret(path.join(state, FILE), platform);
    if (kept !== undefined) return kept;
  }
  for (const folder of folders) {
    if (!(await isPrivate(folder, "directory", platform))) continue;
    const made = await readSecret(path.join(folder, fileFor(port)), platform);
    if (made !== undefined) return made;
  }
  return undefined;
}

const fileFor = (port: number): string => `relay-${port}.${FILE}`;
