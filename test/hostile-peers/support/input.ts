import * as fc from "fast-check";
import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { ERRORS, TunnelError, type ErrorCode } from "../../../src/errors/tunnel-error.ts";
import { RECORD_BUCKETS } from "../../../src/protocol/base/limits.ts";

/** Bytes and texts of strangers, and the allowed outcomes of decoding them. */

/** Every property has a seed of its own, so that a failure is the same everywhere; fast-check prints it. */
export const seeded = (seed: number, numRuns: number): { seed: number; numRuns: number } => ({
  seed,
  numRuns,
});

/**
 * The code with which a decoder refused, or undefined for a value. Whatever else it throws is the finding: it goes
 * through, as does `internal`, which stands for the unforeseen.
 */
export function refusal(call: () => unknown): ErrorCode | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code === "internal") throw error;
    if (!Object.hasOwn(ERRORS, error.code)) throw new Error(`no such code: ${error.code}`, { cause: error });
    return error.code;
  }
}

export const anyBytes = (maxLength = 300): fc.Arbitrary<Bytes> => fc.uint8Array({ maxLength });

/** Bytes of exactly the sizes that a wire message may have, and of the sizes beside them. */
export const wireSized: fc.Arbitrary<Bytes> = fc
  .tuple(
    fc.constantFrom(0, 1, 2, 49, 50, 51, 53, 54, 55, 145, 146, 147, 255, 257, 1023, 1025, ...RECORD_BUCKETS),
    fc.constantFrom(0, 1, 2, 3, 4, 5, 0x10, 0x11, 0x7b, 0xff),
    fc.uint8Array({ maxLength: 64 }),
  )
  .map(([length, kind, start]) => {
    const bytes = new Uint8Array(length);
    bytes.set(concat(Uint8Array.of(kind), start).subarray(0, length));
    return bytes;
  });

/** A valid message with something done to it. */
export function mutated(valid: Bytes): fc.Arbitrary<Bytes> {
  const at = fc.nat(Math.max(0, valid.length - 1));
  return fc.oneof(
    fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(([where, mask]) => {
      const copy = valid.slice();
      copy[where] = (copy[where] ?? 0) ^ mask;
      return copy;
    }),
    at.map((where) => valid.subarray(0, where)),
    fc
      .tuple(at, anyBytes(40))
      .map(([where, more]) => concat(valid.subarray(0, where), more, valid.subarray(where))),
    fc.tuple(at, at).map(([from, to]) => concat(valid.subarray(0, from), valid.subarray(to))),
    anyBytes(20).map((tail) => concat(valid, tail)),
  );
}

/** Texts that parsers stumble over. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.string({ maxLength: 60 }),
  fc.constantFrom(
    "",
    " ",
    "\0",
    "\ud800",
    "a\udfffb",
    "__proto__",
    "constructor",
    "toString",
    "-0",
    "1e400",
    "NaN",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\u3164",
    "𝕬𝖓𝖆",
    "ﷺ".repeat(18),
    "e\u0301".repeat(60),
    "🧑‍🤝‍🧑".repeat(20),
  ),
  fc.constantFrom(" ", "a", "<", "(", "\u200b", "ß", "İ", "ﷺ").map((letter) => letter.repeat(5_000)),
);

/** JSON that is well-formed and hostile all the same, as text. */
export const oddJson: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.json({ maxDepth: 4 }) },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "",
      "null",
      "[]",
      "{}",
      '"x"',
      "-0",
      "1e400",
      "{",
      '{"t":',
      '{"__proto__":{"t":"leave"}}',
      '{"constructor":{"prototype":{}}}',
      '{"t":"leave","t":"say"}',
      '{"t":"say","t":"leave"}',
      '{"t":"leave","__proto__":{"n":1}}',
      '{"t":"\\ud800"}',
      '{"t":["leave"]}',
      '{"t":{"toString":"leave"}}',
      '{"read":-0,"active":true}',
      '{"read":1e400,"active":true}',
      '{"read":9007199254740993,"active":true}',
      '{"members":{"length":65}}',
    ),
  },
  fc.constantFrom("[", '{"a":', "[[", '{"t":[').map((opening) => opening.repeat(8_000)),
  fc.nat(20_000).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`),
  fc.nat(20_000).map((count) => `{"members":[${"0,".repeat(count)}0]}`),
  fc.nat(2_000).map((count) => `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join()}}`),
);

/** A JSON value with something done to one of its fields. */
export function spoiled(valid: Readonly<Record<string, unknown>>): fc.Arbitrary<string> {
  const value = fc.oneof(
    oddText,
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(-1, -0, 0, 0.5, 1e21, Number.MAX_SAFE_INTEGER, 2 ** 53, true, [], {}, null),
  );
  const field = fc.constantFrom(...Object.keys(valid));
  return fc.oneof(
    fc.tuple(field, value).map(([key, other]) => JSON.stringify({ ...valid, [key]: other })),
    field.map((key) => JSON.stringify({ ...valid, [key]: undefined })),
    fc.tuple(oddText, value).map(([key, other]) => JSON.stringify({ ...valid, [key]: other })),
    field.map((key) => JSON.stringify(valid).replace(`"${key}":`, `"${key}":1e999,"${key}":`)),
    fc.constant(JSON.stringify(valid).replace("{", '{"__proto__":{"polluted":true},')),
  );
}
