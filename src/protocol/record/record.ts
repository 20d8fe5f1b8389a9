import { concat, readU64be, u32be, u64be, view, type Bytes } from "../base/bytes.ts";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { WIRE } from "../handshake/handshake.ts";
import { Direction, type RekeyLimits } from "./direction.ts";
import { RECORD, RECORD_BUCKETS } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";

/** Types of frames inside the seal of a record (PROTOCOL §5). */
export const FRAME = {
  confirm: 0x01,
  welcome: 0x02,
  /** Durable: numbered, acknowledged, resent after resume. */
  data: 0x10,
  ack: 0x11,
  ping: 0x12,
  pong: 0x13,
  /** Volatile: may be lost with the connection. */
  note: 0x14,
  /** Volatile: about a stream. */
  stream: 0x15,
  rekey: 0x20,
  close: 0x21,
} as const;

export interface Frame {
  readonly type: number;
  readonly payload: Bytes;
}

/** u64 count of the records before it, and the reason. */
export const CLOSE_PAYLOAD_BYTES = 8 + 1;

/** `type ‖ u32 length ‖ payload ‖ zeros` up to the smallest bucket that holds it (R3). */
function pad(frame: Frame): Bytes {
  const length = RECORD.headerBytes + frame.payload.length;
  const padded = new Uint8Array(bucketOf(RECORD.overheadBytes + length) - RECORD.overheadBytes);
  padded[0] = frame.type;
  padded.set(u32be(frame.payload.length), 1);
  padded.set(frame.payload, RECORD.headerBytes);
  return padded;
}

