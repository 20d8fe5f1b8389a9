import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { chmod, lstat, realpath, rm } from "node:fs/promises";
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
import { codeOf, writeFailure } from "../paths/failures.ts";
import { heldName } from "../paths/held-name.ts";
import { CREATE_NEW, type SavePlace } from "../paths/place.ts";
import { removePart, Unfinished } from "../paths/unfinished.ts";
import { atOnce } from "./at-once.ts";
import { chosen, placeTree, type LocalTree } from "./local-tree.ts";
import { adopt, FILE_MODE, MAX_AT_ONCE, OpenContent, reuse, type Wanted } from "./open-content.ts";
import { assertRoom } from "./room.ts";
import { Slices } from "./slices.ts";
import { DISK, folds, type TreeDisk } from "./tree-disk.ts";
import type { TreeReport, TreeSide } from "./tree-side.ts";

const FOLDER_MODE = 0o777;

export interface TreeRequest {
  readonly offer: FileOffer & { readonly tree: TreeFacts };
  readonly place: SavePlace;
  /** The names on the way from the nearest root to the new folder, and its own. */
  readonly segments: readonly string[];
  /** Paths of the list; everything when undefined. */
  readonly only: readonly string[] | undefined;
  /** An unfinished folder of an earlier process, beside the place: what is whole in it is taken over. */
  readonly left?: string | undefined;
  /** Told of the unfinished folder before it is there. */
  readonly onPart?: ((part: string) => void) | undefined;
  /** A file that had this content (SHA-256, base64url) when it came from the same member. */
  readonly known: (hash: string) => string | undefined;
  /** Called for every file that is saved. */
  readonly saved: (hash: string, file: string) => void;
}

/** The folders that are on their way in. */
export class IncomingTrees {
  readonly #unfinished = new Unfinished((part) => rmSync(part, { recursive: true, force: true }));
  readonly #disk: TreeDisk;

  constructor(disk: TreeDisk = DISK) {
    this.#disk = disk;
  }

  get size(): number {
    return this.#unfinished.size;
  }

  /** Begins a folder beside its place. @throws {TunnelError} disk-full, save-failed, save-denied */
  async create(request: TreeRequest): Promise<IncomingTree> {
    const disk = this.#disk;
    const make = async (part: string, done: () => void): Promise<IncomingTree> => {
      await disk.mkdir(part);
      // Nobody else looks into it before it is whole. Some disks know no modes.
      await chmod(part, 0o700).catch(() => undefined);
      return new IncomingTree(request, { part, disk, done });
    };
    return this.#unfinished.begin(request.place, make, request.onPart);
  }

  /** For the end of the process, when nothing can be waited for. */
  removeAll(): void {
    this.#unfinished.removeAll();
  }
}

/** A folder on its way in: it appears at its place whole and verified, or not at all. */
export class IncomingTree implements TreeSide {
  /** The list comes again in each process; it tells what else is there. */
  readonly received = 0;
  readonly #request: TreeRequest;
  readonly part: string;
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
    this.part = own.part;
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
      const isFolding = await folds(this.part);
      const local = await placeTree(wanted, {
        segments,
        isFolding,
        held: (name) => heldName(name, this.part),
      });
      if (local.files.length + local.folders.length === 0 && local.notSaved.length > 0)
        throw new TunnelError("path-protected", { detail: must(local.notSaved[0], "an entry").why });
      const bytes = local.files.reduce((sum, { file }) => sum + file.size, 0);
      await assertRoom(this.part, bytes);
      for (const names of local.folders) await this.#disk.mkdir(this.#at(names));
      const coming: Wanted[] = [];
      const here: (readonly [source: string, one: Wanted])[] = [];
      for (const one of await this.#notLeft(await this.#contents(entries, local))) {
        const source = known(one.content.hash);
        if (source === undefined) coming.push(one);
        else here.push([source, one]);
      }
      await atOnce(MAX_AT_ONCE, here, async ([source, one]) => {
        if (!(await reuse(this.#disk, source, one))) coming.push(one);
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
      const slices = new Slices();
      for (const piece of contents) {
        for (let rest = piece; rest.length > 0;) {
          const current = this.#open ?? this.#next();
          rest = current.take(rest);
          this.#open = current.isWhole ? undefined : current;
          if (!current.isSmall) touched.add(current);
          else if (current.isWhole) current.writeNow();
          if (slices.isOver) await slices.turn();
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
      await chmod(this.part, FOLDER_MODE & ~process.umask()).catch(() => undefined);
      if ((await lstat(place.target).catch(() => undefined)) !== undefined)
        throw new TunnelError("save-exists");
      await this.#disk.rename(this.part, place.target).catch((error: unknown) => {
        // Somebody has taken the name at this very moment. An empty folder of theirs is no loss.
        const isTaken = ["EEXIST", "ENOTEMPTY", "ENOTDIR"].includes(codeOf(error));
        throw isTaken ? new TunnelError("save-exists", { cause: error }) : error;
      });
      this.#isOver = true;
      this.#done();
      for (const { file, names } of local.files) saved(file.hash, path.join(place.target, ...names));
      return place.target;
    });
  }

  /** Lets what is whole be, for a later process that goes on with it. */
  leave(): Promise<void> {
    const run = this.#turn.then(() => this.#close());
    this.#turn = run;
    return run;
  }

  abort(): Promise<void> {
    const run = this.#turn.then(() => this.#discard());
    this.#turn = run;
    return run;
  }

  #at(names: readonly string[]): string {
    return path.join(this.part, ...names);
  }

  /** Every content that some file is to have, once. Files without any are made at once. */
  async #contents(entries: readonly TreeEntry[], { files }: LocalTree): Promise<Wanted[]> {
    const layout = must(layoutOf(entries.filter(isTreeFile)), "the layout of a list that was judged");
    const byHash = new Map<string, { content: TreeContent; files: string[] }>();
    const empty: string[] = [];
    for (const { file, names } of files) {
      const key = file.hash;
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

  /** Takes over what an earlier process has left, and removes the rest of that. @returns those contents that were not there */
  async #notLeft(all: readonly Wanted[]): Promise<readonly Wanted[]> {
    const { left } = this.#request;
    const root = left === undefined ? undefined : await realpath(left).catch(() => undefined);
    if (left === undefined || root === undefined) return all;
    const missing: Wanted[] = [];
    await atOnce(MAX_AT_ONCE, all, async (one) => {
      const name = path.relative(this.part, must(one.files[0], "a file of this content"));
      if (!(await adopt(this.#disk, path.join(root, name), one))) missing.push(one);
    });
    await this.#removeLeft();
    return missing;
  }

  async #removeLeft(): Promise<void> {
    const { left } = this.#request;
    if (left !== undefined) await removePart(left);
  }

  #next(): OpenContent {
    const wanted = this.#coming.shift();
    if (wanted === undefined) throw new TunnelError("file-too-long");
    return new OpenContent(this.#disk, wanted);
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

  async #close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#open?.drop();
    this.#done();
  }

  async #discard(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#open?.drop();
    await rm(this.part, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    await this.#removeLeft();
    this.#done();
  }
}

interface Plan {
  /** Bytes that come in all. */
  readonly total: number;
  readonly report: TreeReport;
  readonly local: LocalTree;
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
