import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { open, readdir, unlink } from "node:fs/promises";
import path from "node:path";
import { isDeviceName, MAX_NAME_BYTES, narrowName, portableName } from "./names.ts";
import { NATIVE } from "./roots.ts";

/** A name that a folder can hold. */
export interface HeldName {
  readonly name: string;
  /** Why it is another one than was given; undefined where it is the same. */
  readonly renamed: string | undefined;
}

export interface NameOptions {
  readonly windows: boolean;
  /** Whether the file system keeps a name with these characters, of this length, as it is. */
  readonly holds: (folder: string, name: string) => Promise<boolean>;
}

/** The name that an offered file can have on this system. Any label is one that Linux and macOS can hold; some disks differ. */
export function nameHere(name: string, isWindows: boolean = NATIVE.windows): string {
  return isWindows ? portableName(name) : name;
}

/** Every file system takes a name of that length; encrypted ones (eCryptfs) take no longer one. */
const SHORT_BYTES = 143;

/**
 * The name that a file gets in this folder: the one that was given, or the nearest one that the system can hold. Linux can
 * hold `10:30?.log` and Windows cannot, and on Linux it is up to the disk (exFAT, NTFS, a network share).
 */
export async function heldName(
  given: string,
  folder: string,
  { windows, holds }: NameOptions = { windows: NATIVE.windows, holds: diskHolds },
): Promise<HeldName> {
  const problem = narrowName(given);
  const isHeld = async (name: string): Promise<boolean> => {
    // A space at an end is a slip, and nobody sees it.
    if (name.trim() !== name || Buffer.byteLength(name) > MAX_NAME_BYTES) return false;
    const isPlain = narrowName(name) === undefined;
    if (!isPlain && windows) return false;
    return (isPlain && Buffer.byteLength(name) <= SHORT_BYTES) || (await holds(folder, name));
  };
  if (await isHeld(given)) return { name: given, renamed: undefined };
  const portable = portableName(given);
  const name = (await isHeld(portable)) ? portable : portableName(given, SHORT_BYTES);
  return { name, renamed: problem ?? "the file name is too long for this disk" };
}

/** Tried with an empty file of a similar name, which is looked up afterwards: some disks leave out a dot at the end in silence. */
async function diskHolds(folder: string, name: string): Promise<boolean> {
  const mark = `.${randomBytes(6).toString("hex")}`;
  const probe = similarName(name, mark);
  const file = path.join(folder, probe);
  try {
    const handle = await open(file, "wx", 0o600);
    await handle.close();
  } catch {
    // A folder that takes no file at all says so when the file comes.
    return false;
  }
  try {
    return (await readdir(folder)).includes(probe);
  } finally {
    await unlink(file).catch(() => undefined);
  }
}

/** As odd and about as long, with the mark in it. */
function similarName(name: string, mark: string): string {
  // Whether it is a device shows before its first dot.
  if (isDeviceName(name)) return name.replace(/^[^.]*/, (stem) => `${stem}${mark}`);
  const letters = Array.from(name);
  const most = Math.max(Buffer.byteLength(name), 64);
  while (Buffer.byteLength(letters.join("")) + mark.length > most) letters.shift();
  return `${mark}${letters.join("")}`;
}
