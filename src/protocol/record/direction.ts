import { ascii, concat, u32be, u64be, wipe, type Bytes } from "../base/bytes.ts";
import type { Primitives } from "../base/primitives.ts";
import { bulkKey, controlKey, nextTrafficSecret } from "../handshake/keys.ts";

/** How much one epoch may seal (R5). */
export interface RekeyLimits {
  readonly rekeyAfterRecords: number;
  readonly rekeyAfterBytes: number;
  readonly rekeyAfterMs: number;
}

const NONCE_PREFIX = ascii("tmc1");
const NONCE_GAP = new Uint8Array(8);
const BULK_NONCE_PREFIX = new Uint8Array(4);

/** `"tmc1" ‖ u32 epoch ‖ 8 zero bytes ‖ u64 counter` (R2): implicit, so it can be neither chosen nor repeated. */
function nonce(epoch: number, counter: number): Bytes {
  return concat(NONCE_PREFIX, u32be(epoch), NONCE_GAP, u64be(counter));
}

/** 4 zero bytes ‖ u64 records of every kind before it (R7): so the kinds cannot change places either. */
function bulkNonce(total: number): Bytes {
  return concat(BULK_NONCE_PREFIX, u64be(total));
}

/** One direction of one connection: a key, an epoch and a counter that only ever move forward. */
export class Direction {
  readonly #primitives: Primitives;
  readonly #limits: RekeyLimits;
  #secret: Bytes;
  #key: Bytes;
  #bulkKey: Bytes;
  #epoch = 0;
  #counter = 0;
  /** Records of all epochs, which CLOSE must name (R6). */
  total = 0;
  /** Something did not open: nothing does afterwards, of any kind (R4). */
  isBroken = false;
  #bytes = 0;
  #since: number;

  constructor(primitives: Primitives, secret: Bytes, now: number, limits: RekeyLimits) {
    this.#primitives = primitives;
    this.#limits = limits;
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
    const { rekeyAfterRecords, rekeyAfterBytes, rekeyAfterMs } = this.#limits;
    return (
      this.#counter >= rekeyAfterRecords ||
      this.#bytes >= rekeyAfterBytes ||
      now - this.#since >= rekeyAfterMs
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
