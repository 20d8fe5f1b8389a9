import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeUtf8, encodeUtf8, utf8Length } from "../../../src/protocol/base/utf8.ts";

/** The platform's own codecs, in the strictness that the protocol asks for (F2, T2). */
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function strictly(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Any UTF-16 units, lone surrogates included. */
const units = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0x7f }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0xd800, max: 0xdfff }),
    ),
    { maxLength: 60 },
  )
  .map((codes) => String.fromCharCode(...codes));

/** Bytes that come close to UTF-8: what each border of the form looks like, one byte more, less or other. */
const nearly = fc
  .tuple(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.array(
      fc.tuple(
        fc.nat({ max: 80 }),
        fc.constantFrom(
          0x7f,
          0x80,
          0xbf,
          0xc0,
          0xc1,
          0xc2,
          0xdf,
          0xe0,
          0xed,
          0xef,
          0xf0,
          0xf4,
          0xf5,
          0xff,
          0x9f,
          0xa0,
          0x8f,
          0x90,
        ),
      ),
      {
        maxLength: 4,
      },
    ),
    fc.nat({ max: 3 }),
  )
  .map(([text, changes, cut]) => {
    const bytes = encoder.encode(text);
    for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
    return bytes.subarray(0, Math.max(0, bytes.length - cut));
  });

describe("UTF-8", () => {
  it("encodes any text as the platform does, lone surrogates included", () => {
    fc.assert(
      fc.property(fc.oneof(units, fc.string({ unit: "binary" })), (text) => {
        const bytes = encoder.encode(text);
        expect(encodeUtf8(text)).toEqual(bytes);
        expect(utf8Length(text)).toBe(bytes.length);
      }),
      { numRuns: 2_000 },
    );
  });

  it("decodes any bytes as the platform does, or refuses what it refuses", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), nearly), (bytes) => {
        expect(decodeUtf8(bytes)).toBe(strictly(bytes));
      }),
      { numRuns: 5_000 },
    );
  });

  it("agrees with the platform on every first two bytes, with and without the rest", () => {
    for (let first = 0x80; first <= 0xff; first += 1)
      for (let second = 0; second <= 0xff; second += 1)
        for (const rest of [[], [0x80, 0x80]]) {
          const bytes = Uint8Array.of(first, second, ...rest);
          if (decodeUtf8(bytes) !== strictly(bytes)) expect([...bytes]).toEqual("decoded alike");
        }
  });

  it.each([
    ["an overlong slash", [0xc0, 0xaf]],
    ["an overlong slash in three bytes", [0xe0, 0x80, 0xaf]],
    ["an overlong NUL in four", [0xf0, 0x80, 0x80, 0x80]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a pair of surrogates", [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ["a code point beyond the last", [0xf4, 0x90, 0x80, 0x80]],
    ["a text that is cut short", [0x61, 0xe2, 0x82]],
    ["a continuation alone", [0x80]],
  ])("refuses %s", (_name, bytes) => {
    expect(decodeUtf8(Uint8Array.from(bytes))).toBeUndefined();
  });

  it("keeps a byte order mark, which is a character like any other", () => {
    expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  });

  it("takes the longest message in one piece", () => {
    for (const letter of ["x", "é", "€", "😀"]) {
      const text = letter.repeat(65_536 / encoder.encode(letter).length);
      expect(decodeUtf8(encodeUtf8(text))).toBe(text);
    }
  });
});
