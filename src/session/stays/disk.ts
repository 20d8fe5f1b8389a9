import type { Bytes } from "../../protocol/base/bytes.ts";

/**
 * The part of a file system that a journal needs. Calls are synchronous, since what is acknowledged has to be written before; a test
 * puts a disk of its own in its place, which loses what was not synced.
 */
export interface Disk {
  /** Names of the files in a folder; none where there is no folder. */
  list(folder: string): readonly string[];
  /** @throws {Error} where there is none, it is not this user's alone, or is longer than `maxBytes` */
  read(file: string, maxBytes: number): FoundFile;
  /** A new file of this user alone; undefined where one is there already. @throws {Error} */
  create(file: string): DiskFile | undefined;
  /** A file that was read, to go on behind its first `length` bytes; the rest is cut off. @throws {Error} */
  openAt(file: string, length: number): DiskFile;
  /** Gives a file another name, whatever had it before. @throws {Error} */
  rename(from: string, to: string): void;
  /** @throws {Error} where it cannot be removed; a file that is not there is no error */
  remove(file: string): void;
  /** Makes sure of the names in a folder, where the system knows how. @throws {Error} */
  syncFolder(folder: string): void;
}

export interface FoundFile {
  readonly bytes: Bytes;
  readonly identity: string;
}

export interface DiskFile {
  /** Names this very file in its file system, also after another start of the machine: a copy of it has another one. */
  readonly identity: string;
  /** Writes all of it at the end, or throws; then part of it may be there. @throws {Error} */
  write(bytes: Bytes): void;
  /** What was written outlives a power cut. @throws {Error} */
  sync(): void;
  /** The same, meanwhile other work goes on. Rejects with an Error. */
  syncLater(): Promise<void>;
  close(): void;
}
