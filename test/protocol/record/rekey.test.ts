import { expect, it } from "vitest";
import { RECORD } from "../../../src/protocol/base/limits.ts";
import { FRAME, RecordLayer } from "../../../src/protocol/record/record.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";

/** A million records would take seconds; that the real limits are 2^20 and 1 GiB is compared with the specification in test/rules.test.ts. */
const LIMITS = { ...RECORD, rekeyAfterRecords: 50, rekeyAfterBytes: 100_000 };

/** How many records of one size are sealed before the one that brings a new epoch with it. */
function recordsBefore(length: number, epochs: number): number[] {
  const secret = new Uint8Array(32).fill(7);
  const [sender, receiver] = [
    new RecordLayer(nodePrimitives, { send: secret.slice(), receive: new Uint8Array(32) }, 0, LIMITS),
    new RecordLayer(nodePrimitives, { send: new Uint8Array(32), receive: secret.slice() }, 0, LIMITS),
  ];
  const counts: number[] = [];
  for (let count = 0; counts.length < epochs; count += 1) {
    const messages = sender.seal({ type: FRAME.note, payload: new Uint8Array(length) }, 0);
    const frames = messages.map((message) => receiver.open(message, 0));
    expect(frames.at(-1)?.payload).toHaveLength(length);
    if (messages.length === 1) continue;
    expect(frames).toHaveLength(2);
    counts.push(count);
    count = 0;
  }
  return counts;
}

it("[R5] [K6] begins a new epoch after a number of records, counted anew in each", () => {
  expect(recordsBefore(1, 3)).toEqual([50, 50, 50]);
});

it("[R5] [K6] begins a new epoch after a number of bytes, padding included", () => {
  const sealed = 16_384 - 17;
  const first = Math.ceil(100_000 / sealed);
  expect(recordsBefore(10_000, 3)).toEqual([first, first, first]);
});
