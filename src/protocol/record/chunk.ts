import { concat, readU64be, u32be, u64be, view, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { BULK_HEADER_BYTES, BULK_OVERHEAD_BYTES } from "./record.ts";

/** Names a stream on one channel: odd when the member opened it, even when the host did; one connection uses none twice (S2). */
export type StreamId = number;

/** A sealed piece of a file. */
export interface Chunk {
  readonly stream: StreamId;
  /** Of its first byte in the file. */
  readonly offset: number;
  readonly final: boolean;
  readonly sealed: Bytes;
  /** At its sender: the message in which it stands, whose head is still to be written. */
  readonly message?: Bytes;
}

/** What a chunk costs of its receiver's credit. */
export function chunkPrice({ sealed }: Pick<Chunk, "sealed">): number {
  return BULK_OVERHEAD_BYTES + sealed.length;
}

const FINAL = 1;

export function chunkHeader({ stream: id, offset, final }: Omit<Chunk, "sealed" | "message">): Bytes {
  return concat(u32be(id), u64be(offset), Uint8Array.of(final ? FINAL : 0));
}

/** @throws {TunnelError} protocol-violation */
export function readChunkHeader(header: Bytes): Omit<Chunk, "sealed" | "message"> {
  const offset = readU64be(header, 4);
  const flags = header[BULK_HEADER_BYTES - 1] ?? 0;
  if (offset === undefined || flags > FINAL)
    throw new TunnelError("protocol-violation", { detail: "a malformed chunk" });
  return { stream: view(header).getUint32(0), offset, final: flags === FINAL };
}
