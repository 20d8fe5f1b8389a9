/** B2 to B4 and K9 of docs/PROTOCOL.md: the chunks of a file, as its receiver checks them. */
import { concat, lp, readU32, readU64, u64, type Bytes } from "./bytes.ts";
import { aeadOpen, hkdf } from "./primitives.ts";
import { demand } from "./refusal.ts";

const HEAD_BYTES = 9;
const LENGTH_BYTES = 4;
const MAX_CONTENT_BYTES = 130_048;
const FINAL = 1;

export interface FileStream {
  id: Bytes;
  key: Bytes;
  salt: Bytes;
  size: number;
}

/** The content of one chunk, the `index`th of its stream. @throws {Refused} `file-corrupt` */
function openChunk(key: Bytes, id: Bytes, index: number, chunk: Bytes): Bytes {
  const flags = chunk.subarray(0, 1);
  const nonce = concat(new Uint8Array(3), u64(index), flags);
  const associated = lp(id, chunk.subarray(1, HEAD_BYTES), flags);
  const plain = aeadOpen(key, nonce, chunk.subarray(HEAD_BYTES), associated);
  demand(plain !== undefined && plain.length >= LENGTH_BYTES, "file-corrupt", "not the next chunk");
  const [length, rest] = [readU32(plain, 0), plain.subarray(LENGTH_BYTES)];
  const isPadded = length <= rest.length && rest.subarray(length).every((byte) => byte === 0);
  demand(isPadded && length <= MAX_CONTENT_BYTES, "file-corrupt", "padding that is none");
  return rest.subarray(0, length);
}

/** The whole file from one stream. @throws {Refused} as B3 and B4 say */
export function openFile({ id, key, salt, size }: FileStream, chunks: readonly Bytes[]): Bytes {
  const streamKey = hkdf(key, salt, "tunnel-mcp/1 file stream", 32); // K9
  let content = new Uint8Array(0);
  let isComplete = false;
  for (const [index, chunk] of chunks.entries()) {
    const [flags = 0] = chunk;
    demand(!isComplete, "file-too-long", "a chunk behind the last one");
    demand(chunk.length > HEAD_BYTES && flags <= FINAL, "file-corrupt", "no chunk of a file");
    demand(readU64(chunk, 1) === content.length, "file-out-of-order", "another offset than the next");
    const piece = openChunk(streamKey, id, index, chunk);
    content = Uint8Array.from(concat(content, piece));
    isComplete = flags === FINAL;
    demand(content.length <= size, "file-too-long", "more than the offer says");
    demand(!isComplete || content.length === size, "file-too-short", "an end before the size");
    const isOpen = piece.length > 0 && content.length < size;
    demand(isComplete || isOpen, "file-unfinished", "an end that is not marked");
  }
  demand(isComplete, "file-unfinished", "no last chunk");
  return content;
}
