import { createHash, randomBytes, type Hash } from "node:crypto";
import { constants, rmSync } from "node:fs";
import { chmod, copyFile, lstat, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { toHex, type Bytes } from "../../protocol/base/bytes.ts";
import type { FileOffer } from "../../protocol/files/offer.ts";
import {
  decodeTree,
  isTreeFile,
  layoutOf,
  type TreeContent,
  type TreeEntry,
  type TreeFacts,
} from "../../protocol/files/tree.ts";
import type { ByteRange } from "../../protocol/files/tree-receiver.ts";
import { chosen, placeTree, type LocalTree } from "../folders/local-tree.ts";
import { codeOf, writeFailure } from "../paths/failures.ts";
import { heldName } from "../paths/held-name.ts";
import { CREATE_NEW, type SavePlace } from "../paths/place.ts";
import { READ_ONLY } from "../paths/share.ts";
import { assertRoom } from "./room.ts";
import { atOnce } from "./at-once.ts";
import type { PartHandle } from "./incoming.ts";
import type { FileSink, TreeReport, TreeSide } from "./port.ts";

/** The calls that a tree is written with; a test puts a disk that is full in their place. */
export interface TreeDisk {
  open(file: string, flags: number, mode: number): Promise<PartHandle>;
  mkdir(folder: string): Promise<unknown>;
  copyFile(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
}

const DISK: TreeDisk = {
  open,
  mkdir: (folder) => mkdir(folder),
  copyFile: (from, to) => copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
  rename,
};

/** Never executable. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o777;
/** Files that are written at once: most of them are small, and each takes several calls of the system. */
const MAX_AT_ONCE = 16;
const READ_BYTES = 1024 * 1024;

export interface TreeRequest {
  readonly offer: FileOffer & { readonly tree: TreeFacts };
  readonly place: SavePlace;
  /** The names on the way from the nearest root to the new folder, and its own. */
  readonly segments: readonly string[];
  /** Paths of the list; everything when undefined. */
  readonly only: readonly string[] | undefined;
  /** A file that had this content (SHA-256, lower-case hex) when it came from the same member. */
  readonly known: (hash: string) => string | undefined;
  /** Called for every file that is saved. */
  readonly saved: (hash: string, file: string) => void;
}

/** The folders that are on their way in, so that none stays behind when the process ends. */
export class IncomingTrees {
  readonly #parts = new Set<string>();
  readonly #disk: TreeDisk;

  constructor(disk: TreeDisk = DISK) {
    this.#disk = disk;
  }

  get size(): number {
    return this.#parts.size;
  }

  /** Begins a folder beside its place, under a name that marks it as unfinished. @throws {TunnelError} disk-full, save-failed, save-denied */
  async create(request: TreeRequest): Promise<IncomingTree> {
    const part = path.join(request.place.folder, `.${randomBytes(12).toString("hex")}.tunnel-part`);
    this.#parts.add(part);
    try {
      await this.#disk.mkdir(part);
      // Nobody else looks into it before it is whole. Some disks know no modes.
      await chmod(part, 0o700).catch(() => undefined);
      return new IncomingTree(request, { part, disk: this.#disk, done: () => this.#parts.delete(part) });
    } catch (error) {
      this.#parts.delete(part);
      throw writeFailure(error);
    }
  }

  /** For the end of the process, when nothing can be waited for. */
  removeAll(): void {
    for (const part of this.#parts) {
      try {
        rmSync(part, { recursive: true, force: true });
      } catch {
        // Committed or removed at this very moment, or out of reach: there is nothing left to do.
      }
    }
    this.#parts.clear();
  }
}

/** One content that comes, and the files that are to have it. */
interface Wanted {
  readonly content: TreeContent;
  /** Absolute, in the unfinished folder. */
  readonly files: readonly string[];
}

/** A folder on its way in: it appears at its place whole and verified, or not at all. */
export class IncomingTree implements FileSink, TreeSide {
  readonly #request: TreeRequest;
  readonly #part: string;
  readonly #disk: TreeDisk;
  readonly #done: () => void;
  readonly #list: Bytes[] = [];
  #plan: Plan | undefined;
  #coming: Wanted[] = [];
  #open: OpenContent | undefined;
  #isOver = false;
  /** Calls take their turn, so that an abort cannot overtake a write. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(request: TreeRequest, own: { part: string; disk: TreeDisk; done: () => void }) {
    this.#request = request;
    this.#part = own.part;
    this.#disk = own.disk;
    this.#done = own.done;
  }

  get tree(): TreeSide {
    return this;
  }

  get total(): number {
    return this.#plan === undefined ? this.#request.offer.size : this.#plan.total;
  }

  get report(): TreeReport | undefined {
    return this.#plan?.report;
  }

  /** @throws {TunnelError} file-hash-mismatch, tree-invalid, tree-path-unknown, path-protected, disk-full, save-failed */
  plan(): Promise<readonly ByteRange[]> {
    return this.#inTurn(async () => {
      const { offer, only, segments, known } = this.#request;
      const entries = listIn(this.#list.splice(0), offer);
      const wanted = chosen(entries, only);
      const isFolding = await folds(this.#part);
      const local = await placeTree(wanted, {
        segments,
        isFolding,
        held: (name) => heldName(name, this.#part),
      });
      if (local.files.length + local.folders.length === 0 && local.notSaved.length > 0)
        throw new TunnelError("path-protected", { detail: must(local.notSaved[0], "an entry").why });
      const bytes = local.files.reduce((sum, { file }) => sum + file.size, 0);
      await assertRoom(this.#part, bytes);
      for (const names of local.folders) await this.#disk.mkdir(this.#at(names));
      const coming: Wanted[] = [];
      await atOnce(MAX_AT_ONCE, await this.#contents(entries, local), async (one) => {
        const { hash, size } = one.content;
        const source = size === 0 ? undefined : known(toHex(hash));
        const isHere = size === 0 || (source !== undefined && (await this.#reuse(source, one)));
        if (!isHere) coming.push(one);
      });
      this.#coming = coming.toSorted((one, other) => one.content.offset - other.content.offset);
      const ranges = this.#coming.map(({ content: { offset, size } }) => {
        const from = offer.tree.list + offset;
        return { from, to: from + size };
      });
      const fetched = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
      this.#plan = {
        total: offer.tree.list + fetched,
        report: reportOf(local, { bytes, reused: bytes - fetched }),
        local,
      };
      return ranges;
    });
  }

  /** @throws {TunnelError} file-hash-mismatch, disk-full, save-failed */
  write(contents: readonly Bytes[]): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#plan === undefined) return void this.#list.push(...contents.map((one) => one.slice()));
      const touched = new Set<OpenContent>();
      for (const piece of contents) {
        for (let rest = piece; rest.length > 0;) {
          const current = this.#open ?? this.#next();
          rest = current.take(rest);
          touched.add(current);
          this.#open = current.isWhole ? undefined : current;
        }
      }
      await atOnce(MAX_AT_ONCE, [...touched], (one) => one.flush());
    });
  }

  /** @returns the path of the folder @throws {TunnelError} save-exists, save-failed, and all that `recheck` throws */
  commit(): Promise<string> {
    return this.#inTurn(async () => {
      const { place, saved } = this.#request;
      const { local } = must(this.#plan, "a plan");
      if (this.#coming.length > 0 || this.#open !== undefined) throw new TunnelError("file-unfinished");
      await place.recheck();
      await chmod(this.#part, FOLDER_MODE & ~process.umask()).catch(() => undefined);
      if ((await lstat(place.target).catch(() => undefined)) !== undefined)
        throw new TunnelError("save-exists");
      await this.#disk.rename(this.#part, place.target).catch((error: unknown) => {
        // Somebody has taken the name at this very moment. An empty folder of theirs is no loss.
        const isTaken = ["EEXIST", "ENOTEMPTY", "ENOTDIR"].includes(codeOf(error));
        throw isTaken ? new TunnelError("save-exists", { cause: error }) : error;
      });
      this.#isOver = true;
      this.#done();
      for (const { file, names } of local.files) saved(toHex(file.hash), path.join(place.target, ...names));
      return place.target;
    });
  }

  abort(): Promise<void> {
    const run = this.#turn.then(() => this.#discard());
    this.#turn = run;
    return run;
  }

  #at(names: readonly string[]): string {
    return path.join(this.#part, ...names);
  }

  /** Every content that some file is to have, once. Files without any are made at once. */
  async #contents(entries: readonly TreeEntry[], { files }: LocalTree): Promise<Wanted[]> {
    const layout = must(layoutOf(entries.filter(isTreeFile)), "the layout of a list that was judged");
    const byHash = new Map<string, { content: TreeContent; files: string[] }>();
    const empty: string[] = [];
    for (const { file, names } of files) {
      const key = toHex(file.hash);
      const content = layout.contents.get(key);
      if (content === undefined) empty.push(this.#at(names));
      else if (byHash.get(key)?.files.push(this.#at(names)) === undefined)
        byHash.set(key, { content, files: [this.#at(names)] });
    }
    await atOnce(MAX_AT_ONCE, empty, async (file) =>
      (await this.#disk.open(file, CREATE_NEW, FILE_MODE)).close(),
    );
    return [...byHash.values()];
  }

  #next(): OpenContent {
    const wanted = this.#coming.shift();
    if (wanted === undefined) throw new TunnelError("file-too-long");
    return new OpenContent(this.#disk, wanted);
  }

  /** Copies what came before, if it is still what it was. @returns whether it was */
  async #reuse(source: string, wanted: Wanted): Promise<boolean> {
    const from = await open(source, READ_ONLY).catch(() => undefined);
    if (from === undefined) return false;
    const to = new OpenContent(this.#disk, wanted);
    try {
      const found = await from.stat();
      if (!found.isFile() || found.size !== wanted.content.size) return false;
      while (!to.isWhole) {
        const { buffer, bytesRead } = await from.read(new Uint8Array(READ_BYTES), 0, READ_BYTES);
        if (bytesRead === 0 || to.take(buffer.subarray(0, bytesRead)).length > 0) return await to.drop();
        if (to.isWhole && !to.isRight) return await to.drop();
        await to.flush();
      }
      return true;
    } finally {
      await from.close();
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(async () => {
      if (this.#isOver) throw new TunnelError("save-failed", { detail: "the folder is closed" });
      try {
        return await work();
      } catch (error) {
        await this.#discard();
        throw writeFailure(error);
      }
    });
    this.#turn = run.catch(() => undefined);
    return run;
  }

  async #discard(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#open?.drop();
    await rm(this.#part, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    this.#done();
  }
}

interface Plan {
  /** Bytes that come in all. */
  readonly total: number;
  readonly report: TreeReport;
  readonly local: LocalTree;
}

/** One content while it comes: written to the first of its files, then copied to the others. */
class OpenContent {
  readonly #disk: TreeDisk;
  readonly #wanted: Wanted;
  readonly #hash: Hash = createHash("sha256");
  #digest: string | undefined;
  #handle: PartHandle | undefined;
  /** Taken and not written yet. */
  #pieces: Bytes[] = [];
  #taken = 0;
  #written = 0;

  constructor(disk: TreeDisk, wanted: Wanted) {
    this.#disk = disk;
    this.#wanted = wanted;
  }

  get isWhole(): boolean {
    return this.#taken === this.#wanted.content.size;
  }

  /** Of a whole one: whether it is what the list says. */
  get isRight(): boolean {
    this.#digest ??= this.#hash.digest("hex");
    return this.#digest === toHex(this.#wanted.content.hash);
  }

  /** Takes what belongs to it. @returns the rest */
  take(bytes: Bytes): Bytes {
    const own = bytes.subarray(0, this.#wanted.content.size - this.#taken);
    this.#pieces.push(own);
    this.#hash.update(own);
    this.#taken += own.length;
    return bytes.subarray(own.length);
  }

  /** Writes what was taken. @throws {TunnelError} file-hash-mismatch, disk-full */
  async flush(): Promise<void> {
    if (this.isWhole && !this.isRight) {
      await this.drop();
      throw new TunnelError("file-hash-mismatch");
    }
    const [first, ...others] = this.#wanted.files;
    const file = must(first, "a file of this content");
    const pieces = this.#pieces;
    this.#pieces = [];
    const isSmall = this.#handle === undefined && this.isWhole;
    if (isSmall) return await atOnce(MAX_AT_ONCE, this.#wanted.files, (one) => this.#whole(one, pieces));
    this.#handle ??= await this.#disk.open(file, CREATE_NEW, FILE_MODE);
    await writeAll(this.#handle, pieces, this.#written);
    this.#written = this.#taken;
    if (!this.isWhole) return;
    await this.#handle.sync();
    await this.#handle.close();
    this.#handle = undefined;
    for (const other of others) await this.#copy(file, other);
  }

  /** Leaves what it has written to whoever removes the folder, and no file open. */
  async drop(): Promise<false> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => undefined);
    if (this.#written > 0) await rm(must(this.#wanted.files[0], "a file"), { force: true });
    return false;
  }

  async #whole(file: string, pieces: readonly Bytes[]): Promise<void> {
    const handle = await this.#disk.open(file, CREATE_NEW, FILE_MODE);
    try {
      await writeAll(handle, pieces, 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async #copy(from: string, to: string): Promise<void> {
    await this.#disk.copyFile(from, to);
    const handle = await this.#disk.open(to, constants.O_RDWR, FILE_MODE);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/** @throws {TunnelError} disk-full */
async function writeAll(handle: PartHandle, pieces: readonly Bytes[], position: number): Promise<void> {
  let rest = pieces.filter(({ length }) => length > 0);
  for (let at = position; rest.length > 0;) {
    const { bytesWritten } = await handle.writev(rest, at);
    if (bytesWritten === 0) throw new TunnelError("disk-full");
    at += bytesWritten;
    rest = after(rest, bytesWritten);
  }
}

/** The rest of these after so many bytes of them: a disk may take less than it was given. */
function after(pieces: readonly Bytes[], bytes: number): Bytes[] {
  let left = bytes;
  return pieces.flatMap((piece) => {
    const taken = Math.min(left, piece.length);
    left -= taken;
    return taken === piece.length ? [] : [piece.subarray(taken)];
  });
}

const FAULTS = {
  form: "it is none",
  path: "a path in it leads out of the folder, or is too long or too deep",
  order: "it is not in order",
  twice: "a name stands in it twice, or for a file and a folder",
  size: "its sizes are not those of the offer",
} as const;

/** @throws {TunnelError} file-hash-mismatch, tree-invalid */
function listIn(pieces: readonly Bytes[], { tree, size, hash }: TreeRequest["offer"]): readonly TreeEntry[] {
  const bytes = Buffer.concat(pieces);
  if (createHash("sha256").update(bytes).digest("hex") !== toHex(hash))
    throw new TunnelError("file-hash-mismatch");
  const entries = decodeTree(bytes, { facts: tree, size });
  if (typeof entries === "string") throw new TunnelError("tree-invalid", { detail: FAULTS[entries] });
  return entries;
}

function reportOf(local: LocalTree, { bytes, reused }: { bytes: number; reused: number }): TreeReport {
  const { files, renamed, notSaved } = local;
  return { files: files.length, bytes, reused, renamed, notSaved, saved: files.map(({ file }) => file.path) };
}

/** Whether the disk takes names for one that differ in case or in the form of their letters: tried, since it is up to the disk. */
async function folds(folder: string): Promise<boolean> {
  const probe = path.join(folder, "tunnel-probe-\u00e9");
  await writeFile(probe, "", { flag: "wx" });
  try {
    const others = ["TUNNEL-PROBE-\u00c9", "tunnel-probe-e\u0301"];
    const found = await Promise.all(
      others.map((name) => lstat(path.join(folder, name)).catch(() => undefined)),
    );
    return found.some((one) => one !== undefined);
  } finally {
    await rm(probe, { force: true });
  }
}
