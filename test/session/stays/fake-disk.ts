import path from "node:path";
import type { Bytes } from "../../../src/protocol/base/bytes.ts";
import type { Disk, DiskFile, FoundFile } from "../../../src/session/stays/disk.ts";
import type { Chance } from "../../support/random.ts";

/** The process died. No error: nothing in it can catch that and go on. */
export class Died {
  readonly name = "Died";
}

interface Inode {
  readonly identity: string;
  bytes: Uint8Array;
  /** What outlives a power cut for certain. */
  synced: Uint8Array;
}

type NameChange = { readonly folder: string } & (
  | { readonly kind: "set"; readonly file: string; readonly inode: Inode }
  | { readonly kind: "remove"; readonly file: string }
);

/** A disk in memory. It can kill its process between any two bytes, lose what was not synced, and be full. */
export class FakeDisk implements Disk {
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  #inodes = 0;
  /** Bytes and calls until the process dies. */
  fuse = Number.POSITIVE_INFINITY;
  #isDead = false;
  /** Bytes that it still takes. */
  room = Number.POSITIVE_INFINITY;
  /** Whether it refuses everything but reading. */
  isReadOnly = false;

  list(folder: string): string[] {
    this.#step();
    return [...this.#names.keys()]
      .filter((file) => path.dirname(file) === folder)
      .map((file) => path.basename(file));
  }

  read(file: string, maxBytes: number): FoundFile {
    this.#step();
    const { bytes, identity } = this.#at(file);
    if (bytes.length > maxBytes) throw new Error("too long");
    return { bytes: bytes.slice(), identity };
  }

  create(file: string): DiskFile | undefined {
    this.#change();
    if (this.#names.has(file)) return undefined;
    const inode = this.#newInode();
    this.#name({ kind: "set", folder: path.dirname(file), file, inode });
    return this.#handle(inode);
  }

  openAt(file: string, length: number): DiskFile {
    this.#change();
    const inode = this.#at(file);
    inode.bytes = inode.bytes.slice(0, length);
    return this.#handle(inode);
  }

  rename(from: string, to: string): void {
    this.#change();
    const inode = this.#at(from);
    this.#name({ kind: "set", folder: path.dirname(to), file: to, inode });
    this.#name({ kind: "remove", folder: path.dirname(from), file: from });
  }

  remove(file: string): void {
    this.#change();
    if (this.#names.has(file)) this.#name({ kind: "remove", folder: path.dirname(file), file });
  }

  syncFolder(folder: string): void {
    this.#change();
    const theirs = this.#nameChanges.filter((change) => change.folder === folder);
    this.#nameChanges = this.#nameChanges.filter((change) => change.folder !== folder);
    for (const change of theirs) apply(this.#durableNames, change);
  }

  // --- what happens to it ---

  /** The process is gone, and what it wrote is there. Another one uses the disk from now on. */
  revive(): void {
    this.#isDead = false;
    this.fuse = Number.POSITIVE_INFINITY;
  }

  /** Of what was not synced, each file keeps a beginning, with or without the length it had; names were changed in their order. */
  cutPower(chance: Chance): void {
    const names = new Map(this.#durableNames);
    for (const change of this.#nameChanges.slice(0, chance.below(this.#nameChanges.length + 1)))
      apply(names, change);
    this.#nameChanges = [];
    for (const inode of new Set(names.values())) {
      const { bytes, synced } = inode;
      // What was cut off after the last sync may be back.
      const longest = bytes.length >= synced.length ? bytes : synced;
      const kept = synced.length + chance.below(longest.length - synced.length + 1);
      const end = chance.below(3) === 0 ? longest.length : kept;
      inode.bytes = new Uint8Array(end);
      inode.bytes.set(longest.subarray(0, kept));
      inode.synced = inode.bytes.slice();
    }
    this.#names = names;
    this.#durableNames = new Map(names);
  }

  /** As a program does that copies a folder, or puts one back from an archive. */
  copyFolder(from: string, to: string): void {
    for (const [file, { bytes }] of this.#names) {
      if (path.dirname(file) !== from) continue;
      const inode = this.#newInode();
      inode.bytes = bytes.slice();
      this.#names.set(path.join(to, path.basename(file)), inode);
    }
  }

  filesIn(folder: string): string[] {
    return [...this.#names.keys()].filter((file) => path.dirname(file) === folder);
  }

  bytesOf(file: string): Uint8Array {
    return this.#at(file).bytes;
  }

  setBytes(file: string, bytes: Uint8Array): void {
    this.#at(file).bytes = bytes;
  }

  // --- its own ---

  #newInode(): Inode {
    this.#inodes += 1;
    return { identity: String(this.#inodes), bytes: new Uint8Array(0), synced: new Uint8Array(0) };
  }

  #at(file: string): Inode {
    const inode = this.#names.get(file);
    if (inode === undefined) throw new Error("no such file");
    return inode;
  }

  #name(change: NameChange): void {
    apply(this.#names, change);
    this.#nameChanges.push(change);
  }

  #handle(inode: Inode): DiskFile {
    return {
      identity: inode.identity,
      write: (bytes) => this.#write(inode, bytes),
      sync: () => this.#sync(inode),
      syncLater: () => {
        this.#sync(inode);
        return Promise.resolve();
      },
      close: () => this.#step(),
    };
  }

  #write(inode: Inode, bytes: Bytes): void {
    this.#change();
    const taken = Math.min(bytes.length, this.fuse, this.room);
    const grown = new Uint8Array(inode.bytes.length + taken);
    grown.set(inode.bytes);
    grown.set(bytes.subarray(0, taken), inode.bytes.length);
    inode.bytes = grown;
    this.room -= taken;
    this.fuse -= taken;
    if (taken === bytes.length) return;
    if (this.fuse <= 0) this.#die();
    throw new Error("no space left");
  }

  #sync(inode: Inode): void {
    this.#change();
    inode.synced = inode.bytes.slice();
  }

  #change(): void {
    this.#step();
    if (this.isReadOnly) throw new Error("a disk that is only read");
  }

  #step(): void {
    if (this.#isDead) throw new Died();
    this.fuse -= 1;
    if (this.fuse < 0) this.#die();
  }

  #die(): never {
    this.#isDead = true;
    throw new Died();
  }
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === "set") names.set(change.file, change.inode);
  else names.delete(change.file);
}
