import { createHash } from "node:crypto";
import { concat, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import type { Primitives } from "../../src/protocol/base/primitives.ts";
import { dhKeyPairFrom, nodePrimitives } from "../../src/runtime/primitives.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

/** The stream SHA-256(seed ‖ u64be 0) ‖ SHA-256(seed ‖ u64be 1) ‖ …, easy to repeat in any language. */
export function byteStream(seed: string): (length: number) => Bytes {
  const start = encodeUtf8(seed);
  let block = new Uint8Array(0);
  let counter = 0;
  return (length) => {
    while (block.length < length) {
      const next = createHash("sha256")
        .update(concat(start, u64be(counter)))
        .digest();
      block = new Uint8Array(concat(block, next));
      counter += 1;
    }
    const out = block.slice(0, length);
    block = block.slice(length);
    return out;
  };
}

/** The real primitives with randomness that a seed decides; keys are made of the same stream, 32 bytes each. */
export function seededPrimitives(seed: string): Primitives {
  const random = byteStream(seed);
  return {
    ...nodePrimitives,
    random,
    generateDhKeyPair: () => dhKeyPairFrom(random(32)),
    generateSigningKeyPair: () => nodePrimitives.importSigningKeyPair(random(32)),
  };
}

/** Numbers that a seed decides, for simulations (mulberry32: short, and good enough to choose what happens next). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0 and below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  happens(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }
}
