import { Buffer } from "node:buffer";

/** The beginning of a body, as it went over the wire. */
export interface KeptBody {
  /** True size, also of what is not kept. */
  readonly bytes: number;
  readonly kept: Uint8Array;
  readonly isCut: boolean;
}

const NOTHING = new Uint8Array(0);

/** Puts chunks together in one piece of memory: a body that comes in single bytes takes no more than one that comes whole. */
export class GrowingBody implements KeptBody {
  bytes = 0;
  kept: Uint8Array = NOTHING;
  isCut = false;
  #maxBytes: number;
  /** `kept` is its beginning. */
  #room: Uint8Array = NOTHING;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Copies what is kept of a chunk. @returns bytes of memory that it took besides what was taken before */
  add(chunk: Uint8Array): number {
    const before = this.kept.length;
    // Behind a gap nothing is kept: it would read as what follows.
    const wanted = this.isCut ? 0 : Math.min(chunk.length, this.#maxBytes - before);
    this.bytes += chunk.length;
    this.isCut ||= wanted < chunk.length;
    if (wanted === 0) return 0;
    const grown = this.#reserve(before + wanted);
    this.#room.set(wanted === chunk.length ? chunk : chunk.subarray(0, wanted), before);
    this.kept = this.#room.subarray(0, before + wanted);
    return grown;
  }

  /** Counts on, and keeps nothing. */
  stopKeeping(): void {
    this.#maxBytes = 0;
    this.#room = NOTHING;
    this.kept = NOTHING;
    this.isCut = this.bytes > 0;
  }

  /** Most bodies come in one chunk, and get just its room. */
  #reserve(length: number): number {
    const before = this.#room.length;
    if (length <= before) return 0;
    const size = Math.min(this.#maxBytes, Math.max(length, before * 2));
    const room = Buffer.allocUnsafeSlow(size);
    room.set(this.kept);
    this.#room = room;
    return size - before;
  }
}