/** Whether nothing but zeros comes from here on; four bytes at once, since most of a record is padding. */
function isZero(bytes: Bytes, from: number): boolean {
  const words = view(bytes);
  let at = from;
  for (; at + 4 <= bytes.length; at += 4) if (words.getUint32(at) !== 0) return false;
  for (; at < bytes.length; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

/** The bytes behind a `u32` length, where zeros fill the rest; `undefined` for any other form. */
function unpadded(padded: Bytes, at: number): Bytes | undefined {
  const begin = at + 4;
  if (padded.length < begin) return undefined;
  const end = begin + view(padded).getUint32(at);
  if (end > padded.length) return undefined;
  return isZero(padded, end) ? padded.subarray(begin, end) : undefined;
}

function unpad(padded: Bytes): Frame | undefined {
  const type = padded[0];
  const payload = unpadded(padded, 1);
  return type === undefined || payload === undefined ? undefined : { type, payload: payload.slice() };
}

function isBucket(length: number): boolean {
  return RECORD_BUCKETS.some((size) => size === length);
}

/** The number of a stream. */
export const BULK_HEADER_BYTES = 4;
/** Kind, sealed header and its tag: the part of a bulk message that is not its chunk. */
export const BULK_OVERHEAD_BYTES = 1 + BULK_HEADER_BYTES + 16;
/** Kind, tag, number of the stream and length: the part of an open bulk message that is neither bytes nor padding. */
export const OPEN_BULK_OVERHEAD_BYTES = 1 + 16 + BULK_HEADER_BYTES + 4;

/** A bulk message in two parts: the header that every hop reads, and a chunk that only the two ends can open. */
export interface Bulk {
  /** {@link BULK_HEADER_BYTES} of it. */
  readonly header: Bytes;
  readonly chunk: Bytes;
  /** The message in which the chunk stands already, with room for the head before it: written to, and sent as it is. */
  readonly message?: Bytes;
}

/** Bytes of a stream that this hop has sealed, and the next one opens. */
export interface OpenBulk {
  /** {@link BULK_HEADER_BYTES} of it. */
  readonly header: Bytes;
  readonly bytes: Bytes;
}

export function isBulk(message: Bytes): boolean {
  return message[0] === WIRE.bulk;
}

export function isOpenBulk(message: Bytes): boolean {
  return message[0] === WIRE.openBulk;
}

const ZEROS = new Uint8Array(RECORD.maxFrameBytes);
/** The kind of an open bulk message, authenticated with its content so that it can pass for no other kind. */
const OPEN_BULK = Uint8Array.of(WIRE.openBulk);

/** The length of the smallest message that holds so much. @throws {RangeError} over the record limit */
function bucketOf(needed: number): number {
  const bucket = RECORD_BUCKETS.find((size) => size >= needed);
  if (bucket === undefined) throw new RangeError("frame is over the record limit");
  return bucket;
}

/** How long the open bulk message of so many bytes is. */
export function openBulkLength(bytes: number): number {
  return bucketOf(OPEN_BULK_OVERHEAD_BYTES + bytes);
}

/** The most payload one frame can carry. */
export const MAX_PAYLOAD_BYTES = RECORD.maxFrameBytes - RECORD.overheadBytes - RECORD.headerBytes;

/**
 * The sealed record layer of one connection (PROTOCOL §5). It owns nonce counters, so it is changed in place and must
 * never be copied: two copies would seal two texts under one nonce.
 */
export class RecordLayer {
  readonly #primitives: Primitives;
  readonly #sending: Direction;
  readonly #receiving: Direction;

  constructor(
    primitives: Primitives,
    secrets: { send: Bytes; receive: Bytes },
    now: number,
    limits: RekeyLimits = RECORD,
  ) {
    this.#primitives = primitives;
    this.#sending = new Direction(primitives, secrets.send, now, limits);
    this.#receiving = new Direction(primitives, secrets.receive, now, limits);
  }

  /** One WebSocket message, or two when a new epoch begins (R5). @throws {RangeError} payload over the limit */
  seal(frame: Frame, now: number): Bytes[] {
    const messages = this.#sending.rekeyDue(now) ? this.#beginEpoch(now) : [];
    return [...messages, this.#sealOne(frame)];
  }

  #beginEpoch(now: number): Bytes[] {
    const last = this.#sealOne({ type: FRAME.rekey, payload: new Uint8Array(0) });
    this.#sending.rekey(now);
    return [last];
  }

  /** The authenticated end (R6): says how many records went before, so that a missing tail shows. */
  sealClose(reason: number, now: number): Bytes[] {
    const payload = concat(
      u64be(this.#sending.total + (this.#sending.rekeyDue(now) ? 1 : 0)),
      Uint8Array.of(reason),
    );
    return this.seal({ type: FRAME.close, payload }, now);
  }

  /**
   * The frame in a WebSocket message; `undefined` for one that only began a new epoch.
   * @throws {TunnelError} integrity-failed: whatever does not open under the next counter is fatal (R4)
   */
  open(message: Bytes, now: number): Frame | undefined {
    this.#beginOpening(message, WIRE.control);
    const { key } = this.#receiving;
    const before = this.#receiving.total;
    const used = this.#receiving.nextNonce(message.length);
    const padded = this.#primitives.secretboxOpen(key, used, message.subarray(1));
    const frame = padded === undefined ? undefined : unpad(padded);
    if (frame === undefined) throw new TunnelError("integrity-failed");
    if (frame.type === FRAME.rekey) {
      if (frame.payload.length > 0) throw new TunnelError("integrity-failed");
      this.#receiving.rekey(now);
      this.#receiving.isBroken = false;
      return undefined;
    }
    if (frame.type === FRAME.close && readU64be(frame.payload, 0) !== before) {
      throw new TunnelError("integrity-failed");
    }
    this.#receiving.isBroken = false;
    return frame;
  }

  /**
   * A bulk message (R7): the header sealed, with a chunk that is sealed already as associated data. One message, or two
   * when a new epoch begins.
   */
  sealBulk({ header, chunk, message }: Bulk, now: number): Bytes[] {
    const messages = this.#sending.rekeyDue(now) ? this.#beginEpoch(now) : [];
    const { bulkKey: key } = this.#sending;
    const size = BULK_OVERHEAD_BYTES + chunk.length;
    const sealed = this.#primitives.chachaSeal(key, this.#sending.nextBulkNonce(size), header, chunk);
    if (message === undefined) return [...messages, concat(Uint8Array.of(WIRE.bulk), sealed, chunk)];
    message[0] = WIRE.bulk;
    message.set(sealed, 1);
    return [...messages, message];
  }

  /** @throws {TunnelError} integrity-failed, as {@link open} */
  openBulk(message: Bytes): Bulk {
    this.#beginOpening(message, WIRE.bulk);
    const { bulkKey: key } = this.#receiving;
    const used = this.#receiving.nextBulkNonce(message.length);
    const chunk = message.subarray(BULK_OVERHEAD_BYTES);
    const header = this.#primitives.chachaOpen(key, used, message.subarray(1, BULK_OVERHEAD_BYTES), chunk);
    if (header === undefined) throw new TunnelError("integrity-failed");
    this.#receiving.isBroken = false;
    return { header, chunk };
  }

  /** Bytes of a stream, sealed and padded here (R8). One message, or two when a new epoch begins. */
  sealOpenBulk({ header, bytes }: OpenBulk, now: number): Bytes[] {
    const messages = this.#sending.rekeyDue(now) ? this.#beginEpoch(now) : [];
    const message = new Uint8Array(openBulkLength(bytes.length));
    const padding = message.length - OPEN_BULK_OVERHEAD_BYTES - bytes.length;
    const parts = [header, u32be(bytes.length), bytes, ZEROS.subarray(0, padding)];
    const { bulkKey: key } = this.#sending;
    const used = this.#sending.nextBulkNonce(message.length);
    message[0] = WIRE.openBulk;
    this.#primitives.chachaSealInto(message.subarray(1), key, used, parts, OPEN_BULK);
    return [...messages, message];
  }

  /** @throws {TunnelError} integrity-failed, as {@link open} */
  openOpenBulk(message: Bytes): OpenBulk {
    this.#beginOpening(message, WIRE.openBulk);
    const { bulkKey: key } = this.#receiving;
    const used = this.#receiving.nextBulkNonce(message.length);
    const padded = this.#primitives.chachaOpen(key, used, message.subarray(1), OPEN_BULK);
    const bytes = padded === undefined ? undefined : unpadded(padded, BULK_HEADER_BYTES);
    if (padded === undefined || bytes === undefined) throw new TunnelError("integrity-failed");
    this.#receiving.isBroken = false;
    return { header: padded.subarray(0, BULK_HEADER_BYTES), bytes };
  }

  /** Best-effort erasure of the keys. */
  wipe(): void {
    this.#sending.wipe();
    this.#receiving.wipe();
  }

  /** From here on nothing opens until this message has (R4). @throws {TunnelError} integrity-failed */
  #beginOpening(message: Bytes, kind: number): void {
    const isSound = message[0] === kind && isBucket(message.length) && !this.#receiving.isBroken;
    this.#receiving.isBroken = true;
    if (!isSound) throw new TunnelError("integrity-failed");
  }

  #sealOne(frame: Frame): Bytes {
    const padded = pad(frame);
    const { key } = this.#sending;
    const sealed = this.#primitives.secretboxSeal(key, this.#sending.nextNonce(padded.length), padded);
    return concat(Uint8Array.of(WIRE.control), sealed);
  }
}

/** The reason byte of a CLOSE frame of {@link CLOSE_PAYLOAD_BYTES}. */
export function closeReason(payload: Bytes): number {
  return must(payload[CLOSE_PAYLOAD_BYTES - 1], "the reason of a CLOSE");
}
