import { concat, lengthPrefixed, u32be, u64be, view, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { fileStreamKey } from "../handshake/keys.ts";
import { FILE, RECORD, RECORD_BUCKETS } from "../base/limits.ts";
import type { FileOffer } from "./offer.ts";
import { FILE_HEAD_BYTES, type FileChunk } from "./stream.ts";
import type { Primitives } from "../base/primitives.ts";
import { BULK_OVERHEAD_BYTES } from "../record/record.ts";

/**
 * The sealing of a file's chunks between its sender and one receiver, whatever lies between (B2, after the
 * STREAM construction of age): a key for each stream, a counter and a final flag in the nonce.
 */

const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
/** Before what is sealed: the head of the bulk message, and that of the chunk of a file. */
const HEADS_BYTES = BULK_OVERHEAD_BYTES + FILE_HEAD_BYTES;
const NONCE_PREFIX = new Uint8Array(3);

function nonce(index: number, final: boolean): Bytes {
  return concat(NONCE_PREFIX, u64be(index), Uint8Array.of(final ? 1 : 0));
}

const ZEROS = new Uint8Array(RECORD.maxFrameBytes);

/** How long the bulk message of so much content is, padded up to a bucket (R3). */
function messageBytes(content: Bytes): number {
  const needed = HEADS_BYTES + LENGTH_BYTES + content.length + TAG_BYTES;
  const bucket = RECORD_BUCKETS.find((size) => size >= needed);
  if (bucket === undefined || content.length > FILE.chunkBytes)
    throw new RangeError("a chunk over its limit");
  return bucket;
}

/** How much content goes into one chunk of at most `credit` bytes of credit; negative where not even an empty one does. */
export function contentThatFits(credit: number): number {
  const bucket = RECORD_BUCKETS.findLast((size) => size <= credit) ?? 0;
  return Math.min(FILE.chunkBytes, bucket - HEADS_BYTES - LENGTH_BYTES - TAG_BYTES);
}

/** How much of so much content is best put into one chunk: all of it, unless half of its message would then be padding. */
export function contentThatSuits(content: number): number {
  const whole = Math.min(FILE.chunkBytes, content);
  const needed = HEADS_BYTES + LENGTH_BYTES + whole + TAG_BYTES;
  const bucket = RECORD_BUCKETS.find((size) => size >= needed) ?? RECORD.maxFrameBytes;
  const smaller = contentThatFits(bucket - 1);
  return smaller > 0 && whole - smaller < bucket / 4 ? smaller : whole;
}

function unpad(padded: Bytes): Bytes | undefined {
  if (padded.length < LENGTH_BYTES) return undefined;
  const length = view(padded).getUint32(0);
  const end = LENGTH_BYTES + length;
  if (end > padded.length || length > FILE.chunkBytes) return undefined;
  for (let at = end; at < padded.length; at += 1) if (padded[at] !== 0) return undefined;
  return padded.subarray(LENGTH_BYTES, end);
}

/** One direction of one stream, as either end seals or opens it; it counts the chunks, so it is never copied. */
export class ChunkCipher {
  readonly #primitives: Primitives;
  readonly #file: Bytes;
  readonly #key: Bytes;
  #index = 0;

  /** @param derive the key of the stream, from that of the offer and the salt */
  constructor(
    primitives: Primitives,
    offer: Pick<FileOffer, "id" | "key">,
    salt: Bytes,
    derive: typeof fileStreamKey = fileStreamKey,
  ) {
    this.#primitives = primitives;
    this.#file = offer.id;
    this.#key = derive(primitives, offer.key, salt);
  }

  /**
   * The next chunk, in a message with room for the heads before it.
   * @throws {RangeError} content over {@link FILE.chunkBytes}
   */
  seal(content: Bytes, head: Pick<FileChunk, "offset" | "final">): Pick<FileChunk, "sealed" | "message"> {
    const message = new Uint8Array(messageBytes(content));
    const sealed = message.subarray(HEADS_BYTES);
    const padding = sealed.length - TAG_BYTES - LENGTH_BYTES - content.length;
    // `u32 length ‖ content ‖ zeros`
    const parts = [u32be(content.length), content, ZEROS.subarray(0, padding)];
    const used = this.#nextNonce(head.final);
    this.#primitives.chachaSealInto(sealed, this.#key, used, parts, this.#associated(head));
    return { sealed, message };
  }

  /** @throws {TunnelError} file-corrupt for what this sender did not seal as the next chunk of this stream */
  open({ sealed, ...head }: Pick<FileChunk, "sealed" | "offset" | "final">): Bytes {
    const used = this.#nextNonce(head.final);
    const padded = this.#primitives.chachaOpen(this.#key, used, sealed, this.#associated(head));
    const content = padded === undefined ? undefined : unpad(padded);
    if (content === undefined) throw new TunnelError("file-corrupt");
    return content;
  }

  #nextNonce(final: boolean): Bytes {
    const used = nonce(this.#index, final);
    this.#index += 1;
    return used;
  }

  #associated({ offset, final }: Pick<FileChunk, "offset" | "final">): Bytes {
    return lengthPrefixed(this.#file, u64be(offset), Uint8Array.of(final ? 1 : 0));
  }
}
