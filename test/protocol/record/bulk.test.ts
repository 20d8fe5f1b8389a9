import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, toHex, u32be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { bulkKey, nextTrafficSecret } from "../../../src/protocol/handshake/keys.ts";
import { RECORD_BUCKETS } from "../../../src/protocol/base/limits.ts";
import type { Primitives } from "../../../src/protocol/base/primitives.ts";
import {
  BULK_HEADER_BYTES,
  BULK_OVERHEAD_BYTES,
  FRAME,
  isBulk,
  RecordLayer,
  type Bulk,
} from "../../../src/protocol/record/record.ts";
import { seeded } from "../../hostile-peers/support/input.ts";
import { seededPrimitives } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import { flipBit, nodePrimitives } from "../../support/wire.ts";

const secrets = seededPrimitives("bulk");
const FORTH = secrets.random(32);
const BACK = secrets.random(32);
const EMPTY = new Uint8Array(0);
const QUARTER = 15 * 60_000;

function pair(primitives: Primitives = nodePrimitives): { left: RecordLayer; right: RecordLayer } {
  return {
    left: new RecordLayer(primitives, { send: FORTH.slice(), receive: BACK.slice() }, 0),
    right: new RecordLayer(primitives, { send: BACK.slice(), receive: FORTH.slice() }, 0),
  };
}

function bulk(value: number, bucket: number = 256): Bulk {
  const header = new Uint8Array(BULK_HEADER_BYTES).fill(value);
  return { header, chunk: new Uint8Array(bucket - BULK_OVERHEAD_BYTES).fill(value) };
}

const only = (messages: readonly Bytes[]): Bytes => {
  expect(messages).toHaveLength(1);
  return messages[0] ?? EMPTY;
};
const sealBulk = (layer: RecordLayer, value: number, now = 0): Bytes =>
  only(layer.sealBulk(bulk(value), now));
const sealNote = (layer: RecordLayer, value: number, now = 0): Bytes =>
  only(layer.seal({ type: FRAME.note, payload: Uint8Array.of(value) }, now));
const openAny = (layer: RecordLayer, message: Bytes, now = 0): unknown =>
  isBulk(message) ? layer.openBulk(message) : layer.open(message, now);
/** The codes with which a receiver meets each of these messages. */
const met = (layer: RecordLayer, messages: readonly Bytes[]): (string | undefined)[] =>
  messages.map((message) => codeOf(() => openAny(layer, message)));

/** A bulk message by the formula of the specification, made without the layer. */
function craft({ header, chunk }: Bulk, before: number, secret = FORTH): Bytes {
  const nonce = concat(new Uint8Array(4), u64be(before));
  const key = bulkKey(nodePrimitives, secret);
  return concat(Uint8Array.of(0x11), nodePrimitives.chachaSeal(key, nonce, header, chunk), chunk);
}

