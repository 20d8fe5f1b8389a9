import { Buffer } from "node:buffer";
import { TunnelError } from "../../errors/tunnel-error.ts";
import {
  foldersAbove,
  isTreeFile,
  namesOf,
  type TreeEntry,
  type TreeFile,
} from "../../protocol/files/tree.ts";
import { heldName, type HeldName } from "../paths/held-name.ts";
import { cutName, foldedSegment, isDeviceName, MAX_NAME_BYTES } from "../paths/names.ts";
import { protectedPlace } from "../paths/protected.ts";

/** A file of a list, and the names under which this disk holds it. */
interface PlacedFile {
  readonly file: TreeFile;
  readonly names: readonly string[];
}

/** A tree as this disk can hold it, known before the first byte of it comes. */
export interface LocalTree {
  readonly files: readonly PlacedFile[];
  /** Every folder, by its names; an outer one before those in it. */
  readonly folders: readonly (readonly string[])[];
  readonly renamed: readonly { readonly path: string; readonly savedAs: string; readonly why: string }[];
  readonly notSaved: readonly { readonly path: string; readonly why: string }[];
}

export interface LocalTreeOptions {
  /** The names on the way from the nearest root to the new folder, and its own. */
  readonly segments: readonly string[];
  /** Whether the disk takes two names for one that differ in case, or in the form of their letters. */
  readonly isFolding: boolean;
  /** The name that a folder can hold. */
  readonly held?: (name: string) => Promise<HeldName>;
}

/** Paths of `only` that an error names. */
const MAX_NAMED = 5;

/**
 * The entries that are wanted.
 * @param only paths as the offer lists them; a folder stands for all below it; everything when undefined
 * @throws {TunnelError} tree-path-unknown
 */
export function chosen(
  entries: readonly TreeEntry[],
  only: readonly string[] | undefined,
): readonly TreeEntry[] {
  if (only === undefined || only.length === 0) return entries;
  const wanted = new Map(only.map((given) => [plainPath(given), given] as const));
  const met = new Set<string>();
  const found = entries.filter(({ path }) => {
    const own = path.replace(/\/$/, "");
    const hits = [own, ...foldersAbove(path), ""].filter((one) => wanted.has(one));
    for (const hit of hits) met.add(hit);
    return hits.length > 0;
  });
  const unknown = [...wanted].filter(([path]) => !met.has(path)).map(([, given]) => given);
  if (unknown.length > 0)
    throw new TunnelError("tree-path-unknown", {
      detail: unknown.slice(0, MAX_NAMED).map(quoted).join(", "),
    });
  return found;
}

/** As a list has it. `.` is the whole. */
function plainPath(given: string): string {
  const path = given
    .normalize("NFC")
    .replace(/^(?:\.\/+)+/, "")
    .replace(/\/+$/, "");
  return path === "." ? "" : path;
}

function quoted(given: string): string {
  return JSON.stringify(cutName(given.replaceAll(/\p{C}/gu, "?"), 100));
}

/**
 * The names that each entry gets. Two that the disk would take for one get different ones; what may be saved nowhere is left out.
 * @param entries of a list, in order
 */
export async function placeTree(
  entries: readonly TreeEntry[],
  options: LocalTreeOptions,
): Promise<LocalTree> {
  const { segments, isFolding, held = (name) => heldHere(name) } = options;
  const purpose = protectedPlace([...segments, ANY_NAME]);
  const placing = new Placing(new LocalFolder([], { isFolding, held, purpose }));
  for (const entry of entries) await placing.take(entry);
  return placing;
}

/** The names of a tree, one entry after the other. */
class Placing implements LocalTree {
  readonly files: PlacedFile[] = [];
  readonly folders: (readonly string[])[] = [];
  readonly renamed: { path: string; savedAs: string; why: string }[] = [];
  readonly notSaved: { path: string; why: string }[] = [];
  readonly #root: LocalFolder;

  constructor(root: LocalFolder) {
    this.#root = root;
  }

  async take(entry: TreeEntry): Promise<void> {
    const given = namesOf(entry.path);
    const isFile = isTreeFile(entry);
    const folder = await this.#folder(isFile ? given.slice(0, -1) : given);
    if (folder.purpose !== undefined) this.notSaved.push({ path: entry.path, why: folder.purpose });
    else if (isFile) await this.#file(entry, folder, given.at(-1) ?? "");
  }

