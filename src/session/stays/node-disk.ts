import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
  type BigIntStats,
} from "node:fs";
import type { Bytes } from "../../protocol/base/bytes.ts";
import type { Disk, DiskFile, FoundFile } from "./disk.ts";

const OWNER_ALONE = 0o600;
/** Windows has none of this kind. */
const NO_LINK = process.platform === "win32" ? 0 : constants.O_NOFOLLOW;

/** The disk of this machine. A file is opened by its name once, and checked by what was opened: nobody can exchange it between. */
export const nodeDisk: Disk = {
  list(folder) {
    try {
      return readdirSync(folder);
    } catch (error) {
      if (isCode(error, "ENOENT")) return [];
      throw error;
    }
  },
  read(file, maxBytes) {
    const fd = openSync(file, constants.O_RDONLY | NO_LINK);
    try {
      return readOwn(fd, maxBytes);
    } finally {
      closeSync(fd);
    }
  },
  create(file) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | NO_LINK;
    try {
      return new NodeFile(openSync(file, flags, OWNER_ALONE));
    } catch (error) {
      if (isCode(error, "EEXIST")) return undefined;
      throw error;
    }
  },
  openAt(file, length) {
    const fd = openSync(file, constants.O_WRONLY | constants.O_APPEND | NO_LINK);
    try {
      checkOwn(fd);
      ftruncateSync(fd, length);
      return new NodeFile(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  },
  rename: renameSync,
  remove: (file) => rmSync(file, { force: true }),
  syncFolder(folder) {
    // Windows opens no folder, and needs no such call.
    if (process.platform === "win32") return;
    const fd = openSync(folder, constants.O_RDONLY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
};

class NodeFile implements DiskFile {
  readonly identity: string;
  readonly #fd: number;
  /** The system's call may still work on the descriptor, which must not be given to another file meanwhile. */
  #syncing = 0;
  #isClosed = false;

  constructor(fd: number) {
    this.#fd = fd;
    this.identity = identityOf(fstatSync(fd, { bigint: true }));
  }

  write(bytes: Bytes): void {
    // A disk that is nearly full takes a part.
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
  }

  sync(): void {
    fdatasyncSync(this.#fd);
  }

  syncLater(): Promise<void> {
    this.#syncing += 1;
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        this.#syncing -= 1;
        if (this.#isClosed) this.#closeUnused();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeUnused();
  }

  #closeUnused(): void {
    if (this.#syncing === 0) closeSync(this.#fd);
  }
}

function readOwn(fd: number, maxBytes: number): FoundFile {
  const stats = checkOwn(fd);
  if (stats.size > BigInt(maxBytes)) throw new Error("the file is too long");
  return { bytes: new Uint8Array(readFileSync(fd)), identity: identityOf(stats) };
}

/** @throws {Error} for what somebody else could have put there, or can read */
function checkOwn(fd: number): BigIntStats {
  const stats = fstatSync(fd, { bigint: true });
  if (!stats.isFile()) throw new Error("it is no file");
  if (process.platform === "win32") return stats;
  if (process.getuid !== undefined && stats.uid !== BigInt(process.getuid()))
    throw new Error("the file belongs to another user");
  if ((stats.mode & 0o077n) !== 0n) throw new Error("the file is open to others");
  // A second name could be in a folder of somebody else's.
  if (stats.nlink !== 1n) throw new Error("the file has a second name");
  return stats;
}

/** Without the number of the device, which is given out anew when a machine starts. */
function identityOf({ ino }: BigIntStats): string {
  return String(ino);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