describe("bulk messages", () => {
  it("[R7] [R3] [W1] carry a header and a chunk both ways, in whole buckets of a kind of their own", () => {
    const { left, right } = pair();
    for (const bucket of RECORD_BUCKETS) {
      const sent = { ...bulk(1, bucket), chunk: nodePrimitives.random(bucket - BULK_OVERHEAD_BYTES) };
      const message = only(left.sealBulk(sent, 0));
      expect([message.length, message[0]]).toEqual([bucket, 0x11]);
      for (const opened of [right.openBulk(message), left.openBulk(only(right.sealBulk(sent, 0)))])
        expect([
          Buffer.compare(opened.header, sent.header),
          Buffer.compare(opened.chunk, sent.chunk),
        ]).toEqual([0, 0]);
    }
  });

  it("[R7] [K4] are sealed by the formula of the specification, which counts both kinds and goes on over epochs", () => {
    const { left } = pair();
    expect(sealBulk(left, 1)).toEqual(craft(bulk(1), 0));
    sealNote(left, 2);
    sealNote(left, 3);
    expect(sealBulk(left, 4)).toEqual(craft(bulk(4), 3));
    const [rekey, first] = left.sealBulk(bulk(5), QUARTER);
    expect(rekey?.[0]).toBe(0x10);
    expect(first).toEqual(craft(bulk(5), 5, nextTrafficSecret(nodePrimitives, FORTH)));
  });

  it("[R7] are the same where the chunk stands in its message already", () => {
    const apart = bulk(6, 1024);
    const message = new Uint8Array(1024);
    const chunk = message.subarray(BULK_OVERHEAD_BYTES);
    chunk.set(apart.chunk);
    const [sealed, whole] = [
      pair().left.sealBulk({ ...apart, chunk, message }, 0),
      only(pair().left.sealBulk(apart, 0)),
    ];
    expect(sealed).toEqual([whole]);
    expect(pair().right.openBulk(whole)).toEqual(apart);
  });

  it("[R4] [R7] refuse every single bit flip, in kind, header, tag and chunk alike", () => {
    const message = sealBulk(pair().left, 7);
    for (let bit = 0; bit < message.length * 8; bit += 1) {
      const flipped = flipBit(message, bit);
      const { right } = pair();
      expect(codeOf(() => openAny(right, flipped))).toBe("integrity-failed");
    }
    const large = only(pair().left.sealBulk(bulk(7, 131_072), 0));
    for (let at = 0; at < 60; at += 1) {
      const bit = Math.floor((at / 59) * (large.length * 8 - 9)) + 8;
      expect(codeOf(() => pair().right.openBulk(flipBit(large, bit)))).toBe("integrity-failed");
    }
  });

  const b = (layer: RecordLayer, value: number): Bytes => sealBulk(layer, value);
  const c = (layer: RecordLayer, value: number): Bytes => sealNote(layer, value);
  type Make = typeof b;
  const bad = "integrity-failed";
  it.each<[string, Make[], number[], (string | undefined)[]]>([
    ["a replayed one", [b], [0, 0], [undefined, bad]],
    ["one after a dropped one", [b, b], [1], [bad]],
    ["one after a dropped record", [b, c, b], [0, 2], [undefined, bad]],
    ["two that changed places", [b, b], [1], [bad]],
    ["one that was overtaken by a record", [b, c], [1, 0], [undefined, bad]],
    ["one that overtook a record", [c, b], [1], [bad]],
    ["one that overtook several records", [c, c, c, b], [0, 3], [undefined, bad]],
    ["a replayed one after others", [b, c, b], [0, 1, 2, 0], [undefined, undefined, undefined, bad]],
  ])("[R2] [R4] [R7] refuse %s", (_what, makers, order, codes) => {
    const { left, right } = pair();
    const made = makers.map((make, at) => make(left, at + 1));
    const delivered = order.map((at) => made[at] ?? EMPTY);
    expect(met(right, delivered)).toEqual(codes);
  });

  it("[R1] [R7] refuse their own messages sent back, and those of another connection", () => {
    const { left } = pair();
    const message = sealBulk(left, 1);
    expect(codeOf(() => left.openBulk(message))).toBe(bad);
    const other = new RecordLayer(nodePrimitives, { send: secrets.random(32), receive: BACK.slice() }, 0);
    expect(codeOf(() => pair().right.openBulk(sealBulk(other, 1)))).toBe(bad);
  });

  it.each([
    ["cut by a byte", (m: Bytes) => m.subarray(0, -1)],
    ["cut to the next smaller bucket", (m: Bytes) => m.subarray(0, 256)],
    ["longer by a byte", (m: Bytes) => concat(m, Uint8Array.of(0))],
    ["filled up to the next bucket", (m: Bytes) => concat(m, new Uint8Array(4096 - m.length))],
    ["without its chunk", (m: Bytes) => m.subarray(0, BULK_OVERHEAD_BYTES)],
    ["its kind alone", (m: Bytes) => m.subarray(0, 1)],
    ["of random bytes", (m: Bytes) => concat(Uint8Array.of(0x11), nodePrimitives.random(m.length - 1))],
    [
      "with the chunk of another",
      (m: Bytes) => concat(m.subarray(0, BULK_OVERHEAD_BYTES), bulk(9, 1024).chunk),
    ],
  ])("[R3] [R4] [R7] refuse one that is %s", (_what, change) => {
    const message = only(pair().left.sealBulk(bulk(3, 1024), 0));
    expect(codeOf(() => pair().right.openBulk(change(message)))).toBe(bad);
  });

  it("[W1] [R7] are no records, and records are none of them, whatever the first byte says", () => {
    const { left } = pair();
    const [record, message] = [sealNote(left, 1), sealBulk(pair().left, 1)];
    const as = (kind: number, one: Bytes): Bytes => concat(Uint8Array.of(kind), one.subarray(1));
    expect(codeOf(() => pair().right.open(as(0x10, message), 0))).toBe(bad);
    expect(codeOf(() => pair().right.open(message, 0))).toBe(bad);
    expect(codeOf(() => pair().right.openBulk(as(0x11, record)))).toBe(bad);
    expect(codeOf(() => pair().right.openBulk(record))).toBe(bad);
  });

  it("[R5] [R7] [K6] come after a REKEY record where one is due, and the old key opens nothing of the new epoch", () => {
    const { left, right } = pair();
    expect(met(right, [sealBulk(left, 1, QUARTER - 1)])).toEqual([undefined]);
    const [rekey = EMPTY, message = EMPTY, ...rest] = left.sealBulk(bulk(2), QUARTER);
    expect(rest).toEqual([]);
    // Without the REKEY the receiver still has the old key.
    const blind = pair();
    expect(met(blind.right, [sealBulk(blind.left, 1), message])).toEqual([undefined, bad]);
    expect(right.open(rekey, QUARTER)).toBeUndefined();
    expect(right.openBulk(message)).toEqual(bulk(2));
    expect(right.open(sealNote(left, 3, QUARTER), QUARTER)).toMatchObject({ type: FRAME.note });
    expect(left.sealBulk(bulk(4), QUARTER + 1)).toHaveLength(1);
  });

  it.each([0, QUARTER])("[R6] [R7] are counted by CLOSE together with records, at %i ms", (end) => {
    const { left, right } = pair();
    const sent = [sealBulk(left, 1), sealNote(left, 2), sealBulk(left, 3), ...left.sealClose(1, end)];
    const opened = sent.map((message) => openAny(right, message, end));
    const count = end === 0 ? 3 : 4;
    expect(opened.at(-1)).toEqual({ type: FRAME.close, payload: concat(u64be(count), Uint8Array.of(1)) });
  });

  it("[R6] [R7] that are missing at the end are missed by CLOSE", () => {
    const { left, right } = pair();
    const [first, , close] = [sealBulk(left, 1), sealBulk(left, 2), only(left.sealClose(1, 0))];
    expect(met(right, [first, close ?? EMPTY])).toEqual([undefined, bad]);
  });

  it("[R4] [R7] open no more after one that failed, not even the right one", () => {
    const { left, right } = pair();
    const [first, second] = [sealBulk(left, 1), sealBulk(left, 2)];
    expect(met(right, [flipBit(first, 300), first, second])).toEqual([bad, bad, bad]);
  });

  it("[R2] [R7] [K4] never share a key and nonce, nor a key with records, over kinds, directions and epochs", () => {
    const pairs: string[] = [];
    const keys = { chacha: new Set<string>(), secretbox: new Set<string>() };
    const watched: Primitives = {
      ...nodePrimitives,
      chachaSeal(key, nonce, plaintext, associated) {
        keys.chacha.add(toHex(key));
        pairs.push(`${toHex(key)} ${toHex(nonce)}`);
        return nodePrimitives.chachaSeal(key, nonce, plaintext, associated);
      },
      secretboxSeal(key, nonce, plaintext) {
        keys.secretbox.add(toHex(key));
        pairs.push(`${toHex(key)} ${toHex(nonce)}`);
        return nodePrimitives.secretboxSeal(key, nonce, plaintext);
      },
    };
    const step = fc.record({
      isBulk: fc.boolean(),
      isLeft: fc.boolean(),
      wait: fc.constantFrom(0, 0, 1, 60_000, QUARTER),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        pairs.length = 0;
        const { left, right } = pair(watched);
        let now = 0;
        for (const { isBulk: isChunk, isLeft, wait } of steps) {
          now += wait;
          const [from, to] = isLeft ? [left, right] : [right, left];
          const messages = isChunk
            ? from.sealBulk(bulk(1), now)
            : from.seal({ type: FRAME.ping, payload: EMPTY }, now);
          for (const message of messages) openAny(to, message, now);
        }
        expect(new Set(pairs).size).toBe(pairs.length);
        expect([...keys.chacha].filter((key) => keys.secretbox.has(key))).toEqual([]);
      }),
      seeded(71, 60),
    );
    expect(keys.chacha.size).toBeGreaterThan(4);
  });

  describe("that hops seal", () => {
    const header = u32be(7);
    const sent = (bytes: Bytes, layer = pair().left): Bytes => only(layer.sealOpenBulk({ header, bytes }, 0));

    it.each([0, 1, 231, 232, 999, 1_000, 131_072 - 25])(
      "[R8] [R3] carry %i bytes in the smallest message that holds them",
      (length) => {
        const bytes = nodePrimitives.random(length);
        const message = sent(bytes);
        expect(message[0]).toBe(0x12);
        expect(message.length).toBe(RECORD_BUCKETS.find((bucket) => bucket >= length + 25));
        const opened = pair().right.openOpenBulk(message);
        expect([opened.header, Buffer.compare(opened.bytes, bytes)]).toEqual([header, 0]);
      },
    );

    it("[R8] hold no more than the largest message", () => {
      expect(() => sent(new Uint8Array(131_072 - 24))).toThrow(RangeError);
    });

    it("[R8] are sealed by the formula of the specification, and share no nonce with the other kinds", () => {
      const { left } = pair();
      sealBulk(left, 1);
      sealNote(left, 2);
      const bytes = Uint8Array.of(1, 2, 3);
      const plain = concat(header, u32be(3), bytes, new Uint8Array(256 - 17 - 11));
      const nonce = concat(new Uint8Array(4), u64be(2));
      const key = bulkKey(nodePrimitives, FORTH);
      const sealed = nodePrimitives.chachaSeal(key, nonce, plain, Uint8Array.of(0x12));
      expect(sent(bytes, left)).toEqual(concat(Uint8Array.of(0x12), sealed));
    });

    it("[R4] [R8] refuse every single bit flip, and open nothing afterwards", () => {
      const message = sent(Uint8Array.of(1, 2, 3));
      for (let bit = 0; bit < message.length * 8; bit += 1) {
        const { right } = pair();
        const flipped = flipBit(message, bit);
        const open = (one: Bytes): unknown =>
          one[0] === 0x12 ? right.openOpenBulk(one) : openAny(right, one);
        expect(codeOf(() => open(flipped))).toBe(bad);
        expect(codeOf(() => open(message))).toBe(bad);
      }
    });

    it("[R2] [R8] refuse a replayed one, one out of order, and one of the other kind", () => {
      const { left, right } = pair();
      const [first, second] = [sent(Uint8Array.of(1), left), sent(Uint8Array.of(2), left)];
      expect(codeOf(() => pair().right.openOpenBulk(second))).toBe(bad);
      right.openOpenBulk(first);
      expect(codeOf(() => right.openOpenBulk(first))).toBe(bad);
      const as = (kind: number): Bytes => concat(Uint8Array.of(kind), first.subarray(1));
      expect(codeOf(() => pair().right.openBulk(as(0x11)))).toBe(bad);
      expect(codeOf(() => pair().right.open(as(0x10), 0))).toBe(bad);
      expect(codeOf(() => pair().right.openOpenBulk(as(0x11)))).toBe(bad);
    });

    it("[R6] [R8] are counted by CLOSE", () => {
      const { left, right } = pair();
      const [first, close] = [sent(Uint8Array.of(1), left), only(left.sealClose(1, 0))];
      expect(codeOf(() => pair().right.open(close, 0))).toBe(bad);
      right.openOpenBulk(first);
      expect(right.open(close, 0)?.payload).toEqual(concat(u64be(1), Uint8Array.of(1)));
    });
  });

  it("erase their keys as well", () => {
    const derived: Bytes[] = [];
    const watched: Primitives = {
      ...nodePrimitives,
      hkdfSha256(...input) {
        const bytes = nodePrimitives.hkdfSha256(...input);
        derived.push(bytes);
        return bytes;
      },
    };
    pair(watched).left.wipe();
    // Four of each end: two directions, two kinds.
    expect(derived).toHaveLength(8);
    expect(derived.slice(0, 4).every((key) => key.every((byte) => byte === 0))).toBe(true);
  });
});
