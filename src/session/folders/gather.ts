import type { BigIntStats, Dirent } from "node:fs";
import { lstat, readdir, realpath } from "node:fs/promises";
import path from "node:path";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { FILE, TREE } from "../../protocol/base/limits.ts";
import { foldersAbove, isTreePath } from "../../protocol/files/tree.ts";
import { utf8Length } from "../../protocol/base/utf8.ts";
import type { Gate } from "../../oversight/gates/gates.ts";
import { readFailure } from "../paths/failures.ts";
import { labelOf } from "../paths/offered-name.ts";
import { isWithin, rootsOf } from "../paths/roots.ts";
import {
  identityOf,
  isAllowed,
  pathOf,
  sensitiveBy,
  type ShareOptions,
  type ShareSource,
} from "../paths/share.ts";
import { ignoredIn, type IgnoredOptions } from "./ignored.ts";

/** One file of a tree that is to be offered. */
export interface GatheredFile {
  /** In the tree, as the others are shown it. */
  readonly path: string;
  readonly source: ShareSource;
}

/** Something that was asked for and does not go, and why. */
export interface LeftOutEntry {
  readonly path: string;
  readonly why: string;
}

/** What of some paths goes to the others. Nothing of it has been read yet. */
export interface Gathered {
  readonly name: string;
  /** Absolute: the folder that holds it all. */
  readonly place: string;
  readonly files: readonly GatheredFile[];
  /** Paths of folders in which there is nothing, each with a slash at its end. */
  readonly emptyFolders: readonly string[];
  readonly leftOut: readonly LeftOutEntry[];
  /** Files and folders that git ignores, as they are called here; a folder counts once. */
  readonly ignored: readonly string[];
  readonly renamed: readonly LeftOutEntry[];
  readonly gates: readonly Gate[];
  readonly reasons: readonly string[];
}

export interface GatherOptions extends ShareOptions {
  readonly home: string;
  readonly ignore: IgnoredOptions;
}

const WHY = {
  outside: "it lies outside of the working directory and the folders that may be shared",
  linkOutside: "a link that leads outside of the folders that may be shared",
  dangling: "a link that leads nowhere",
  round: "a link that leads round in circles",
  special: "no plain file",
  git: "git's own folder",
  long: "its path is too long or too deep",
  twice: "another file has the same name in the offer",
  large: "it is too large",
  unreadable: "it cannot be read",
} as const;

/**
 * The files at these paths and below them, as one tree. What must not go is left out and named; the rest goes.
 * @param given relative to the working directory, or absolute
 * @throws {TunnelError} share-too-many, share-nothing-left, git-missing, git-failed, cancelled
 */
export async function gather(given: readonly string[], options: GatherOptions): Promise<Gathered> {
  const isInRoots = await rootsOf(options);
  const walk = new Walk(options, isInRoots);
  const tops: Top[] = [];
  for (const one of given) {
    const top = await topOf(one, options.cwd).catch((thrown: unknown) => asTunnelError(thrown));
    if (top instanceof TunnelError) walk.leaveOut(one, top.message);
    else if (!tops.some(({ wanted }) => wanted === top.wanted)) tops.push(top);
  }
  const inside = tops.filter(({ real }) => isInRoots(real));
  // Where everything is outside, a person is asked about all of it. A single path among others is not worth that.
  const isOutside = inside.length === 0 && tops.length > 0;
  const going = isOutside ? tops : inside;
  for (const top of tops) if (!going.includes(top)) walk.leaveOut(top.given, WHY.outside);
  const place = placeOf(going);
  for (const top of going) await walk.top(top, place.relative(top));
  return walk.gathered({
    name: labelOf(path.basename(place.folder) || "files"),
    place: place.folder,
    gates: isOutside ? ["outside-roots"] : [],
  });
}

interface Top {
  readonly given: string;
  /** Absolute, as it was named. */
  readonly wanted: string;
  readonly real: string;
  readonly stats: BigIntStats;
}

/** @throws {TunnelError} path-invalid, share-not-found, share-unreadable */
async function topOf(given: string, cwd: string): Promise<Top> {
  const wanted = pathOf(given, cwd);
  try {
    const real = await realpath(wanted);
    return { given, wanted, real, stats: await lstat(real, { bigint: true }) };
  } catch (error) {
    throw readFailure(error);
  }
}

