import { createHash, type Hash } from "node:crypto";
import { constants, unlinkSync } from "node:fs";
import { link, lstat, open, rename, unlink } from "node:fs/promises";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { codeOf, writeFailure } from "../paths/failures.ts";
import { CREATE_NEW, type Replaced, type SavePlace } from "../paths/place.ts";
import { Unfinished } from "../paths/unfinished.ts";

/** The calls that an open file must answer; a test puts a disk that is full in its place. */
export interface PartHandle {
  writev(chunks: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
  chmod(mode: number): Promise<void>;
  chown(uid: number, gid: number): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  open(file: string, flags: number, mode: number): Promise<PartHandle>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(file: string): Promise<void>;
}

const DISK: Disk = { open, link, rename, unlink };

const REOPEN: number = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0);

/** Read at once of what is there already. */
const REREAD_BYTES = 256 * 1024;

/** A new file is readable as far as the user lets others read new files, and never executable. */
const NEW_MODE = 0o644;

/** The files that are on their way in. */
export class IncomingFiles {
  readonly #unfinished = new Unfinished(unlinkSync);
  readonly #disk: Disk;

  constructor(disk: Disk = DISK) {
    this.#disk = disk;
  }

  get size(): number {
    return this.#unfinished.size;
  }

  /** Begins to write beside the target. @throws {TunnelError} disk-full, save-failed, save-denied */
  async create(place: SavePlace, onPart?: (part: string) => void): Promise<IncomingFile> {
    const disk = this.#disk;
    const make = async (part: string, done: () => void): Promise<IncomingFile> => {
      const handle = await disk.open(part, CREATE_NEW, 0o600);
      return new IncomingFile({ place, part, handle, disk, done });
    };
    return this.#unfinished.begin(place, make, onPart);
  }

  /**
   * Goes on with what an earlier process has written: whatever is there is read once for its hash, which the whole has to have in the end.
   * Anything that is not this user's plain file of at most so many bytes is left alone.
   * @throws {TunnelError} save-failed
   */
  async resume(place: SavePlace, part: string, maxBytes: number): Promise<IncomingFile> {
    return this.#unfinished.resume(part, async (file, done) => {
      const handle = await open(file, REOPEN);
      try {
        const found = await handle.stat();
        const { size, nlink, uid } = found;
        const isOwn = nlink === 1 && found.isFile() && uid === (process.getuid?.() ?? uid);
        if (!isOwn || size > maxBytes) throw new TunnelError("save-failed");
        const hash = createHash("sha256");
        const piece = Buffer.alloc(REREAD_BYTES);
        for (let at = 0; at < size;) {
          const { bytesRead } = await handle.read(piece, 0, piece.length, at);
          if (bytesRead === 0) throw new TunnelError("save-failed");
          hash.update(piece.subarray(0, bytesRead));
          at += bytesRead;
        }
        const disk = this.#disk;
        return new IncomingFile({ place, part, handle, disk, done, written: { hash, bytes: size } });
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  /** For the end of the process, when nothing can be waited for. */
  removeAll(): void {
    this.#unfinished.removeAll();
  }
}

/** One file on its way in: it appears at its place whole and verified, or not at all. */
export class IncomingFile {
  readonly #place: SavePlace;
  readonly #part: string;
  readonly #handle: PartHandle;
  readonly #disk: Disk;
  readonly #done: () => void;
  readonly #hash: Hash;
  /** Calls take their turn, so that an abort cannot overtake a write. */
  #turn: Promise<unknown> = Promise.resolve();
  #position: number;
  #state: "open" | "closed" = "open";

  constructor(options: {
    place: SavePlace;
    part: string;
    handle: PartHandle;
    disk: Disk;
    done: () => void;
    /** By an earlier process. */
    written?: { readonly hash: Hash; readonly bytes: number };
  }) {
    this.#hash = options.written?.hash ?? createHash("sha256");
    this.#position = options.written?.bytes ?? 0;
    this.#place = options.place;
    this.#part = options.part;
    this.#handle = options.handle;
    this.#disk = options.disk;
    this.#done = options.done;
  }

  get part(): string {
    return this.#part;
  }

  /** How many bytes are written; the next chunk continues there. */
  get position(): number {
    return this.#position;
  }

  /**
   * Appends. A failure ends the file, and nothing of it stays behind.
   * @throws TunnelError `disk-full`, `save-failed`
   */
  write(...chunks: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      let rest = chunks.filter(({ length }) => length > 0);
      let position = this.#position;
      let writing = rest.length === 0 ? undefined : this.#handle.writev(rest, position);
      // While the disk is at work.
      for (const chunk of chunks) this.#hash.update(chunk);
      while (writing !== undefined) {
        const { bytesWritten } = await writing;
        if (bytesWritten === 0) throw new TunnelError("disk-full");
        rest = after(rest, bytesWritten);
        position += bytesWritten;
        writing = rest.length === 0 ? undefined : this.#handle.writev(rest, position);
      }
      this.#position = position;
    });
  }

