import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, toBase64url, type Bytes } from "../../src/protocol/base/bytes.ts";
import * as codec from "../../src/protocol/room/frames.ts";
import { ROOM } from "../../src/protocol/base/limits.ts";
import {
  anyBytes,
  mutated,
  oddJson,
  oddText,
  refusal,
  seeded,
  spoiled,
} from "../hostile-peers/support/input.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const utf8 = (text: string): Bytes => encodeUtf8(text);
const filled = (length: number, value = 7): string => toBase64url(new Uint8Array(length).fill(value));

/** Each decoder with a header that it takes, and with the encoder that gives it back. */
const view = { seq: 3, chain: filled(32) };
const signed = { n: 1, prev: filled(32), view, sig: filled(64) };
const member = {
  id: filled(8),
  name: "ben",
  key: filled(32),
  box: filled(32),
  hash: filled(32),
  proof: filled(64),
};
const chat = { kind: "chat", from: filled(8), ...signed };
const addressed = { to: [filled(8)], seal: { key: filled(32), commitment: filled(32), wraps: [filled(48)] } };
const digests = { seal: filled(32), body: filled(32) };
type Decoder = readonly [
  name: string,
  decode: (payload: Bytes) => Bytes,
  header: Readonly<Record<string, unknown>>,
];
const reread =
  <Value>(decode: (payload: Bytes) => Value, encode: (value: Value) => Bytes) =>
  (payload: Bytes): Bytes =>
    encode(decode(payload));
const host = reread(
  (payload) => codec.decodeHostFrame(payload),
  ({ frame, body }) => codec.encodeHostFrame(frame, body),
);
const guest = reread(
  (payload) => codec.decodeMemberFrame(payload),
  ({ frame, body }) => codec.encodeMemberFrame(frame, body),
);
const DECODERS: readonly Decoder[] = [
  ["a message of a member", guest, { t: "say", ...signed, intent: "request", replyTo: 2 }],
  ["a message of a member to some", guest, { t: "say", ...signed, ...addressed }],
  ["a departure", guest, { t: "leave" }],
  ["a message of the host", host, { t: "event", seq: 4, ts: 1, event: chat }],
  ["a message of the host to some", host, { t: "event", seq: 4, ts: 1, event: { ...chat, ...addressed } }],
  [
    "a place that is withheld",
    host,
    { t: "event", seq: 4, ts: 1, event: { ...chat, kind: "withheld", to: [filled(8)], digests } },
  ],
  ["an arrival", host, { t: "event", seq: 4, ts: 1, event: { kind: "joined", member } }],
  [
    "an observer",
    host,
    { t: "event", seq: 4, ts: 1, event: { kind: "joined", member: { ...member, role: "observer" } } },
  ],
  ["an end", host, { t: "event", seq: 4, ts: 1, event: { kind: "ended", cause: "closed" } }],
  ["a place", host, { t: "own", seq: 4, ts: 1, n: 1 }],
  [
    "presence",
    reread(
      (payload) => codec.decodeHostNote(payload),
      (note) => codec.encodeHostNote(note),
    ),
    { members: [{ id: filled(8), connected: true, heardAgoMs: 1, read: 2 }] },
  ],
  [
    "a reading position",
    reread(
      (payload) => codec.decodeMemberNote(payload),
      (note) => codec.encodeMemberNote(note),
    ),
    { read: 3, active: true },
  ],
  [
    "CONFIRM",
    reread(
      (payload) => codec.decodeConfirm(payload),
      (confirm) => codec.encodeConfirm(confirm),
    ),
    { share: filled(32), name: "ben", key: filled(32), box: filled(32), proof: filled(64), received: 0 },
  ],
  [
    "WELCOME",
    reread(
      (payload) => codec.decodeWelcome(payload),
      (welcome) => codec.encodeWelcome(welcome),
    ),
    {
      goal: "align",
      self: filled(8),
      name: "ben",
      host: filled(8),
      members: [member],
      received: 0,
      view,
      idleMs: 1,
      history: false,
      addresses: ["wss://a.example"],
      keptForSec: 600,
    },
  ],
];

/** A frame around any JSON, whose length is right unless `lie` is added to it. */
function framed(json: string, body: Bytes = new Uint8Array(0), lie = 0): Bytes {
  const header = utf8(json).subarray(0, 0xffff);
  const length = Math.max(0, Math.min(0xffff, header.length + lie));
  return concat(Uint8Array.of(length >> 8, length & 0xff), header, body);
}

/** The body that a frame of this header must have. */
function bodyOf(header: Readonly<Record<string, unknown>>): Bytes {
  const json = JSON.stringify(header);
  return json.includes('"sig"') && !json.includes('"digests"') ? utf8("hello") : new Uint8Array(0);
}

/** Numbers out of range, and other spellings of one in range, of which readers make one or another value. */
const NO_NUMBERS =
  '-1 0.5 1e400 -1e400 9007199254740992 "1" null [1] true 1e0 1.0 10e-1 -0 01 +1 0x1 9007199254740991.4 1.0000000000000000001'.split(
    " ",
  );

