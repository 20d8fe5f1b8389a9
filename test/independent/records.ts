/** Section 5 of docs/PROTOCOL.md: how frames become records and come out again, one direction each. */
import { concat, readU32, readU64, u32, u64, utf8, type Bytes } from "./bytes.ts";
import { bulkKey, nextTraffic, recordKey } from "./keys.ts";
import { aeadOpen, aeadSeal, boxOpen, boxSeal } from "./primitives.ts";
import { demand } from "./refusal.ts";

const CONTROL = 0x10;
const BULK = 0x11;
const OPEN_BULK = 0x12;
const STREAM_BYTES = 4;
/** R3: what a whole message may measure. */
const BUCKETS = [256, 1024, 4096, 16_384, 65_536, 131_072];
const TAG_BYTES = 16;
const HEADER_BYTES = 5;
const CLOSE_BYTES = 9;

export const TYPE = {
  confirm: 0x01,
  welcome: 0x02,
  data: 0x10,
  ack: 0x11,
  ping: 0x12,
  pong: 0x13,
  note: 0x14,
  rekey: 0x20,
  close: 0x21,
} as const;

export interface Frame {
  type: number;
  payload: Bytes;
}

// --- the bytes of a record, without their meaning ---

/** type(1) ‖ length(u32) ‖ payload ‖ zeros, up to the smallest bucket (R3). */
function encodeRecord({ type, payload }: Frame): Bytes {
  const size = 1 + TAG_BYTES + HEADER_BYTES + payload.length;
  const bucket = BUCKETS.find((bytes) => bytes >= size);
  if (bucket === undefined) throw new RangeError("a frame larger than a record");
  return concat(Uint8Array.of(type), u32(payload.length), payload, new Uint8Array(bucket - size));
}

/** Undefined for a length beyond the record, or padding that is not zero (R3). */
function decodeRecord(plain: Bytes): Frame | undefined {
  const end = HEADER_BYTES + readU32(plain, 1);
  if (end > plain.length || plain.subarray(end).some((byte) => byte !== 0)) return undefined;
  return { type: plain[0] ?? 0, payload: plain.subarray(HEADER_BYTES, end) };
}

const encodeClose = (records: number, reason: number): Bytes => concat(u64(records), Uint8Array.of(reason));

/** A piece of a stream: sealed between its ends already (R7), or by this hop (R8). */
export interface Chunk {
  stream: number;
  bytes: Bytes;
  isSealed: boolean;
}

export const isChunk = (message: Bytes): boolean => message[0] === BULK || message[0] === OPEN_BULK;

/** u32 stream ‖ u32 length ‖ bytes ‖ zeros, up to the smallest bucket (R8). */
function encodeOpen({ stream, bytes }: Chunk): Bytes {
  const size = 1 + TAG_BYTES + STREAM_BYTES + 4 + bytes.length;
  const bucket = BUCKETS.find((one) => one >= size);
  if (bucket === undefined) throw new RangeError("a chunk larger than a message");
  return concat(u32(stream), u32(bytes.length), bytes, new Uint8Array(bucket - size));
}

// --- one direction of one connection ---

/** Keys and nonces of a direction. Both ends go through the same ones (R2). */
class Direction {
  /** Records of every kind so far, all epochs together (R6, R7). */
  records = 0;
  #traffic: Bytes;
  #epoch = 0;
  #counter = 0;

  constructor(traffic: Bytes) {
    this.#traffic = traffic;
  }

