import path from "node:path";
import { ascii, concat, equalBytes, u32be, view, type Bytes } from "../../protocol/base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { encodeUtf8 } from "../../protocol/base/utf8.ts";
import { Checks, decodeRecords, encodeRecord, type Hash } from "./record.ts";

const MAGIC = ascii("tunnel-mcp stay\n");
/** Of the form of the file and of the records in it. One that is not known is refused: what it holds must not be guessed. */
const VERSION = 1;
const SALT_BYTES = 16;
const HEADER_BYTES = MAGIC.length + 4 + SALT_BYTES;

const NAME = /^([1-9]\d{0,9})\.journal$/;
const DRAFT = /^[1-9]\d{0,9}\.draft$/;

/** What was written outlives a power cut after this time at the latest, in ms. */
const SYNC_MS = 200;
/** A file is written anew when it is so much longer than twice its base … */
const SLACK_BYTES = 4 * 1024 * 1024;
/** … and is never longer than this: the log, and the outboxes of both ways, with room for what is not trimmed yet. */
const MAX_FILE_BYTES = 128 * 1024 * 1024;

export interface JournalOptions {
  readonly disk: Disk;
  /** There already, and this user's alone. */
  readonly folder: string;
  readonly hash: Hash;
  readonly random: (length: number) => Bytes;
  readonly clock: Pick<Clock, "after">;
  /** Nothing is kept any more, and nothing is left of what was; {@link Journal.rewrite} begins anew. */
  readonly onFailure: (error: Error) => void;
}

/** The file that is written to. */
interface Current {
  readonly file: DiskFile;
  readonly checks: Checks;
  /** Of the file as it was begun. */
  readonly baseBytes: number;
}

/**
 * Records on a disk, in order (ARCHITECTURE): each is written before what follows from it is told to anybody, and what was written
 * before a kill is there afterwards. Failures end the journal, not its owner: half of a state is worse than none.
 */
export class Journal {
  readonly #options: JournalOptions;
  #current: Current | undefined;
  #generation: number;
  /** Records that are not written yet. */
  #pending: Bytes[] = [];
  #bytes = 0;
  /** It is written anew when it has come to this length. */
  #longAt = 0;
  #cancelSync: (() => void) | undefined;
  #isClosed = false;

  private constructor(options: JournalOptions, generation: number) {
    this.#options = options;
    this.#generation = generation;
  }

  /** A new journal that begins with these records. It keeps nothing where the disk takes nothing, as `onFailure` then tells. */
  static begin(options: JournalOptions, base: Iterable<Bytes>): Journal {
    const journal = new Journal(options, 0);
    journal.rewrite(base);
    return journal;
  }

  /**
   * The journal in a folder and its records. What stood behind the last whole record is cut off.
   * @throws {TunnelError} stay-unreadable, stay-copied, stay-version
   */
  static open(options: JournalOptions): { journal: Journal; payloads: readonly Bytes[] } {
    const { disk, folder, hash } = options;
    return asUnreadable(() => {
      const { file, identity, end, checks, baseBytes, payloads, generation } = readFile(disk, folder, hash);
      const opened = disk.openAt(file, end);
      if (opened.identity !== identity) throw new TunnelError("stay-unreadable");
      const journal = new Journal(options, generation);
      journal.#current = { file: opened, checks, baseBytes };
      journal.#bytes = end;
      journal.#longAt = 2 * baseBytes + SLACK_BYTES;
      journal.#sweep(file);
      return { journal, payloads };
    });
  }

  /**
   * The records in a folder, which stay as they are.
   * @throws {TunnelError} stay-unreadable, stay-copied, stay-version
   */
  static peek({ disk, folder, hash }: Pick<JournalOptions, "disk" | "folder" | "hash">): readonly Bytes[] {
    return asUnreadable(() => readFile(disk, folder, hash).payloads);
  }

  /** Whether anything is kept. */
  get isKept(): boolean {
    return this.#current !== undefined;
  }

  /** Whether it is time to write it anew, shorter. */
  get isLong(): boolean {
    return this.#current !== undefined && this.#bytes > this.#longAt;
  }

