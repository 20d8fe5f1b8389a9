import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  concat,
  equalBytes,
  fromBase64url,
  lengthPrefixed,
  readU64be,
  toBase64url,
  toHex,
  u64be,
  wipe,
} from "../../../src/protocol/base/bytes.ts";

const bytes = (constraints: fc.IntArrayConstraints = {}) => fc.uint8Array(constraints);

describe("bytes", () => {
  it("[C1] writes and reads unsigned 64-bit integers in network order, up to the largest safe one", () => {
    expect(toHex(u64be(0x0102030405))).toBe("0000000102030405");
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(readU64be(u64be(value), 0)).toBe(value);
      }),
    );
    expect(readU64be(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0), 0)).toBeUndefined();
    expect(readU64be(new Uint8Array(7), 0)).toBeUndefined();
    for (const bad of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => u64be(bad)).toThrow(RangeError);
  });

  it("[C2] has exactly one base64url text for every value", () => {
    fc.assert(
      fc.property(bytes({ maxLength: 70 }), (value) => {
        const text = toBase64url(value);
        expect(text).toBe(Buffer.from(value).toString("base64url"));
        expect(fromBase64url(text, value.length)).toEqual(value);
      }),
    );
  });

  it.each([
    ["padding", "AA==", 1],
    ["the other alphabet", "+/+/", 3],
    ["trailing bits that are not zero", "AB", 1],
    ["a letter too few", "AAA", 3],
    ["a letter too many", "AAAAA", 3],
    ["space inside", "AA A", 3],
    ["letters beyond ASCII", "AAA\u{1d400}", 3],
  ])("[C2] refuses %s", (_what, text, length) => {
    expect(fromBase64url(text, length)).toBeUndefined();
  });

  it("[K1] length-prefixed lists collide only when they are equal", () => {
    const list = fc.array(bytes({ maxLength: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(list, list, (a, b) => {
        const same = a.length === b.length && a.every((field, at) => equalBytes(field, b[at] ?? concat()));
        expect(equalBytes(lengthPrefixed(...a), lengthPrefixed(...b))).toBe(same);
      }),
    );
  });

  it("compares and erases", () => {
    const secret = Uint8Array.of(1, 2, 3);
    expect(equalBytes(secret, Uint8Array.of(1, 2, 3))).toBe(true);
    expect(equalBytes(secret, Uint8Array.of(1, 2))).toBe(false);
    expect(equalBytes(secret, Uint8Array.of(1, 2, 4))).toBe(false);
    wipe(secret, undefined);
    expect(secret).toEqual(new Uint8Array(3));
  });
});