  next(): { key: Bytes; nonce: Bytes } {
    const nonce = concat(utf8("tmc1"), u32(this.#epoch), new Uint8Array(8), u64(this.#counter));
    this.#counter += 1;
    this.records += 1;
    return { key: recordKey(this.#traffic), nonce };
  }

  nextBulk(): { key: Bytes; nonce: Bytes } {
    const nonce = concat(new Uint8Array(4), u64(this.records));
    this.records += 1;
    return { key: bulkKey(this.#traffic), nonce };
  }

  rekey(): void {
    this.#traffic = nextTraffic(this.#traffic);
    this.#epoch += 1;
    this.#counter = 0;
  }
}

export class RecordSender {
  readonly #direction: Direction;

  constructor(traffic: Bytes) {
    this.#direction = new Direction(traffic);
  }

  seal(frame: Frame): Bytes {
    const { key, nonce } = this.#direction.next();
    return concat(Uint8Array.of(CONTROL), boxSeal(key, nonce, encodeRecord(frame)));
  }

  chunk(chunk: Chunk): Bytes {
    const { key, nonce } = this.#direction.nextBulk();
    const { stream, bytes, isSealed } = chunk;
    if (isSealed) return concat(Uint8Array.of(BULK), aeadSeal(key, nonce, u32(stream), bytes), bytes);
    const kind = Uint8Array.of(OPEN_BULK);
    return concat(kind, aeadSeal(key, nonce, encodeOpen(chunk), kind));
  }

  /** The last record of this epoch (R5). When one is due is for the caller to know, who has the clock. */
  rekey(): Bytes {
    const record = this.seal({ type: TYPE.rekey, payload: new Uint8Array(0) });
    this.#direction.rekey();
    return record;
  }

  close(reason: number): Bytes {
    return this.seal({ type: TYPE.close, payload: encodeClose(this.#direction.records, reason) });
  }
}

export class RecordReceiver {
  readonly #direction: Direction;
  #isOver = false;

  constructor(traffic: Bytes) {
    this.#direction = new Direction(traffic);
  }

  /**
   * The frame in a message; undefined for REKEY, which is this layer's own.
   *
   * @throws {Refused} `integrity-failed`, after which nothing opens (R4).
   */
  open(message: Bytes): Frame | undefined {
    demand(!this.#isOver, "integrity-failed", "a record after the end");
    this.#isOver = true;
    const before = this.#direction.records;
    const frame = this.#decode(message);
    if (frame.type === TYPE.close) {
      demand(frame.payload.length === CLOSE_BYTES, "protocol-violation", "a CLOSE of another size"); // F3
      demand(readU64(frame.payload, 0) === before, "integrity-failed", "records that never came"); // R6
      return frame;
    }
    if (frame.type === TYPE.rekey) {
      demand(frame.payload.length === 0, "integrity-failed", "a REKEY with something in it"); // F3
      this.#direction.rekey();
    }
    this.#isOver = false;
    return frame.type === TYPE.rekey ? undefined : frame;
  }

  /** @throws {Refused} `integrity-failed`, after which nothing opens (R4). */
  openChunk(message: Bytes): Chunk {
    demand(!this.#isOver, "integrity-failed", "a message after the end");
    this.#isOver = true;
    demand(BUCKETS.includes(message.length) && isChunk(message), "integrity-failed", "no bulk message"); // W2
    const chunk = message[0] === BULK ? this.#bulk(message) : this.#openBulk(message);
    this.#isOver = false;
    return chunk;
  }

  #bulk(message: Bytes): Chunk {
    const { key, nonce } = this.#direction.nextBulk();
    const head = 1 + STREAM_BYTES + TAG_BYTES;
    const bytes = message.subarray(head);
    const header = aeadOpen(key, nonce, message.subarray(1, head), bytes);
    demand(header !== undefined, "integrity-failed", "a bulk message that does not open");
    return { stream: readU32(header, 0), bytes, isSealed: true };
  }

  #openBulk(message: Bytes): Chunk {
    const { key, nonce } = this.#direction.nextBulk();
    const plain = aeadOpen(key, nonce, message.subarray(1), Uint8Array.of(OPEN_BULK));
    demand(plain !== undefined, "integrity-failed", "an open bulk message that does not open");
    const end = STREAM_BYTES + 4 + readU32(plain, STREAM_BYTES);
    const isWhole = end <= plain.length && plain.subarray(end).every((byte) => byte === 0);
    demand(isWhole, "integrity-failed", "an open bulk message that is not of its form");
    return { stream: readU32(plain, 0), bytes: plain.subarray(STREAM_BYTES + 4, end), isSealed: false };
  }

  #decode(message: Bytes): Frame {
    const isOne = BUCKETS.includes(message.length) && message[0] === CONTROL;
    demand(isOne, "integrity-failed", "no control message"); // W2
    const { key, nonce } = this.#direction.next();
    const plain = boxOpen(key, nonce, message.subarray(1));
    demand(plain !== undefined, "integrity-failed", "a record that does not open");
    const frame = decodeRecord(plain);
    demand(frame !== undefined, "integrity-failed", "a record that is not of its form");
    return frame;
  }
}
