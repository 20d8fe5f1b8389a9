import * as z from "zod/mini";
import type { Bytes } from "../base/bytes.ts";
import { counter, decodeJson, jsonText } from "../base/header.ts";
import { FILE, TREE } from "../base/limits.ts";
import { decodeUtf8, encodeUtf8, utf8Length } from "../base/utf8.ts";
import { isFileName } from "./names.ts";

/**
 * A folder as one offer (B8): its content is a list of what is in it, then the bytes of each different content once, in the order of
 * the list.
 */

const line = z.strictObject({
  /** As in the list; a folder ends with a slash, and stands for all below it. */
  path: z.string().check(z.refine(isTreePath)),
  /** Bytes of all of it. */
  size: counter,
  /** Of a folder: how many files are below it. */
  files: z.optional(counter),
});

/** What an offer says of its tree: enough to choose from. The whole list comes with the content. */
export const treeFacts = z.strictObject({
  /** Bytes of the list, with which the content begins. */
  list: counter.check(z.positive(), z.lte(TREE.maxListBytes)),
  files: counter.check(z.lte(TREE.maxEntries)),
  /** Bytes of all files, also of those that are the same. */
  bytes: counter.check(z.lte(FILE.maxBytes)),
  outline: z.array(line).check(z.maxLength(TREE.maxOutline)),
});

export type TreeFacts = z.infer<typeof treeFacts>;
export type OutlineLine = z.infer<typeof line>;

const entrySchema = z.strictObject({
  path: z.string(),
  size: counter,
  /** SHA-256 of its content, in base64url; a folder without a file in it has none. */
  hash: z.optional(z.string().check(z.regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/))),
});

const listSchema = z.array(entrySchema).check(z.maxLength(TREE.maxEntries));

/** One line of the list: a file, or a folder (its path ends with a slash) in which there is nothing. */
export type TreeEntry = z.infer<typeof entrySchema>;

/** A file of a list. */
export type TreeFile = TreeEntry & { readonly hash: string };

export function isTreeFile(entry: TreeEntry): entry is TreeFile {
  return entry.hash !== undefined;
}

/** A path in a tree: names (T4) with slashes between, not too deep and not too long; that of a folder has one more at its end. */
export function isTreePath(path: string): boolean {
  return isWithinLength(path) && areNames(namesOf(path));
}

function isWithinLength(path: string): boolean {
  // A code unit is three bytes at most.
  return path.length * 3 <= TREE.maxPathBytes || utf8Length(path) <= TREE.maxPathBytes;
}

function areNames(names: readonly string[]): boolean {
  return names.length <= TREE.maxDepth && names.every(isFileName);
}

/** The names on the way to it. */
export function namesOf(path: string): string[] {
  return (path.endsWith("/") ? path.slice(0, -1) : path).split("/");
}

/** The order of a list: by code units, so that every reader sorts alike. */
export function inOrder<Entry extends { readonly path: string }>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0));
}

/** @param entries in order (B9) */
export function encodeTree(entries: readonly TreeEntry[]): Bytes {
  return encodeUtf8(jsonText(entries));
}

/** Why a list is none (B9), for the one who has to tell a person. */
export type TreeFault = "form" | "path" | "order" | "twice" | "size";

/** The list at the beginning of a tree's content, judged by itself and by what the offer says of it. */
export function decodeTree(
  bytes: Bytes,
  { facts, size }: { facts: TreeFacts; size: number },
): TreeEntry[] | TreeFault {
  const text = decodeUtf8(bytes);
  const entries = text === undefined ? undefined : decodeJson(listSchema, text);
  if (entries === undefined) return "form";
  const fault = faultOf(entries);
  if (fault !== undefined) return fault;
  const files = entries.filter(isTreeFile);
  const layout = layoutOf(files);
  const total = files.reduce((sum, one) => sum + one.size, 0);
  const isRight =
    layout !== undefined &&
    files.length === facts.files &&
    total === facts.bytes &&
    facts.list + layout.bytes === size;
  return isRight ? entries : "size";
}

function faultOf(entries: readonly TreeEntry[]): TreeFault | undefined {
  const paths = new Paths();
  let before: string | undefined;
  for (const entry of entries) {
    const { path } = entry;
    if (!paths.take(entry)) return "path";
    if (before !== undefined && path <= before) return path === before ? "twice" : "order";
    before = path;
  }
  return entries.some(({ path }) => paths.isBoth(path)) ? "twice" : undefined;
}