/** The folder of which the tree is a part: one that is named alone, or the one in which all lie. */
function placeOf(tops: readonly Top[]): { folder: string; relative: (top: Top) => string } {
  const [first, ...more] = tops;
  if (first === undefined) return { folder: "", relative: () => "" };
  if (more.length === 0 && first.stats.isDirectory()) return { folder: first.wanted, relative: () => "" };
  let folder = path.dirname(first.wanted);
  while (!tops.every(({ wanted }) => isWithin(folder, path.dirname(wanted)))) folder = path.dirname(folder);
  const isRoot = path.parse(folder).root === folder;
  // Far apart: the way to each is nobody's business.
  const relative = ({ wanted }: Top): string =>
    isRoot ? path.basename(wanted) : path.relative(folder, wanted);
  return { folder, relative };
}

/** How a folder is walked: where its own files lie, and what is not looked at in it. */
interface Way {
  /** Without symbolic links. */
  readonly real: string;
  /** As it was named, over links. */
  readonly shown: string;
  /** In the tree; empty for the tree itself. */
  readonly path: string;
  /** The real folder that was named: its links may lead anywhere in it. */
  readonly top: string;
  readonly ignored: ReadonlySet<string> | undefined;
  /** Real folders in which this one lies. */
  readonly above: readonly string[];
}

class Walk {
  readonly #options: GatherOptions;
  readonly #isInRoots: (real: string) => boolean;
  readonly #files = new Map<string, ShareSource>();
  /** Those in which there are files, without slashes at their ends. */
  readonly #folders = new Set<string>();
  readonly #emptyFolders: string[] = [];
  readonly #leftOut: LeftOutEntry[] = [];
  readonly #ignored: string[] = [];
  readonly #renamed: LeftOutEntry[] = [];
  #listBytes = 0;
  readonly #allowed: Promise<(file: string) => boolean>;

  constructor(options: GatherOptions, isInRoots: (real: string) => boolean) {
    this.#options = options;
    this.#isInRoots = isInRoots;
    this.#allowed = isAllowed(options.allow);
  }

  leaveOut(shown: string, why: string): void {
    this.#leftOut.push({ path: shown, why });
  }

  async top({ real, wanted, stats }: Top, relative: string): Promise<void> {
    const shown = relative.split(path.sep).map(labelOf).join("/");
    const where = relative === "" ? "" : shown;
    if (real.split(path.sep).includes(".git")) return this.leaveOut(where, WHY.git);
    if (!stats.isDirectory()) return await this.#file({ real, shown: wanted, path: where, stats });
    const ignored = await this.#ignoredIn(real);
    await this.#folder({ real, shown: wanted, path: where, top: real, ignored, above: [] });
  }

