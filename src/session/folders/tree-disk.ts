import { closeSync, constants, openSync, writevSync } from "node:fs";
import { copyFile, lstat, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Bytes } from "../../protocol/base/bytes.ts";
import { CREATE_NEW } from "../paths/place.ts";

/** The calls that an open file must answer. */
export interface TreeHandle {
  writev(pieces: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The calls that a tree is written with; a test puts a disk that is full in their place. */
export interface TreeDisk {
  open(file: string, flags: number, mode: number): Promise<TreeHandle>;
  /** Makes a whole small file. */
  writeNew(file: string, pieces: readonly Bytes[], mode: number): void;
  mkdir(folder: string): Promise<unknown>;
  copyFile(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
}

export const DISK: TreeDisk = {
  open,
  writeNew,
  mkdir: (folder) => mkdir(folder),
  copyFile: (from, to) => copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
  rename,
};

/**
 * In one go: a turn of the event loop for each call of the system would cost more than the calls. It is not waited for until it lies on
 * the disk, as it is for a large file.
 */
function writeNew(file: string, pieces: readonly Bytes[], mode: number): void {
  const handle = openSync(file, CREATE_NEW, mode);
  try {
    for (let [rest, at] = [pieces, 0]; rest.length > 0;) {
      const written = writevSync(handle, rest, at);
      if (written === 0) throw new TunnelError("disk-full");
      at += written;
      rest = after(rest, written);
    }
  } finally {
    closeSync(handle);
  }
}

/** @throws {TunnelError} disk-full */
export async function writeAll(
  handle: TreeHandle,
  pieces: readonly Bytes[],
  position: number,
): Promise<void> {
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

/** Whether the disk takes names for one that differ in case or in the form of their letters: tried, since it is up to the disk. */
export async function folds(folder: string): Promise<boolean> {
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
