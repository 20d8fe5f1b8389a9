/**
 * Just enough of tar to take one regular file out of an archive whose SHA-256 has been checked already. A library would
 * bring links, directories and devices, that is, everything a hostile archive needs and ours does not.
 */

const BLOCK = 512;
const NAME = { start: 0, end: 100 };
const SIZE = { start: 124, end: 136 };
const CHECKSUM = { start: 148, end: 156 };
const TYPE = 156;
const PREFIX = { start: 345, end: 500 };

interface Entry {
  readonly name: string;
  readonly regular: boolean;
  readonly size: number;
}

/** Yields the content of the regular file `name`, passing over all other entries; throws if there is none or it is cut. */
export async function* extractFile(
  archive: AsyncIterable<Uint8Array>,
  name: string,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = new BlockReader(archive);
  for (;;) {
    const block = await reader.take(BLOCK);
    if (block.every((byte) => byte === 0)) throw new Error(`the archive holds no file ${name}`);
    const entry = parseHeader(block);
    if (entry.size > maxBytes) throw new Error("an archive entry is too large");
    if (entry.regular && entry.name === name) {
      yield* reader.stream(entry.size);
      return;
    }
    const padded = Math.ceil(entry.size / BLOCK) * BLOCK;
    for await (const skipped of reader.stream(padded)) if (skipped.length === 0) break;
  }
}

function parseHeader(block: Uint8Array): Entry {
  if (checksumOf(block) !== octal(block, CHECKSUM)) throw new Error("not a tar archive");
  const prefix = text(block, PREFIX);
  const name = text(block, NAME).replace(/^\.\//, "");
  const type = block[TYPE];
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    regular: type === 0 || type === 0x30,
    size: octal(block, SIZE),
  };
}

/** Sum of all header bytes, the checksum's own field counted as spaces. */
function checksumOf(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= CHECKSUM.start && at < CHECKSUM.end ? 0x20 : byte), 0);
}

interface Field {
  readonly start: number;
  readonly end: number;
}

function text(block: Uint8Array, { start, end }: Field): string {
  return new TextDecoder().decode(block.subarray(start, end)).replace(/\0.*$/s, "");
}

function octal(block: Uint8Array, field: Field): number {
  const digits = text(block, field).trim();
  if (!/^[0-7]{1,12}$/.test(digits)) throw new Error("a number in the archive is malformed");
  return Number.parseInt(digits, 8);
}

class BlockReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length);
    let filled = 0;
    for await (const chunk of this.stream(length)) {
      taken.set(chunk, filled);
      filled += chunk.length;
    }
    return taken;
  }

  async *stream(length: number): AsyncGenerator<Uint8Array, void, void> {
    let left = length;
    while (left > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next();
        if (next.done === true) throw new Error("the archive is cut short");
        this.#rest = next.value;
      }
      const chunk = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(chunk.length);
      left -= chunk.length;
      if (chunk.length > 0) yield chunk;
    }
  }
}