  /** A record, to be written with the next {@link flush}. */
  append(payload: Bytes): void {
    if (this.#current !== undefined) this.#pending.push(payload);
  }

  /** Writes what was appended: a kill takes nothing of it any more. */
  flush(): void {
    if (this.#pending.length === 0) return;
    this.#guarded((current) => {
      const records = this.#pending.map((payload) => encodeRecord(current.checks, payload));
      this.#pending = [];
      const bytes = concat(...records);
      if (this.#bytes + bytes.length > MAX_FILE_BYTES) throw new Error("the journal is full");
      current.file.write(bytes);
      this.#bytes += bytes.length;
      this.#cancelSync ??= this.#options.clock.after(SYNC_MS / 2, () => this.#syncLater());
    });
  }

  /** Writes what was appended, and makes sure that a power cut takes nothing of it. */
  sync(): void {
    this.flush();
    this.#guarded(({ file }) => {
      this.#stopTimer();
      file.sync();
    });
  }

  /**
   * Writes a new file that begins with these records, which say all that the earlier ones did, and goes on in it. Where the disk has no
   * room for that, the old file goes on.
   */
  rewrite(base: Iterable<Bytes>): void {
    if (this.#isClosed) return;
    this.flush();
    const { disk, folder } = this.#options;
    const generation = this.#generation + 1;
    const name = path.join(folder, `${generation}.journal`);
    const draft = this.#drafted(path.join(folder, `${generation}.draft`), base);
    if (draft === undefined) return;
    const old = this.#current;
    this.#stopTimer();
    this.#generation = generation;
    this.#current = draft;
    this.#bytes = draft.baseBytes;
    this.#longAt = 2 * draft.baseBytes + SLACK_BYTES;
    old?.file.close();
    this.#guarded(() => {
      disk.rename(path.join(folder, `${generation}.draft`), name);
      disk.syncFolder(folder);
    });
    if (this.#current !== undefined) this.#sweep(name);
  }

  /** Nothing is written any more; what was is safe, and a later process can open it. */
  close(): void {
    if (this.#isClosed) return;
    this.sync();
    this.#isClosed = true;
    this.#current?.file.close();
    this.#current = undefined;
  }

  /** Leaves nothing behind. The folder is not its own. */
  remove(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #drafted(draft: string, base: Iterable<Bytes>): Current | undefined {
    const { disk } = this.#options;
    try {
      disk.remove(draft);
      return this.#write(draft, base);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (this.#current === undefined) this.#failed(error);
      // Not at every record from now on.
      else this.#longAt = 2 * this.#bytes;
      return undefined;
    }
  }

  #write(draft: string, base: Iterable<Bytes>): Current {
    const { disk, hash, random } = this.#options;
    const file = disk.create(draft);
    if (file === undefined) throw new Error("a file of this name is there");
    try {
      const salt = random(SALT_BYTES);
      const checks = new Checks(hash, salt);
      const records = [...base];
      const parts = [concat(MAGIC, u32be(VERSION), salt)];
      for (const payload of [encodeUtf8(file.identity), u32be(records.length), ...records])
        parts.push(encodeRecord(checks, payload));
      const bytes = concat(...parts);
      file.write(bytes);
      file.sync();
      return { file, checks, baseBytes: bytes.length };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #syncLater(): void {
    this.#cancelSync = undefined;
    const current = this.#current;
    if (current === undefined) return;
    current.file.syncLater().catch((error: unknown) => {
      // The file has been replaced by one that is synced, or is closed.
      if (this.#current === current) this.#failed(error instanceof Error ? error : new Error("no sync"));
    });
  }

  #guarded(work: (current: Current) => void): void {
    const current = this.#current;
    if (current === undefined) return;
    try {
      work(current);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#failed(error);
    }
  }

  /** A journal with a gap would bring back a state that never was: better none. */
  #failed(error: Error): void {
    this.#drop();
    this.#options.onFailure(error);
  }

  #drop(): void {
    this.#stopTimer();
    this.#pending = [];
    this.#current?.file.close();
    this.#current = undefined;
    this.#sweep(undefined);
  }

  /** Removes all files of journals but this one. Where none is left, none may come back with a power cut, either. */
  #sweep(but: string | undefined): void {
    const { disk, folder } = this.#options;
    try {
      for (const name of disk.list(folder)) {
        const file = path.join(folder, name);
        if (file !== but && (NAME.test(name) || DRAFT.test(name))) disk.remove(file);
      }
      if (but === undefined) disk.syncFolder(folder);
    } catch (error) {
      // A disk that nothing can be removed from keeps an old state, which the other members do not accept.
      if (!(error instanceof Error)) throw error;
    }
  }

  #stopTimer(): void {
    this.#cancelSync?.();
    this.#cancelSync = undefined;
  }
}

/** The newest first. */
function generationsIn(disk: Disk, folder: string): number[] {
  return disk
    .list(folder)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => b - a);
}

function asUnreadable<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof TunnelError || !(error instanceof Error)) throw error;
    throw new TunnelError("stay-unreadable", { cause: error });
  }
}

function readFile(disk: Disk, folder: string, hash: Hash) {
  const [generation] = generationsIn(disk, folder);
  if (generation === undefined) throw new TunnelError("stay-unreadable");
  const file = path.join(folder, `${generation}.journal`);
  const { bytes, identity } = disk.read(file, MAX_FILE_BYTES);
  const magic = bytes.subarray(0, MAGIC.length);
  if (bytes.length < HEADER_BYTES || !equalBytes(magic, MAGIC)) throw new TunnelError("stay-unreadable");
  if (view(bytes).getUint32(MAGIC.length) !== VERSION) throw new TunnelError("stay-version");
  const salt = bytes.slice(HEADER_BYTES - SALT_BYTES, HEADER_BYTES);
  const found = decodeRecords(bytes, HEADER_BYTES, { hash, salt });
  const [origin, count, ...payloads] = found.payloads;
  if (origin === undefined || count?.length !== 4) throw new TunnelError("stay-unreadable");
  const baseRecords = view(count).getUint32(0);
  if (payloads.length < baseRecords) throw new TunnelError("stay-unreadable");
  // Each file names itself: one that names another was copied, or restored from a copy.
  if (!equalBytes(origin, encodeUtf8(identity))) throw new TunnelError("stay-copied");
  const baseBytes = HEADER_BYTES + sum([origin, count, ...payloads.slice(0, baseRecords)]);
  return { file, identity, generation, end: found.end, checks: found.checks, baseBytes, payloads };
}

function sum(parts: readonly Bytes[]): number {
  return parts.reduce((total, { length }) => total + length, 0);
}