  gathered(own: Pick<Gathered, "name" | "place" | "gates">): Gathered {
    const files = Array.from(this.#files, ([where, source]) => ({ path: where, source }));
    const found = { leftOut: this.#leftOut, ignored: this.#ignored, renamed: this.#renamed };
    if (files.length + this.#emptyFolders.length === 0) throw nothingLeft(this.#leftOut, this.#ignored);
    return { ...own, ...found, files, emptyFolders: this.#emptyFolders, reasons: [] };
  }

  async #ignoredIn(real: string): Promise<ReadonlySet<string> | undefined> {
    return await ignoredIn(real, this.#options.ignore);
  }

  async #folder(way: Way): Promise<void> {
    const { signal } = this.#options.ignore;
    if (signal.aborted) throw new TunnelError("cancelled");
    const entries = await readdir(way.real, { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) return this.leaveOut(`${way.path || "."}/`, WHY.unreadable);
    const isRepository = entries.some(({ name }) => name === ".git");
    // A repository inside of another one has rules of its own.
    const isInner = isRepository && way.real !== way.top;
    const ignored = isInner ? await this.#ignoredIn(way.real) : way.ignored;
    if (ignored === undefined && entries.some(({ name }) => name === ".gitignore"))
      throw new TunnelError("git-missing", {
        detail: "a .gitignore there says what is ignored, and git has to read it",
      });
    if (entries.length === 0 && way.path !== "") this.#empty(way.path);
    for (const entry of entries.toSorted(byName)) await this.#entry(entry, { ...way, ignored });
  }

  async #entry(entry: Dirent, way: Way): Promise<void> {
    const file = path.join(way.real, entry.name);
    const label = labelOf(entry.name);
    const where = way.path === "" ? label : `${way.path}/${label}`;
    if (way.ignored?.has(file) === true) return void this.#ignored.push(where);
    if (entry.name === ".git") return;
    if (label !== entry.name.normalize("NFC"))
      this.#renamed.push({ path: where, why: `here ${JSON.stringify(entry.name)}` });
    const shown = path.join(way.shown, entry.name);
    if (entry.isSymbolicLink()) return await this.#link({ file, shown, path: where }, way);
    const stats = await lstat(file, { bigint: true }).catch(() => undefined);
    if (stats === undefined) return this.leaveOut(where, WHY.unreadable);
    if (stats.isDirectory())
      return await this.#folder({ ...way, real: file, shown, path: where, above: [...way.above, way.real] });
    await this.#file({ real: file, shown, path: where, stats });
  }

  async #link(link: { file: string; shown: string; path: string }, way: Way): Promise<void> {
    const real = await realpath(link.file).catch(() => undefined);
    const stats = real === undefined ? undefined : await lstat(real, { bigint: true }).catch(() => undefined);
    if (real === undefined || stats === undefined) return this.leaveOut(link.path, WHY.dangling);
    if (!this.#isInRoots(real) && !isWithin(way.top, real)) return this.leaveOut(link.path, WHY.linkOutside);
    if (!stats.isDirectory()) return await this.#file({ real, shown: link.shown, path: link.path, stats });
    const above = [...way.above, way.real];
    if (above.some((one) => isWithin(real, one))) return this.leaveOut(link.path, WHY.round);
    if (real.split(path.sep).includes(".git")) return this.leaveOut(link.path, WHY.git);
    // Its own rules hold where it really lies.
    const ignored = isWithin(way.top, real) ? way.ignored : await this.#ignoredIn(real);
    await this.#folder({ ...way, real, shown: link.shown, path: link.path, ignored, above });
  }

  /** @param file `real` without links, `shown` as it was named */
  async #file(file: { real: string; shown: string; path: string; stats: BigIntStats }): Promise<void> {
    const { real, shown, path: where, stats } = file;
    if (!stats.isFile()) return this.leaveOut(where, WHY.special);
    if (!isTreePath(where)) return this.leaveOut(where, WHY.long);
    if (stats.size > FILE.maxBytes) return this.leaveOut(where, WHY.large);
    const isLetThrough = (await this.#allowed)(real);
    const secret = isLetThrough ? undefined : sensitiveBy([shown, real], stats);
    if (secret !== undefined) return this.leaveOut(where, secret);
    const known = this.#files.get(where);
    if (known !== undefined) {
      if (known.file !== real) this.leaveOut(where, WHY.twice);
      return;
    }
    const above = foldersAbove(where);
    // Names that cannot be shown as they are may have become the same.
    if (this.#folders.has(where) || above.some((one) => this.#files.has(one)))
      return this.leaveOut(where, WHY.twice);
    for (const one of above) this.#folders.add(one);
    this.#count(where);
    const source = {
      file: real,
      name: path.basename(real),
      identity: identityOf(stats),
      gates: [],
      reasons: [],
    };
    this.#files.set(where, source);
  }

  #empty(where: string): void {
    if (!isTreePath(where)) return this.leaveOut(`${where}/`, WHY.long);
    this.#count(where);
    this.#emptyFolders.push(`${where}/`);
  }

  /** @throws {TunnelError} share-too-many */
  #count(where: string): void {
    this.#listBytes += utf8Length(JSON.stringify(where)) + ENTRY_BYTES;
    const isTooMany = this.#files.size + this.#emptyFolders.length >= TREE.maxEntries;
    if (isTooMany || this.#listBytes > TREE.maxListBytes) throw new TunnelError("share-too-many");
  }
}

/** In the list, beside the path: `{"path":,"size":,"hash":""},` with a size of at most 13 digits and 43 letters of a hash. */
const ENTRY_BYTES = 84;

function byName(one: Dirent, other: Dirent): number {
  return one.name < other.name ? -1 : 1;
}

function nothingLeft(leftOut: readonly LeftOutEntry[], ignored: readonly string[]): TunnelError {
  const [first] = leftOut;
  if (first !== undefined)
    return new TunnelError("share-nothing-left", { detail: `${labelOf(first.path)}: ${first.why}` });
  const [one] = ignored;
  if (one === undefined) return new TunnelError("share-nothing-left", { detail: "the folder is empty" });
  return new TunnelError("share-nothing-left", {
    detail: `all of it is ignored (.gitignore), such as ${labelOf(one)}; an ignored file or folder goes when it is named itself`,
  });
}
