import { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync, type BigIntStats } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { ContentScan } from "../../oversight/filter/filter.ts";
import type { Verdict } from "../../oversight/filter/verdict.ts";
import { codeOf, readFailure } from "../paths/failures.ts";
import { identityOf, READ_ONLY, type ShareSource } from "../paths/share.ts";

const CHUNK_BYTES = 1024 * 1024;
/** Read in one go where there are many of them. */
export const SMALL_BYTES = 64 * 1024;

/**
 * A file as it was when it was shared. Each read gives bytes of that very content, or an error: the file is
 * opened by its path for each read, and the record of the file system is compared afterwards. So nothing stays open while
 * nobody reads. A program that writes in place and sets the time back deceives this check, but not the hash at the
 * receiver's end.
 */
export class OutgoingFile {
  readonly name: string;
  readonly size: number;
  readonly #source: ShareSource;

  /** Nothing of it has been read yet. */
  constructor(source: ShareSource) {
    this.name = source.name;
    this.size = Number(source.identity.size);
    this.#source = source;
  }

  /**
   * Reads the file once, through the filter, which hashes it on the way.
   * @returns the word on exactly the bytes that {@link read} gives
   * @throws TunnelError `cancelled`, `share-changed`, `share-gone`, `share-unreadable`, `scan-failed`
   */
  async examine(
    scan: ContentScan,
    options: {
      signal: AbortSignal;
      onProgress?: (doneBytes: number, totalBytes: number) => void;
      /** One small file among many: see {@link readNow}. */
      isOneOfMany?: boolean;
    },
  ): Promise<Verdict> {
    const { signal, onProgress } = options;
    const isNow = options.isOneOfMany === true && this.size <= SMALL_BYTES;
    const chunk = Buffer.alloc(isNow ? 0 : Math.min(CHUNK_BYTES, Math.max(this.size, 1)));
    const assertWanted = (): void => {
      if (signal.aborted) throw new TunnelError("cancelled");
    };
    try {
      for (let done = 0; done < this.size;) {
        assertWanted();
        const piece = isNow ? this.readNow(0, this.size) : chunk.subarray(0, this.size - done);
        if (!isNow) await this.#readInto(piece, done, piece.length);
        await scan.write(piece);
        done += piece.length;
        onProgress?.(done, this.size);
      }
      const verdict = await scan.end();
      assertWanted();
      return verdict;
    } catch (error) {
      scan.drop();
      throw error;
    }
  }

  /**
   * Exactly the bytes asked for, cut at the end of the file.
   * @throws TunnelError `share-changed`, `share-gone`, `share-unreadable`
   */
  async read(offset: number, length: number): Promise<Buffer> {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
      throw new RangeError("offset and length must be whole numbers");
    }
    // Filled to the last byte, or not given out.
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, this.size - offset)));
    await this.#readInto(bytes, offset, bytes.length);
    return bytes;
  }

  /**
   * The same at once, for a small part of one file among many: without a turn of the event loop for each call of the system.
   * @throws TunnelError `share-changed`, `share-gone`, `share-unreadable`
   */
  readNow(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length);
    const handle = openNow(this.#source.file);
    try {
      for (let done = 0; done < length;) {
        const bytesRead = readSync(handle, bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw new TunnelError("share-changed");
        done += bytesRead;
      }
      this.#compare(fstatSync(handle, { bigint: true }));
      return bytes;
    } catch (error) {
      throw readFailure(error);
    } finally {
      closeSync(handle);
    }
  }

  async #readInto(bytes: Buffer, offset: number, length: number): Promise<void> {
    const handle = await open(this.#source.file, READ_ONLY).catch((error: unknown) => {
      throw openFailure(error);
    });
    try {
      await readFully(handle, bytes, offset, length);
      await this.#check(handle);
    } catch (error) {
      throw readFailure(error);
    } finally {
      await handle.close();
    }
  }

  async #check(handle: FileHandle): Promise<void> {
    this.#compare(await handle.stat({ bigint: true }));
  }

  /** A file that was moved, or replaced as editors save, is not what the human shared any more. */
  #compare(found: BigIntStats): void {
    if (found.nlink === 0n) throw new TunnelError("share-gone");
    const { dev, ino, size, mtimeNs } = identityOf(found);
    const was = this.#source.identity;
    if (was.dev !== dev || was.ino !== ino || was.size !== size || was.mtimeNs !== mtimeNs)
      throw new TunnelError("share-changed");
  }
}

function openNow(file: string): number {
  try {
    return openSync(file, READ_ONLY);
  } catch (error) {
    throw openFailure(error);
  }
}

function openFailure(error: unknown): TunnelError {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") return new TunnelError("share-gone", { cause: error });
  // It was no link when it was shared.
  if (code === "ELOOP") return new TunnelError("share-changed", { cause: error });
  return readFailure(error);
}

/** Short reads are normal on network disks; an early end means that the file was cut. */
async function readFully(handle: FileHandle, bytes: Buffer, offset: number, length: number): Promise<void> {
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new TunnelError("share-changed");
    done += bytesRead;
  }
}
