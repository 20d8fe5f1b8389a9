import { createHash, hash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath, rm } from "node:fs/promises";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Bytes } from "../../protocol/base/bytes.ts";
import type { TreeContent } from "../../protocol/files/tree.ts";
import { CREATE_NEW } from "../paths/place.ts";
import { READ_ONLY } from "../paths/share.ts";
import { writeAll, type TreeDisk, type TreeHandle } from "./tree-disk.ts";

/** One content that comes, and the files that are to have it. */
export interface Wanted {
  readonly content: TreeContent;
  /** Absolute, in the unfinished folder. */
  readonly files: readonly string[];
}

/** Never executable. */
export const FILE_MODE = 0o644;
/** Files that are written at once: most of them are small, and each takes several calls of the system. */
export const MAX_AT_ONCE = 16;
/** Larger ones are written while they come. */
const SMALL_BYTES = 64 * 1024;
const READ_BYTES = 1024 * 1024;

/** One content while it comes: written to the first of its files, then copied to the others. */
export class OpenContent {
  readonly #disk: TreeDisk;
  readonly #wanted: Wanted;
  #hash: Hash | undefined;
  #digest: string | undefined;
  #handle: TreeHandle | undefined;
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

  /** Whether it is written in one go, when it is whole. */
  get isSmall(): boolean {
    return this.#wanted.content.size <= SMALL_BYTES && this.#handle === undefined;
  }

  /** Of a whole one: whether it is what the list says. */
  get isRight(): boolean {
    this.#digest ??= this.#hash?.digest("base64url");
    return this.#digest === this.#wanted.content.hash;
  }

  /** Takes what belongs to it. @returns the rest */
  take(bytes: Bytes): Bytes {
    const own = bytes.subarray(0, this.#wanted.content.size - this.#taken);
    const isAll = own.length === this.#wanted.content.size;
    if (isAll) this.#digest = hash("sha256", own, "base64url");
    else (this.#hash ??= createHash("sha256")).update(own);
    this.#pieces.push(own);
    this.#taken += own.length;
    return bytes.subarray(own.length);
  }

  /** Writes a small one that is whole. @throws {TunnelError} file-hash-mismatch, disk-full */
  writeNow(): void {
    if (!this.isRight) throw new TunnelError("file-hash-mismatch");
    for (const file of this.#wanted.files) this.#disk.writeNew(file, this.#pieces, FILE_MODE);
    this.#pieces = [];
  }

  /** Writes what was taken. @throws {TunnelError} file-hash-mismatch, disk-full */
  async flush(): Promise<void> {
    try {
      if (this.isWhole && !this.isRight) throw new TunnelError("file-hash-mismatch");
      await this.#write();
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  async #write(): Promise<void> {
    const [first, ...others] = this.#wanted.files;
    const file = must(first, "a file of this content");
    const pieces = this.#pieces;
    this.#pieces = [];
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

  #copy(from: string, to: string): Promise<void> {
    return copyWhole(this.#disk, from, to);
  }
}

/** @throws {Error} */
async function copyWhole(disk: TreeDisk, from: string, to: string): Promise<void> {
  await disk.copyFile(from, to);
  const handle = await disk.open(to, constants.O_RDWR, FILE_MODE);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Moves a file of an unfinished folder to where it is wanted, if it is this user's plain file of that content.
 * @param source without links on the way @returns whether it was @throws {Error} of the disk
 */
export async function adopt(disk: TreeDisk, source: string, { content, files }: Wanted): Promise<boolean> {
  const [first, ...others] = files;
  if (first === undefined || !(await isWholeFile(source, content))) return false;
  await disk.rename(source, first);
  for (const other of others) await copyWhole(disk, first, other);
  return true;
}

async function isWholeFile(source: string, { size, hash: wanted }: TreeContent): Promise<boolean> {
  if ((await realpath(source).catch(() => undefined)) !== source) return false;
  const handle = await open(source, READ_ONLY).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const found = await handle.stat();
    const isOwn = found.isFile() && found.nlink === 1 && found.uid === (process.getuid?.() ?? found.uid);
    if (!isOwn || found.size !== size) return false;
    const digest = createHash("sha256");
    const piece = new Uint8Array(Math.min(READ_BYTES, size));
    for (let done = 0; done < size;) {
      const { bytesRead } = await handle.read(piece, 0, piece.length);
      if (bytesRead === 0) return false;
      digest.update(piece.subarray(0, bytesRead));
      done += bytesRead;
    }
    return digest.digest("base64url") === wanted;
  } finally {
    await handle.close();
  }
}

/** Copies a file that came before, if it is still what it was. @returns whether it was @throws {TunnelError} disk-full, save-failed */
export async function reuse(disk: TreeDisk, source: string, wanted: Wanted): Promise<boolean> {
  const from = await open(source, READ_ONLY).catch(() => undefined);
  if (from === undefined) return false;
  const to = new OpenContent(disk, wanted);
  try {
    const found = await from.stat();
    if (!found.isFile() || found.size !== wanted.content.size) return false;
    while (!to.isWhole) {
      const { buffer, bytesRead } = await from.read(
        new Uint8Array(Math.min(READ_BYTES, found.size)),
        0,
        Math.min(READ_BYTES, found.size),
      );
      if (bytesRead === 0 || to.take(buffer.subarray(0, bytesRead)).length > 0) return await to.drop();
      if (to.isWhole && !to.isRight) return await to.drop();
      await to.flush();
    }
    return true;
  } finally {
    await from.close();
  }
}
