import { lstat, readdir, readFile, rmdir } from "node:fs/promises";
import path from "node:path";
import { Unusable } from "../formats/config-text.ts";
import type { Format } from "../formats/format.ts";
import { configText } from "../formats/formats.ts";

/** The folder of the skill in a folder of skills. */
export const SKILL = "tunnel-etiquette";

/** The ending of a file that `setup` saved before it changed the one beside it. */
const BACKUP = ".bak-tunnel";

export function backupOf(target: string): string {
  return target + BACKUP;
}

/** The names and the form of a client's files. */
interface ClientFiles {
  readonly files: readonly string[];
  readonly format: Format;
}

/** Deeper than that a folder is taken for somebody else's. */
const MAX_DEPTH = 6;

/**
 * Whether something on the disk holds nothing but what `setup` puts there: our entry, a saved file, the skill, and the
 * folders around them. Such a thing does not show that a client is installed.
 */
export async function isLeaving(place: string, client: ClientFiles, depth = 0): Promise<boolean> {
  const found = await lstat(place);
  if (found.isFile()) return isOurFile(place, client);
  if (!found.isDirectory() || depth > MAX_DEPTH) return false;
  if (client.files.includes(path.basename(place))) return false; // in the way of the file itself
  if (path.basename(place) === SKILL) return true;
  for (const name of await readdir(place)) {
    if (!(await isLeaving(path.join(place, name), client, depth + 1))) return false;
  }
  return true;
}

async function isOurFile(file: string, client: ClientFiles): Promise<boolean> {
  if (file.endsWith(BACKUP)) return true;
  if (!client.files.includes(path.basename(file))) return false;
  const text = await readFile(file, "utf8");
  const config = configText(client.format);
  try {
    return config.entry(text).kind === "present" && config.isBare(text);
  } catch (error) {
    if (error instanceof Unusable) return false;
    throw error;
  }
}

/**
 * Takes away empty folders, from `folder` upwards, and stops at the first one that is not empty or that is to stay.
 * @param kept folders that are not ours even when they are empty; whatever is not below one of them stays, too
 */
export async function pruneFolders(folder: string, kept: readonly string[]): Promise<void> {
  for (let at = folder; isBelowOne(at, kept); at = path.dirname(at)) {
    try {
      await rmdir(at);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      // Some systems name an occupied folder in their own way, and none of it is a failure: the folder stays.
      if (code === "ENOENT") continue;
      return;
    }
  }
}

function isBelowOne(folder: string, kept: readonly string[]): boolean {
  const isBelow = (top: string): boolean => {
    const below = path.relative(top, folder);
    return below !== "" && below !== ".." && !below.startsWith(`..${path.sep}`) && !path.isAbsolute(below);
  };
  return kept.some(isBelow) && !kept.includes(folder);
}
