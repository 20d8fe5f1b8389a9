import * as fc from "fast-check";
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { concat, u32be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { controlKey } from "../../../src/protocol/handshake/keys.ts";
import { RECORD_BUCKETS } from "../../../src/protocol/base/limits.ts";
import { closeReason, FRAME, MAX_PAYLOAD_BYTES, RecordLayer } from "../../../src/protocol/record/record.ts";
import { seededPrimitives } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import { flipBit, nodePrimitives } from "../../support/wire.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const secrets = seededPrimitives("records");
const FORTH = secrets.random(32);
const BACK = secrets.random(32);
const EMPTY = new Uint8Array(0);

/** Two ends of one connection; the layer erases its secrets, so each gets copies. */
function pair(): { left: RecordLayer; right: RecordLayer } {
  return {
    left: new RecordLayer(nodePrimitives, { send: FORTH.slice(), receive: BACK.slice() }, 0),
    right: new RecordLayer(nodePrimitives, { send: BACK.slice(), receive: FORTH.slice() }, 0),
  };
}

/** A record with this content at this place, made without the layer. */
function craft(padded: Bytes, counter = 0, secret = FORTH): Bytes {
  const nonce = concat(encodeUtf8("tmc1"), u32be(0), new Uint8Array(8), u64be(counter));
  return concat(Uint8Array.of(0x10), nacl.secretbox(padded, nonce, controlKey(nodePrimitives, secret)));
}

function padded(type: number, length: number, content: Bytes, bucket = 256): Bytes {
  const out = new Uint8Array(bucket - 17);
  out.set(concat(Uint8Array.of(type), u32be(length), content));
  return out;
}

describe("records", () => {
  it("[R1] [R3] carry every payload both ways, in whole buckets only", () => {
    const { left, right } = pair();
    const sizes = new Set<number>();
    const lengths = [
      0,
      1,
      234,
      235,
      1002,
      1003,
      4074,
      4075,
      16_362,
      16_363,
      65_514,
      65_515,
      MAX_PAYLOAD_BYTES,
    ];
    for (const length of lengths) {
      const payload = nodePrimitives.random(length);
      const [message = EMPTY, ...rest] = left.seal({ type: FRAME.data, payload }, 0);
      expect(rest).toEqual([]);
      sizes.add(message.length);
      expect(right.open(message, 0)).toEqual({ type: FRAME.data, payload });
    }
    expect([...sizes]).toEqual([...RECORD_BUCKETS]);
    expect(() => left.seal({ type: FRAME.data, payload: new Uint8Array(MAX_PAYLOAD_BYTES + 1) }, 0)).toThrow(
      RangeError,
    );
  });

  it("[R3] takes the smallest bucket that fits, whatever the length", () => {
    fc.assert(
      fc.property(fc.nat(MAX_PAYLOAD_BYTES), (length) => {
        const [message] = pair().left.seal({ type: FRAME.note, payload: new Uint8Array(length) }, 0);
        expect(message?.length).toBe(RECORD_BUCKETS.find((size) => size >= length + 22));
      }),
      { numRuns: 60 },
    );
  });

  it("[R2] seals with the nonce of the specification", () => {
    const { left } = pair();
    const content = padded(FRAME.note, 3, Uint8Array.of(1, 2, 3));
    expect(left.seal({ type: FRAME.note, payload: Uint8Array.of(1, 2, 3) }, 0)).toEqual([craft(content)]);
    expect(left.seal({ type: FRAME.note, payload: Uint8Array.of(1, 2, 3) }, 0)).toEqual([craft(content, 1)]);
  });

  it("[R4] refuses every single bit flip", () => {
    const [message = EMPTY] = pair().left.seal({ type: FRAME.ping, payload: EMPTY }, 0);
    for (let bit = 0; bit < message.length * 8; bit += 1)
      expect(codeOf(() => pair().right.open(flipBit(message, bit), 0))).toBe("integrity-failed");
  });

  it.each([
    ["replayed", (r: Bytes[]) => [r[0], r[0]]],
    ["dropped", (r: Bytes[]) => [r[1]]],
    ["reordered", (r: Bytes[]) => [r[1], r[0]]],
    ["truncated", (r: Bytes[]) => [r[0]?.subarray(0, 255)]],
    ["extended", (r: Bytes[]) => [r[0] && concat(r[0], Uint8Array.of(0))]],
    ["empty", () => [EMPTY]],
    ["of the next bucket", (r: Bytes[]) => [r[0] && concat(r[0], new Uint8Array(768))]],
    ["of random bytes", () => [nodePrimitives.random(256)]],
    ["of 17 bytes", () => [Uint8Array.of(0x10, ...new Uint8Array(16))]],
  ])("[R4] refuses a record that was %s", (_what, change) => {
    const { left, right } = pair();
    const records = [1, 2].flatMap((value) =>
      left.seal({ type: FRAME.note, payload: Uint8Array.of(value) }, 0),
    );
    const codes = change(records).map((record) => codeOf(() => right.open(record ?? EMPTY, 0)));
    expect(codes.at(-1)).toBe("integrity-failed");
  });

  it("[R1] refuses its own records sent back, and those of another connection", () => {
    const { left } = pair();
    const [message = EMPTY] = left.seal({ type: FRAME.ping, payload: EMPTY }, 0);
    expect(codeOf(() => left.open(message, 0))).toBe("integrity-failed");
    const other = new RecordLayer(nodePrimitives, { send: secrets.random(32), receive: BACK.slice() }, 0);
    const [foreign = EMPTY] = other.seal({ type: FRAME.ping, payload: EMPTY }, 0);
    expect(codeOf(() => pair().right.open(foreign, 0))).toBe("integrity-failed");
  });

  it.each([
    [
      "padding that is not zero at its end",
      () => padded(FRAME.note, 1, concat(new Uint8Array(233), Uint8Array.of(1))),
    ],
    ["padding that is not zero at its start", () => padded(FRAME.note, 1, Uint8Array.of(1, 1))],
    ["a length beyond the record", () => padded(FRAME.note, 235, EMPTY)],
    ["a length of 2^32 − 1", () => padded(FRAME.note, 2 ** 32 - 1, EMPTY)],
  ])("[R3] refuses %s although the seal is right", (_what, content) => {
    expect(codeOf(() => pair().right.open(craft(content()), 0))).toBe("integrity-failed");
  });

  it("[R3] accepts a record in a larger bucket than it needs", () => {
    const message = craft(padded(FRAME.note, 1, Uint8Array.of(7), 4096));
    expect(pair().right.open(message, 0)).toEqual({ type: FRAME.note, payload: Uint8Array.of(7) });
  });

  it("[R5] [K6] begins a new epoch after 15 minutes, announced by the last record of the old one", () => {
    const { left, right } = pair();
    const quarter = 15 * 60_000;
    expect(left.seal({ type: FRAME.ping, payload: EMPTY }, quarter - 1)).toHaveLength(1);
    const { left: sender } = pair();
    const messages = sender.seal({ type: FRAME.ping, payload: EMPTY }, quarter);
    expect(messages).toHaveLength(2);
    expect(right.open(messages[0] ?? EMPTY, quarter)).toBeUndefined();
    expect(right.open(messages[1] ?? EMPTY, quarter)).toEqual({ type: FRAME.ping, payload: EMPTY });
    // The old key opens nothing of the new epoch.
    expect(codeOf(() => pair().right.open(messages[1] ?? EMPTY, quarter))).toBe("integrity-failed");
    expect(sender.seal({ type: FRAME.ping, payload: EMPTY }, quarter + 1)).toHaveLength(1);
    expect(sender.seal({ type: FRAME.ping, payload: EMPTY }, 2 * quarter)).toHaveLength(2);
  });

  it("[R6] an authenticated end names how many records went before it, also across epochs", () => {
    for (const end of [0, 15 * 60_000]) {
      const { left, right } = pair();
      const before = [1, 2].flatMap((value) =>
        left.seal({ type: FRAME.note, payload: Uint8Array.of(value) }, 0),
      );
      for (const message of [...before, ...left.sealClose(3, end)]) {
        const frame = right.open(message, end);
        if (frame?.type === FRAME.close) expect(closeReason(frame.payload)).toBe(3);
        if (frame?.type === FRAME.close)
          expect(frame.payload).toEqual(concat(u64be(end === 0 ? 2 : 3), Uint8Array.of(3)));
      }
    }
  });

  it("[R6] refuses an end that names another number, or none", () => {
    const wrong = padded(FRAME.close, 9, concat(u64be(1), Uint8Array.of(0)));
    expect(codeOf(() => pair().right.open(craft(wrong), 0))).toBe("integrity-failed");
    expect(codeOf(() => pair().right.open(craft(padded(FRAME.close, 3, EMPTY)), 0))).toBe("integrity-failed");
  });

  it("[R4] after a failure nothing opens any more, not even the right record", () => {
    const { left, right } = pair();
    const [message = EMPTY] = left.seal({ type: FRAME.ping, payload: EMPTY }, 0);
    expect(codeOf(() => right.open(flipBit(message, 500), 0))).toBe("integrity-failed");
    expect(codeOf(() => right.open(message, 0))).toBe("integrity-failed");
  });

  it("erases its keys", () => {
    const send = FORTH.slice();
    const receive = BACK.slice();
    new RecordLayer(nodePrimitives, { send, receive }, 0).wipe();
    expect([send, receive]).toEqual([new Uint8Array(32), new Uint8Array(32)]);
  });
});