/** Refused by the rule, or read and written again as the same thing. */
function expectTotal(decode: Decoder[1], payload: Bytes): void {
  const code = refusal(() => {
    const again = decode(payload);
    expect(decode(again)).toEqual(again);
  });
  expect([undefined, "protocol-violation"]).toContain(code);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
}

describe.each(DECODERS)("the decoder of %s", (_name, decode, header) => {
  it("[F1] takes its own frames, so that the rest can fail", () => {
    expect(refusal(() => decode(framed(JSON.stringify(header), bodyOf(header))))).toBeUndefined();
  });

  it("[F2] [F3] is total for bytes and for JSON of any kind", () => {
    const payload = fc.oneof(
      anyBytes(),
      oddJson.map((json) => framed(json)),
      fc
        .tuple(oddJson, anyBytes(40), fc.integer({ min: -3, max: 70_000 }))
        .map(([json, body, lie]) => framed(json, body, lie)),
      mutated(framed(JSON.stringify(header), bodyOf(header))),
    );
    fc.assert(
      fc.property(payload, (bytes) => expectTotal(decode, bytes)),
      seeded(21, 60),
    );
  });

  it("[F2] [F3] is total for its own frame with one field spoiled, on the outside and within", () => {
    const inner = Object.entries(header).filter(
      (entry): entry is [string, Record<string, unknown>] =>
        typeof entry[1] === "object" && !Array.isArray(entry[1]),
    );
    const within = inner.map(([, value]) =>
      spoiled(value).map((json) => JSON.stringify(header).replace(JSON.stringify(value), () => json)),
    );
    fc.assert(
      fc.property(
        fc.oneof(spoiled(header), ...within),
        fc.oneof(fc.constant(bodyOf(header)), anyBytes(20)),
        (json, body) => expectTotal(decode, framed(json, body)),
      ),
      seeded(22, 80),
    );
  });

  it("[F2] refuses what it does not know, wherever it stands", () => {
    for (const extra of ["x", "__proto__", "constructor", "toString", "T", "t ", ""]) {
      const json = JSON.stringify(header).replace("{", () => `{${JSON.stringify(extra)}:1,`);
      expect(refusal(() => decode(framed(json, bodyOf(header))))).toBe("protocol-violation");
    }
  });

  it("[F2] refuses another text of the same value: a key twice, white space, an escape that nothing needs", () => {
    const json = JSON.stringify(header);
    const [key = ""] = /"[^"]+":(?:\d+|"[^"]*"|true|false)/.exec(json) ?? [];
    const others = [
      json.replace(key, `${key},${key}`),
      json.replace(":", ": "),
      json.replace(",", ", "),
      ` ${json}`,
      `${json}\n`,
      `\ufeff${json}`,
      json.replace(/[a-z](?=[^"]*":)/, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`),
    ].filter((other) => other !== json);
    expect(others.length).toBeGreaterThan(5);
    for (const other of others) {
      const code = refusal(() => decode(framed(other, bodyOf(header))));
      expect([other, code]).toEqual([other, "protocol-violation"]);
    }
  });

  it("[F2] refuses what is nested as deep as a header is long", () => {
    for (const deep of ["[".repeat(0x7fff) + "]".repeat(0x7fff), '{"t":'.repeat(13_000), "[".repeat(0xffff)])
      for (const json of [deep, JSON.stringify(header).replace("{", () => `{"x":${deep},`)])
        expect(refusal(() => decode(framed(json)))).toBe("protocol-violation");
  });

  it("[F2] [C1] refuses each of its numbers outside its range, in every spelling that JSON has for one", () => {
    const json = JSON.stringify(header);
    const numbers = Array.from(json.matchAll(/(?<=":)\d+(?=[,}])/g), ({ index, 0: digits }) => ({
      index,
      digits,
    }));
    for (const { index, digits } of numbers) {
      const instead = (number: string): string =>
        json.slice(0, index) + number + json.slice(index + digits.length);
      for (const number of NO_NUMBERS)
        expect([number, refusal(() => decode(framed(instead(number), bodyOf(header))))]).toEqual([
          number,
          "protocol-violation",
        ]);
    }
  });
});

describe("the text behind a message", () => {
  const header = JSON.stringify({ t: "say", ...signed });

  it("[F4] [T2] is well-formed, visible and within its limit, or refused", () => {
    const body = fc.oneof(
      anyBytes(60),
      oddText.map(utf8),
      fc
        .integer({ min: ROOM.maxTextBytes - 2, max: ROOM.maxTextBytes + 2 })
        .map((length) => new Uint8Array(length).fill(97)),
    );
    fc.assert(
      fc.property(body, (bytes) => {
        const code = refusal(() => {
          const { text } = codec.decodeMemberFrame(framed(header, bytes));
          expect(Buffer.from(text ?? "", "utf8").equals(Buffer.from(bytes))).toBe(true);
          expect(bytes.length).toBeLessThanOrEqual(ROOM.maxTextBytes);
        });
        expect([undefined, "protocol-violation"]).toContain(code);
      }),
      seeded(23, 120),
    );
  });
});
