import { Buffer } from "node:buffer";

/** How a secret was written. */
export type Disguise =
  /** As it is. */
  | "plain"
  /** With letters that look like others, with accents, or with characters that nobody sees. */
  | "look-alikes"
  /** With a zero beside each letter, in content that is no text as a whole. */
  | "utf-16"
  /** Over the end of a line. */
  | "wrapped"
  /** In base64 or hex. */
  | "encoded"
  /** With escapes of JSON, of URLs or of HTML. */
  | "escaped";

/** Content as it reads when one disguise is taken off it, and where each byte of it stood. */
export interface View {
  readonly disguise: Disguise;
  /** Good until another view with this disguise is built. Letters beyond ASCII are 0xff. */
  readonly bytes: Buffer;
  /** The place in the content of the byte at `at`. */
  origin(at: number): number;
  /** Whether taking the disguise off has changed anything between these two places. */
  isChanged(from: number, to: number): boolean;
  /** Whether words that touch at this place did not touch before. */
  isSeam(at: number): boolean;
  /** The next such place behind this one; the end where there is none. */
  nextSeam(at: number): number;
}

/** The content as it is. */
export function plainView(bytes: Buffer): View {
  return {
    disguise: "plain",
    bytes,
    origin: (at) => at,
    isChanged: () => true,
    isSeam: () => false,
    nextSeam: () => bytes.length,
  };
}

/** Bytes beyond ASCII that are no letter of it in any disguise. */
export const OTHER_BYTE = 0xff;

/**
 * The memory of the last view of each kind. Fresh memory for each would take longer to get than the view to build; so the bytes
 * of a view are good until the next one of its kind is built.
 */
const pool = new Map<Disguise, Buffer>();

/** Puts a view together from front to back, out of pieces that were copied and pieces that were changed. */
export class ViewBuilder {
  readonly #source: View;
  readonly #disguise: Disguise;
  #bytes: Buffer;
  #length = 0;
  /** Where pieces begin in the view, ascending; where they stood; and how many bytes there one byte here stood for. */
  readonly #starts: number[] = [0];
  readonly #origins: number[] = [0];
  readonly #scales: number[] = [1];

  /** @param source whose bytes are read, and whose places are passed on */
  constructor(disguise: Disguise, source: View) {
    this.#disguise = disguise;
    this.#source = source;
    this.#bytes = pool.get(disguise) ?? Buffer.alloc(0);
  }

  get length(): number {
    return this.#length;
  }

  /** What follows comes from `origin` on, and not from behind what was last put. */
  from(origin: number, scale = 1): void {
    this.#starts.push(this.#length);
    this.#origins.push(origin);
    this.#scales.push(scale);
  }

  copy(from: number, to: number): void {
    this.#reserve(to - from);
    this.#length += this.#source.bytes.copy(this.#bytes, this.#length, from, to);
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  put(byte: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  build(): View {
    const length = this.#length;
    const [starts, origins, scales] = [this.#starts, this.#origins, this.#scales];
    return {
      disguise: this.#disguise,
      bytes: this.#bytes.subarray(0, length),
      origin: (at) => {
        const piece = lastUpTo(starts, at);
        const inside = Math.floor((at - (starts[piece] ?? 0)) * (scales[piece] ?? 1));
        return this.#source.origin((origins[piece] ?? 0) + inside);
      },
      // A piece that begins at `from` has been put there as a whole.
      isChanged: (from, to) => lastUpTo(starts, to - 1) > lastUpTo(starts, from),
      isSeam: (at) => starts[lastUpTo(starts, at)] === at,
      nextSeam: (at) => starts[lastUpTo(starts, at) + 1] ?? length,
    };
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + more, this.#bytes.length * 2, 4096));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    pool.set(this.#disguise, larger);
  }
}

/** The index of the last of some ascending numbers that is `most` or less; the first is. */
function lastUpTo(numbers: readonly number[], most: number): number {
  let low = 0;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((numbers[middle] ?? 0) <= most) low = middle;
    else high = middle - 1;
  }
  return low;
}