/** The paths of a list, each of which is to be a file or a folder. */
class Paths {
  /** Those in which something lies, without slashes at their ends. */
  readonly #folders = new Set<string>();
  readonly #files = new Set<string>();

  /** @returns whether it is a path as a list may hold one */
  take({ path, size, hash }: TreeEntry): boolean {
    const isFolder = path.endsWith("/");
    if (!isWithinLength(path) || isFolder !== (hash === undefined) || (isFolder && size > 0)) return false;
    if (!isFolder) this.#files.add(path);
    return this.#areNames(isFolder ? path.slice(0, -1) : path);
  }

  /** Whether it is a file and a folder, or an empty folder with something in it. */
  isBoth(path: string): boolean {
    const own = path.endsWith("/") ? path.slice(0, -1) : path;
    return this.#folders.has(own) || (own !== path && this.#files.has(own));
  }

  /** Many files lie in one folder, whose names are looked at once. */
  #areNames(path: string): boolean {
    const end = path.lastIndexOf("/");
    if (end === -1 || this.#folders.has(path.slice(0, end)))
      return isFileName(path.slice(end + 1)) && depthOf(path) <= TREE.maxDepth;
    for (const one of foldersAbove(path)) this.#folders.add(one);
    return areNames(namesOf(path));
  }
}

function depthOf(path: string): number {
  let depth = 1;
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) depth += 1;
  return depth;
}

/** The paths of the folders in which it lies, without slashes at their ends, the nearest last. */
export function foldersAbove(path: string): string[] {
  const names = namesOf(path).slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}

/** One content, and where it begins behind the list. */
export interface TreeContent {
  readonly hash: string;
  readonly size: number;
  readonly offset: number;
}

/**
 * Where each content lies behind the list: those that are not empty, each once, in the order of their first files.
 * @returns undefined where one hash stands for two sizes
 */
export function layoutOf(
  files: readonly TreeFile[],
): { readonly contents: ReadonlyMap<string, TreeContent>; readonly bytes: number } | undefined {
  const contents = new Map<string, TreeContent>();
  let bytes = 0;
  for (const { hash, size } of files) {
    const known = contents.get(hash);
    if (known !== undefined && known.size !== size) return undefined;
    if (known !== undefined || size === 0) continue;
    contents.set(hash, { hash, size, offset: bytes });
    bytes += size;
  }
  return { contents, bytes };
}

/**
 * The tree in as many lines as an offer may have: each file where there is room, else the folders in which they lie. The largest
 * folder is opened first, so that a reader sees most of what there is.
 */
export function outlineOf(entries: readonly TreeEntry[]): OutlineLine[] {
  const root = new Node("");
  for (const entry of entries) root.put(entry);
  let shown = withinOutline(root.children);
  for (;;) {
    const closed = shown.toSorted((one, other) => other.files - one.files);
    const opened = closed
      .filter(({ isClosed }) => isClosed)
      .map((node) => [...shown.filter((one) => one !== node), ...node.children])
      .find((nodes) => withinOutline(nodes).length === nodes.length);
    if (opened === undefined) break;
    shown = opened;
  }
  return inOrder(shown.map((node) => node.line));
}

/** As many of them as an offer can name. */
function withinOutline(nodes: readonly Node[]): readonly Node[] {
  let bytes = 0;
  const end = nodes.findIndex(({ line: { path } }) => (bytes += utf8Length(path)) > TREE.maxOutlineBytes);
  return nodes.slice(0, Math.min(end === -1 ? nodes.length : end, TREE.maxOutline));
}

class Node {
  readonly #path: string;
  readonly #below = new Map<string, Node>();
  #size = 0;
  #files = 0;
  #isFile = false;

  constructor(path: string) {
    this.#path = path;
  }

  get children(): Node[] {
    return [...this.#below.values()];
  }

  get isClosed(): boolean {
    return this.#below.size > 0;
  }

  get files(): number {
    return this.#files;
  }

  get line(): OutlineLine {
    if (this.#isFile) return { path: this.#path, size: this.#size };
    return { path: `${this.#path}/`, size: this.#size, files: this.#files };
  }

  /** @param names the rest of the way to it */
  put(entry: TreeEntry, names: readonly string[] = namesOf(entry.path)): void {
    this.#size += entry.size;
    if (isTreeFile(entry)) this.#files += 1;
    const [name, ...rest] = names;
    if (name === undefined) {
      this.#isFile = isTreeFile(entry);
      return;
    }
    const next = this.#below.get(name) ?? new Node(this.#path === "" ? name : `${this.#path}/${name}`);
    this.#below.set(name, next);
    next.put(entry, rest);
  }
}
