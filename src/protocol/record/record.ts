import { ascii, concat, readU64be, u32be, u64be, view, wipe, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { WIRE } from "../handshake/handshake.ts";
import { bulkKey, controlKey, nextTrafficSecret } from "../handshake/keys.ts";
import { RECORD, RECORD_BUCKETS } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";

/** What a record carries inside the seal (PROTOCOL §5). */
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
  /** Volatile: opens, feeds and stops a stream of bulk messages. */
  stream: 0x15,
  rekey: 0x20,
  close: 0x21,
} as const;

export interface Frame {
  readonly type: number;
  readonly payload: Bytes;
}

const NONCE_PREFIX = ascii("tmc1");
const NONCE_GAP = new Uint8Array(8);
/** u64 count of the records before it, and the reason. */
export const CLOSE_PAYLOAD_BYTES = 8 + 1;

/** `"tmc1" ‖ u32 epoch ‖ 8 zero bytes ‖ u64 counter` (R2): implicit, so it can be neither chosen nor repeated. */
function nonce(epoch: number, counter: number): Bytes {
  return concat(NONCE_PREFIX, u32be(epoch), NONCE_GAP, u64be(counter));
}

const BULK_NONCE_PREFIX = new Uint8Array(4);

/** 4 zero bytes ‖ u64 records of either kind before it (R7): so the two kinds cannot change places either. */
function bulkNonce(total: number): Bytes {
  return concat(BULK_NONCE_PREFIX, u64be(total));
}

/** One direction of one connection: a key, an epoch and a counter that only ever move forward. */
class Direction {
  readonly #primitives: Primitives;
  #secret: Bytes;
  #key: Bytes;
  #bulkKey: Bytes;
  #epoch = 0;
  #counter = 0;
  /** Records of all epochs, what CLOSE must name (R6). */
  total = 0;
  /** Something did not open: nothing does afterwards, of either kind (R4). */
  isBroken = false;
  #bytes = 0;
  #since: number;

  constructor(primitives: Primitives, secret: Bytes, now: number) {
    this.#primitives = primitives;
    this.#secret = secret;
    this.#key = controlKey(primitives, secret);
    this.#bulkKey = bulkKey(primitives, secret);
    this.#since = now;
  }

  get key(): Bytes {
    return this.#key;
  }

  get bulkKey(): Bytes {
    return this.#bulkKey;
  }

  nextNonce(size: number): Bytes {
    const used = nonce(this.#epoch, this.#counter);
    this.#counter += 1;
    this.total += 1;
    this.#bytes += size;
    return used;
  }

  nextBulkNonce(size: number): Bytes {
    const used = bulkNonce(this.total);
    this.total += 1;
    this.#bytes += size;
    return used;
  }

  rekeyDue(now: number): boolean {
    return (
      this.#counter >= RECORD.rekeyAfterRecords ||
      this.#bytes >= RECORD.rekeyAfterBytes ||
      now - this.#since >= RECORD.rekeyAfterMs
    );
  }

  rekey(now: number): void {
    const next = nextTrafficSecret(this.#primitives, this.#secret);
    this.wipe();
    this.#secret = next;
    this.#key = controlKey(this.#primitives, next);
    this.#bulkKey = bulkKey(this.#primitives, next);
    this.#epoch += 1;
    this.#counter = 0;
    this.#bytes = 0;
    this.#since = now;
  }

  wipe(): void {
    wipe(this.#secret, this.#key, this.#bulkKey);
  }
}

/** `type ‖ u32 length ‖ payload ‖ zeros` up to the smallest bucket that holds it (R3). */
function pad(frame: Frame): Bytes {
  const length = RECORD.headerBytes + frame.payload.length;
  const bucket = RECORD_BUCKETS.find((size) => size - RECORD.overheadBytes >= length);
  if (bucket === undefined) throw new RangeError("frame is over the record limit");
  const padded = new Uint8Array(bucket - RECORD.overheadBytes);
  padded[0] = frame.type;
  padded.set(u32be(frame.payload.length), 1);
  padded.set(frame.payload, RECORD.headerBytes);
  return padded;
}

function unpad(padded: Bytes): Frame | undefined {
  const type = padded[0];
  if (type === undefined || padded.length < RECORD.headerBytes) return undefined;
  const end = RECORD.headerBytes + view(padded).getUint32(1);
  if (end > padded.length) return undefined;
  // A plain loop: this is on the way of every record, and most of a record is padding.
  for (let at = end; at < padded.length; at += 1) if (padded[at] !== 0) return undefined;
  return { type, payload: padded.slice(RECORD.headerBytes, end) };
}

function isBucket(length: number): boolean {
  return RECORD_BUCKETS.some((size) => size === length);
}

/** Stream, offset and flags of a chunk. */
export const BULK_HEADER_BYTES = 4 + 8 + 1;
/** Kind, sealed header and its tag: what a bulk message has beside its chunk. */
export const BULK_OVERHEAD_BYTES = 1 + BULK_HEADER_BYTES + 16;

/** A bulk message in two parts: what every hop reads, and what only the two ends can open. */
export interface Bulk {
  /** {@link BULK_HEADER_BYTES} of it. */
  readonly header: Bytes;
  readonly chunk: Bytes;
  /** Where the chunk stands already, with room for the head before it: written to, and sent as it is. */
  readonly message?: Bytes;
}

export function isBulk(message: Bytes): boolean {
  return message[0] === WIRE.bulk;
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

  constructor(primitives: Primitives, secrets: { send: Bytes; receive: Bytes }, now: number) {
    this.#primitives = primitives;
    this.#sending = new Direction(primitives, secrets.send, now);
    this.#receiving = new Direction(primitives, secrets.receive, now);
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
    if (message[0] !== WIRE.control || !isBucket(message.length) || this.#receiving.isBroken) {
      throw new TunnelError("integrity-failed");
    }
    this.#receiving.isBroken = true;
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
    const isSound = isBulk(message) && isBucket(message.length) && !this.#receiving.isBroken;
    if (!isSound) throw new TunnelError("integrity-failed");
    const { bulkKey: key } = this.#receiving;
    this.#receiving.isBroken = true;
    const used = this.#receiving.nextBulkNonce(message.length);
    const chunk = message.subarray(BULK_OVERHEAD_BYTES);
    const header = this.#primitives.chachaOpen(key, used, message.subarray(1, BULK_OVERHEAD_BYTES), chunk);
    if (header === undefined) throw new TunnelError("integrity-failed");
    this.#receiving.isBroken = false;
    return { header, chunk };
  }

  /** Best-effort erasure of the keys. */
  wipe(): void {
    this.#sending.wipe();
    this.#receiving.wipe();
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
  return payload[CLOSE_PAYLOAD_BYTES - 1] ?? 0;
}
