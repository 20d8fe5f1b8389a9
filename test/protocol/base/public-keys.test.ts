import { describe, expect, it } from "vitest";
import { toBase64url, toHex, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { parseBoxKey, parseSigningKey } from "../../../src/protocol/base/public-keys.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import {
  decodePoint,
  encodePoint,
  isWeakBoxKey,
  isWeakSigningKey,
  L,
  multiply,
  readNumber,
  writeNumber,
} from "../../independent/ed25519.ts";
import { seededPrimitives } from "../../support/random.ts";

const P = 2n ** 255n - 19n;
const TOP = 1n << 255n;
const takesSigning = (key: Bytes): boolean => parseSigningKey(toBase64url(key)) !== undefined;
const takesBox = (key: Bytes): boolean => parseBoxKey(toBase64url(key)) !== undefined;

/** Numbers at every edge: around 0, p and 2^255, with the last bit set or not. */
const around = [0n, P, TOP].flatMap((middle) =>
  Array.from({ length: 64 }, (_, at) => middle + BigInt(at) - 32n),
);
const edges = [...new Set(around)].filter((one) => one >= 0n && one < TOP);
const withBoth = edges.flatMap((one) => [writeNumber(one), writeNumber(one | TOP)]);

/** All that is left of some points when the large group is taken out of them: the eight points of small order. */
function smallOrder(): Bytes[] {
  const found = new Map<string, Bytes>();
  for (let y = 2n; found.size < 8; y += 1n) {
    const point = decodePoint(writeNumber(y));
    if (point === undefined) continue;
    const rest = multiply(L, point);
    for (let times = 0n; times < 8n; times += 1n) {
      const bytes = encodePoint(multiply(times, rest));
      found.set(toHex(bytes), bytes);
    }
  }
  return [...found.values()];
}

describe("public keys that are read", () => {
  it("[K10] are refused for signing when they are one of the eight points of small order, whatever the sign", () => {
    const points = smallOrder();
    expect(points).toHaveLength(8);
    for (const point of points) {
      const other = point.slice();
      other[31] = (other[31] ?? 0) ^ 0x80;
      expect([takesSigning(point), takesSigning(other)], toHex(point)).toEqual([false, false]);
    }
  });

  it("[K10] [K11] are judged at every edge as the equations have it", () => {
    for (const key of withBoth) {
      expect([toHex(key), takesSigning(key)]).toEqual([toHex(key), !isWeakSigningKey(key)]);
      expect([toHex(key), takesBox(key)]).toEqual([toHex(key), !isWeakBoxKey(key)]);
    }
  });

  it("[K5] [K11] let no box through with which X25519 gives zeros, and none that is the second text of another", () => {
    const keys = nodePrimitives.generateDhKeyPair();
    const weak = withBoth.filter((key) => keys.agree(key) === undefined);
    expect(weak.length).toBeGreaterThan(5);
    expect(weak.filter(takesBox)).toEqual([]);
    const numbers = new Map<bigint, Bytes>();
    for (const key of withBoth.filter(takesBox)) {
      // As RFC 7748 reads it: without the last bit, and modulo p.
      const number = (readNumber(key) % TOP) % P;
      expect(numbers.get(number), toHex(key)).toBeUndefined();
      numbers.set(number, key);
    }
    expect(numbers.size).toBeGreaterThan(50);
  });

  it("[K10] [K11] are taken from everybody who makes them as they should be made", () => {
    const primitives = seededPrimitives("public keys");
    for (let turn = 0; turn < 200; turn += 1) {
      expect(takesSigning(primitives.generateSigningKeyPair().publicKey)).toBe(true);
      expect(takesBox(primitives.generateDhKeyPair().publicKey)).toBe(true);
    }
  });

  it("[C2] are refused in another text than the one that their bytes have", () => {
    const { publicKey } = nodePrimitives.generateDhKeyPair();
    const text = toBase64url(publicKey);
    for (const parse of [parseSigningKey, parseBoxKey])
      for (const other of [`${text}=`, text.slice(1), `${text}A`, ""]) expect(parse(other)).toBeUndefined();
  });
});
