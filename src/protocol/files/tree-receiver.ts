import { concat, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { TREE } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";
import { ChunkCipher } from "./cipher.ts";
import type { FileOffer } from "./offer.ts";
import type { FileChunk } from "./stream.ts";

/** Bytes of the content from `from` up to, and without, `to`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Checks the chunks of a tree (B10): the parts of its content that this side wants, in order, over as many streams as it takes. What lies
 * between two parts that are near is read over. The hashes are checked where the files are written.
 */
export class TreeIntake {
  readonly #primitives: Primitives;
  readonly #offer: FileOffer;
  #cipher: ChunkCipher | undefined;
  /** Where the next chunk of this stream begins. */
  #at = 0;
  /** Those that have not come yet, in order; the first of them from where it goes on. */
  #wanted: ByteRange[] = [];

  constructor(primitives: Primitives, offer: FileOffer, wanted: readonly ByteRange[]) {
    this.#primitives = primitives;
    this.#offer = offer;
    this.want(wanted);
  }

  /** More of it. @param ranges in order, none of which overlap */
  want(ranges: readonly ByteRange[]): void {
    for (const { from, to } of ranges) {
      if (from >= to) continue;
      const last = this.#wanted.at(-1);
      if (last?.to === from) this.#wanted[this.#wanted.length - 1] = { from: last.from, to };
      else this.#wanted.push({ from, to });
    }
  }

  get isComplete(): boolean {
    return this.#wanted.length === 0;
  }

  /** Where a stream has to begin to bring the next byte. */
  get next(): number {
    return this.#wanted[0]?.from ?? this.#offer.size;
  }

  /** Bytes that this stream still has to bring, with what is read over; 0 where another one is quicker. */
  get left(): number {
    const begin = this.#cipher === undefined ? this.next : this.#at;
    let end = begin;
    for (const { from, to } of this.#wanted) {
      if (from - end > TREE.maxGapBytes) break;
      end = to;
    }
    return end - begin;
  }

  /** A stream has begun at {@link next}. @throws {TunnelError} file-out-of-order when it begins twice */
  start(salt: Bytes): void {
    if (this.#cipher !== undefined) throw new TunnelError("file-out-of-order");
    this.#cipher = new ChunkCipher(this.#primitives, this.#offer, salt);
    this.#at = this.next;
  }

  /** The stream is over; another one may follow. */
  interrupted(): void {
    this.#cipher = undefined;
  }

  /**
   * What is wanted of the next chunk.
   * @throws {TunnelError} file-out-of-order, file-corrupt, file-too-long, file-too-short, file-unfinished
   */
  take(chunk: FileChunk): Bytes {
    if (this.#cipher === undefined || chunk.offset !== this.#at) throw new TunnelError("file-out-of-order");
    const content = this.#cipher.open(chunk);
    const end = this.#at + content.length;
    const { size } = this.#offer;
    if (end > size) throw new TunnelError("file-too-long");
    if (chunk.final && end < size) throw new TunnelError("file-too-short");
    if (!chunk.final && (end === size || content.length === 0)) throw new TunnelError("file-unfinished");
    const wanted = this.#cut(content, this.#at);
    this.#at = end;
    return wanted;
  }

  #cut(content: Bytes, at: number): Bytes {
    const pieces: Bytes[] = [];
    const end = at + content.length;
    for (let [first] = this.#wanted; first !== undefined && first.from < end; [first] = this.#wanted) {
      const to = Math.min(first.to, end);
      pieces.push(content.subarray(first.from - at, to - at));
      if (to < first.to) {
        this.#wanted[0] = { from: to, to: first.to };
        break;
      }
      this.#wanted.shift();
    }
    const [only] = pieces;
    return only !== undefined && pieces.length === 1 ? only : concat(...pieces);
  }
}
