import { concat, equalBytes, lengthPrefixed, u32be, view, type Bytes } from "../../protocol/base/bytes.ts";

/** SHA-256. */
export type Hash = (data: Bytes) => Bytes;

const LENGTH_BYTES = 4;
const CHECK_BYTES = 8;
const HEAD_BYTES = LENGTH_BYTES + CHECK_BYTES;

/** More than any record needs: a message of the longest text with its header is a hundredth of it. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/**
 * The checks of one file's records. Each covers all records before it, and the first one the random salt of the file: a block that
 * the disk still has of another file does not fit, and neither does a record in another one's place.
 */
export class Checks {
  readonly #hash: Hash;
  #state: Bytes;

  constructor(hash: Hash, salt: Bytes) {
    this.#hash = hash;
    this.#state = salt;
  }

  next(payload: Bytes): Bytes {
    this.#state = this.#hash(lengthPrefixed(this.#state, payload));
    return this.#state.subarray(0, CHECK_BYTES);
  }
}

/** `u32 length ‖ check ‖ payload`. @throws {RangeError} over {@link MAX_RECORD_BYTES} */
export function encodeRecord(checks: Checks, payload: Bytes): Bytes {
  if (payload.length > MAX_RECORD_BYTES) throw new RangeError("a record over its limit");
  return concat(u32be(payload.length), checks.next(payload), payload);
}

/** The records of a file from `start` on, up to the first that is not whole and right: only the end of a file can be torn. */
export function decodeRecords(
  bytes: Bytes,
  start: number,
  { hash, salt }: { readonly hash: Hash; readonly salt: Bytes },
): { readonly payloads: Bytes[]; readonly end: number; readonly checks: Checks } {
  const payloads: Bytes[] = [];
  let checks = new Checks(hash, salt);
  let end = start;
  for (;;) {
    const payload = payloadAt(bytes, end);
    if (payload === undefined) break;
    const check = checks.next(payload);
    const written = bytes.subarray(end + LENGTH_BYTES, end + HEAD_BYTES);
    if (!equalBytes(check, written)) {
      // The check of what is not there must not stand before the next record.
      checks = checksAfter(payloads, { hash, salt });
      break;
    }
    payloads.push(payload);
    end += HEAD_BYTES + payload.length;
  }
  return { payloads, end, checks };
}

function payloadAt(bytes: Bytes, at: number): Bytes | undefined {
  if (at + HEAD_BYTES > bytes.length) return undefined;
  const length = view(bytes).getUint32(at);
  const begin = at + HEAD_BYTES;
  return length > MAX_RECORD_BYTES || begin + length > bytes.length
    ? undefined
    : bytes.subarray(begin, begin + length);
}

function checksAfter(payloads: readonly Bytes[], { hash, salt }: { hash: Hash; salt: Bytes }): Checks {
  const checks = new Checks(hash, salt);
  for (const payload of payloads) checks.next(payload);
  return checks;
}