  async #folder(given: readonly string[]): Promise<LocalFolder> {
    let folder = this.#root;
    for (const name of given) {
      const { next, isNew, why } = await folder.folder(name);
      folder = next;
      if (!isNew || folder.purpose !== undefined) continue;
      this.folders.push(folder.names);
      const path = `${given.slice(0, folder.names.length).join("/")}/`;
      if (why !== undefined) this.renamed.push({ path, savedAs: `${folder.names.join("/")}/`, why });
    }
    return folder;
  }

  async #file(file: TreeFile, folder: LocalFolder, name: string): Promise<void> {
    const { local, why } = await folder.take(name);
    // Another name may be one that is protected.
    const purpose = protectedPlace([name]) ?? (local === name ? undefined : protectedPlace([local]));
    if (purpose !== undefined) {
      this.notSaved.push({ path: file.path, why: purpose });
      return;
    }
    const names = [...folder.names, local];
    this.files.push({ file, names });
    if (why !== undefined) this.renamed.push({ path: file.path, savedAs: names.join("/"), why });
  }
}

/** By the rules of the system alone: what this very disk holds is found out by its caller. */
async function heldHere(name: string): Promise<HeldName> {
  return await heldName(name, "", {
    windows: process.platform === "win32",
    holds: () => Promise.resolve(true),
  });
}

/** Whether every system can hold it, without a look at the disk. Only a shorter way to the same answer. */
function isPlain(name: string): boolean {
  return /^[\w-][\w .-]{0,98}[\w-]$/.test(name) && !isDeviceName(name);
}

/** Of a file that is protected nowhere by its own name. */
const ANY_NAME = "name";
const COLLIDES = "this disk takes it for the same name as another one in the folder";

/** One folder on its way to this disk, and the names that are taken in it. */
class LocalFolder {
  readonly names: readonly string[];
  /** What a protected place it is, or lies in. */
  readonly purpose: string | undefined;
  readonly #isFolding: boolean;
  readonly #held: (name: string) => Promise<HeldName>;
  readonly #folders = new Map<string, LocalFolder>();
  /** By the form in which the disk compares names; how often each was asked for. */
  readonly #taken = new Map<string, number>();

  constructor(
    names: readonly string[],
    {
      purpose,
      isFolding,
      held,
    }: { purpose: string | undefined } & Required<Pick<LocalTreeOptions, "isFolding" | "held">>,
  ) {
    this.names = names;
    this.purpose = purpose;
    this.#isFolding = isFolding;
    this.#held = held;
  }

  async folder(given: string): Promise<{ next: LocalFolder; isNew: boolean; why: string | undefined }> {
    const known = this.#folders.get(given);
    if (known !== undefined) return { next: known, isNew: false, why: undefined };
    const { local, why } = await this.take(given);
    const purpose = this.purpose ?? protectedPlace([given, ANY_NAME]) ?? protectedPlace([local, ANY_NAME]);
    const next = new LocalFolder([...this.names, local], {
      purpose,
      isFolding: this.#isFolding,
      held: this.#held,
    });
    this.#folders.set(given, next);
    return { next, isNew: true, why };
  }

  /** A name of its own for a file or a folder. */
  async take(given: string): Promise<{ local: string; why: string | undefined }> {
    const { name, renamed } = isPlain(given) ? { name: given, renamed: undefined } : await this.#held(given);
    if (this.#claim(name)) return { local: name, why: renamed };
    for (;;) {
      const key = this.#key(name);
      const count = (this.#taken.get(key) ?? 1) + 1;
      this.#taken.set(key, count);
      const local = numbered(name, count);
      if (this.#claim(local)) return { local, why: renamed ?? COLLIDES };
    }
  }

  #claim(name: string): boolean {
    const key = this.#key(name);
    if (this.#taken.has(key)) return false;
    this.#taken.set(key, 1);
    return true;
  }

  #key(name: string): string {
    return this.#isFolding ? foldedSegment(name) : name;
  }
}

/** `report (2).txt`, within the length of a name. */
function numbered(name: string, count: number): string {
  const [extension = ""] = /(?<=.)\.[^. ]{1,32}$/su.exec(name) ?? [];
  const mark = ` (${count})${extension}`;
  const stem = name.slice(0, name.length - extension.length);
  return `${cutName(stem, MAX_NAME_BYTES - Buffer.byteLength(mark)).trimEnd()}${mark}`;
}
