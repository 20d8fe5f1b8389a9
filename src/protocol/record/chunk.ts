import { u32be, view, type Bytes } from "../base/bytes.ts";
import { BULK_OVERHEAD_BYTES, isBulk, openBulkLength, type RecordLayer } from "./record.ts";

/** Names a stream on one channel: odd when the member opened it, even when the host did; one connection uses none twice (S2). */
export type StreamId = number;

/** A piece of what a stream carries. */
export interface Chunk {
  readonly stream: StreamId;
  readonly bytes: Bytes;
  /**
   * Sealed by its service between the two ends of the stream, and as long as makes a whole message (R7): hops authenticate it and read nothing.
   * Any other piece is sealed by each hop (R8), and the host reads it where it passes it on.
   */
  readonly isSealed: boolean;
  /** At the sender of a sealed one: the message in which it stands, whose head is still to be written. */
  readonly message?: Bytes;
}

/** The bytes of credit that a chunk takes: its whole message (S3). */
export function chunkPrice({ bytes, isSealed }: Pick<Chunk, "bytes" | "isSealed">): number {
  return isSealed ? BULK_OVERHEAD_BYTES + bytes.length : openBulkLength(bytes.length);
}

/** The messages that carry a chunk over one connection. */
export function sealChunk(records: RecordLayer, chunk: Chunk, now: number): Bytes[] {
  const { bytes, message } = chunk;
  const header = u32be(chunk.stream);
  if (!chunk.isSealed) return records.sealOpenBulk({ header, bytes }, now);
  return records.sealBulk({ header, chunk: bytes, ...(message === undefined ? {} : { message }) }, now);
}

/** @throws {TunnelError} integrity-failed */
export function openChunk(records: RecordLayer, message: Bytes): Chunk {
  if (isBulk(message)) {
    const { header, chunk } = records.openBulk(message);
    return { stream: view(header).getUint32(0), bytes: chunk, isSealed: true };
  }
  const { header, bytes } = records.openOpenBulk(message);
  return { stream: view(header).getUint32(0), bytes, isSealed: false };
}