  /**
   * Verifies, and puts the file at its place in one step.
   * @param expectedSha256 lower-case hex
   * @returns the path of the file
   * @throws TunnelError `file-hash-mismatch`, `save-exists`, `disk-full`, `save-failed`, and all that `recheck` throws
   */
  commit(expectedSha256: string): Promise<string> {
    return this.#inTurn(async () => {
      if (this.#hash.digest("hex") !== expectedSha256) throw new TunnelError("file-hash-mismatch");
      // Before it has its name: a crash must not leave an empty file under the name of a whole one.
      await this.#handle.sync();
      await this.#takeAfter(await this.#place.recheck());
      // Windows renames no open file; and a delayed ENOSPC of a network disk comes with closing.
      await this.#handle.close();
      this.#state = "closed";
      await this.#publish();
      this.#done();
      return this.#place.target;
    });
  }

  /** Closes it and lets it be, for a later process. */
  leave(): Promise<void> {
    const run = this.#turn.then(() => this.#leave());
    this.#turn = run;
    return run;
  }

  /** Removes the unfinished file. Never fails: there is nothing that a caller could do about it. */
  abort(): Promise<void> {
    const run = this.#turn.then(() => this.#discard());
    this.#turn = run;
    return run;
  }

  /**
   * Owner and mode, while it still has its secret name. What replaces a file keeps the mode of that file, so that nobody can
   * read more than before; without the bits that lend it the rights of its owner, since the content is another one.
   */
  async #takeAfter(old: Replaced | undefined): Promise<void> {
    const isKept = old === undefined || (await this.#keepsGroup(old));
    const others = (old?.mode ?? 0) & 0o007;
    const group = isKept ? 0o070 : others << 3;
    const mode = old === undefined ? NEW_MODE & ~process.umask() : old.mode & (0o707 | group);
    // Some disks know no modes; the file is then as private as its folder.
    await this.#handle.chmod(mode).catch(() => undefined);
  }

  /** Only the superuser gives a file away; a group can be one of this user's. Without it the group's rights would be another group's. */
  async #keepsGroup({ uid, gid }: Replaced): Promise<boolean> {
    const own = process.getuid?.();
    if (own === undefined) return true;
    for (const owner of [uid, own]) {
      const isGiven = await this.#handle.chown(owner, gid).then(
        () => true,
        () => false,
      );
      if (isGiven) return true;
    }
    return false;
  }

  /** `rename` replaces the name, not what a link leads to, so an overwritten hard link keeps its other names' content. */
  async #publish(): Promise<void> {
    const { target, overwrite } = this.#place;
    if (overwrite) return await this.#disk.rename(this.#part, target);
    const refusal = await this.#disk.link(this.#part, target).then(
      () => undefined,
      (error: unknown) => codeOf(error),
    );
    if (refusal === "EEXIST") throw new TunnelError("save-exists");
    // A disk without hard links says so by a code of its choice (EPERM, ENOTSUP, EISDIR, EXDEV, ...). One that has another
    // trouble has it once more here.
    if (refusal !== undefined) return await this.#publishWithoutLink(target);
    // The file is at its place; that a second name of it stays is no reason to call that a failure.
    await this.#disk.unlink(this.#part).catch(() => undefined);
  }

  /** Takes the name with an empty file, which fails if somebody has it, and replaces that own file. */
  async #publishWithoutLink(target: string): Promise<void> {
    try {
      await (await this.#disk.open(target, CREATE_NEW, 0o600)).close();
    } catch (error) {
      throw codeOf(error) === "EEXIST" ? new TunnelError("save-exists", { cause: error }) : error;
    }
    // What somebody has written there meanwhile is theirs.
    if (!(await isEmptyFile(target))) throw new TunnelError("save-exists");
    try {
      await this.#disk.rename(this.#part, target);
    } catch (error) {
      if (await isEmptyFile(target)) await this.#disk.unlink(target).catch(() => undefined);
      throw error;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(async () => {
      if (this.#state === "closed") throw new TunnelError("save-failed", { detail: "the file is closed" });
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

  async #leave(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    await this.#handle.close().catch(() => undefined);
    this.#done();
  }

  async #discard(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "closed";
      await this.#handle.close().catch(() => undefined);
    }
    // After a commit the working name is gone already.
    await this.#disk.unlink(this.#part).catch(() => undefined);
    this.#done();
  }
}

async function isEmptyFile(file: string): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined);
  return found?.isFile() === true && found.size === 0;
}

/** The rest of these after so many bytes of them: a disk may take less than it was given. */
function after(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  return chunks.flatMap((chunk) => {
    const taken = Math.min(left, chunk.length);
    left -= taken;
    return taken === chunk.length ? [] : [chunk.subarray(taken)];
  });
}
