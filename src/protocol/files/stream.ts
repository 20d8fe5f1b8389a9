import { concat, readU64be, u64be, type Bytes } from "../base/bytes.ts";
import { OFFER_ID_BYTES } from "../base/ids.ts";
import type { Chunk } from "../record/chunk.ts";
import { BULK_OVERHEAD_BYTES } from "../record/record.ts";

/** The bytes of files on streams (PROTOCOL §9): the first service. */
export const FILES_SERVICE = "files";

/** Why a stream of a file ends early, beside the reasons of the stream layer. */
const FILE_RESETS = [
  /** Never offered, or not to this receiver, or not any more. */
  "unknown",
  /** The file was deleted, or cannot be read any more. */
  "gone",
  /** The file is not the one that was offered any more. */
  "changed",
  /** The receiver refuses what came. */
  "refused",
] as const;
export type FileReset = (typeof FILE_RESETS)[number];

export interface FileRequest {
  readonly file: Bytes;
  /** Where in the file to begin. */
  readonly offset: number;
}

/** `id(16) ‖ u64 offset` (B7). */
export function encodeFileRequest({ file, offset }: FileRequest): Bytes {
  return concat(file, u64be(offset));
}

/** `undefined` for any other bytes. */
export function decodeFileRequest(request: Bytes): FileRequest | undefined {
  const offset = readU64be(request, OFFER_ID_BYTES);
  if (request.length !== OFFER_ID_BYTES + 8 || offset === undefined) return undefined;
  return { file: request.slice(0, OFFER_ID_BYTES), offset };
}

/** The sender's salt of this stream: the whole response (B2). */
export const SALT_BYTES = 32;

/** A sealed piece of a file. */
export interface FileChunk {
  /** Offset in the file of its first byte. */
  readonly offset: number;
  readonly final: boolean;
  readonly sealed: Bytes;
  /** At its sender: the message in which it stands, with room for every head before it. */
  readonly message?: Bytes;
}

const FINAL = 1;
/** Flags and offset. */
export const FILE_HEAD_BYTES = 1 + 8;

/** `flags(1) ‖ u64 offset ‖ sealed` (B2), as a chunk of a stream. */
export function chunkOfFile({ offset, final, sealed, message }: FileChunk): Pick<Chunk, "bytes" | "message"> {
  const head = concat(Uint8Array.of(final ? FINAL : 0), u64be(offset));
  if (message === undefined) return { bytes: concat(head, sealed) };
  message.set(head, BULK_OVERHEAD_BYTES);
  return { bytes: message.subarray(BULK_OVERHEAD_BYTES), message };
}

/** `undefined` for bytes that no sender of files makes. */
export function readFileChunk(bytes: Bytes): FileChunk | undefined {
  const [flags = 0] = bytes;
  const offset = readU64be(bytes, 1);
  if (offset === undefined || flags > FINAL) return undefined;
  return { offset, final: flags === FINAL, sealed: bytes.subarray(FILE_HEAD_BYTES) };
}
