import { expect, it, vi } from "vitest";
import type * as Limits from "../../../src/protocol/base/limits.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";

// A gigabyte would take seconds, so this file has smaller limits, as rekey.test.ts has.
vi.mock("../../../src/protocol/base/limits.ts", async (original) => {
  const limits = await original<typeof Limits>();
  return { ...limits, RECORD: { ...limits.RECORD, rekeyAfterRecords: 50, rekeyAfterBytes: 100_000 } };
});
const { BULK_HEADER_BYTES, BULK_OVERHEAD_BYTES, FRAME, RecordLayer } =
  await import("../../../src/protocol/record/record.ts");

const BUCKET = 16_384;

function ends() {
  const secret = new Uint8Array(32).fill(7);
  return [
    new RecordLayer(nodePrimitives, { send: secret.slice(), receive: new Uint8Array(32) }, 0),
    new RecordLayer(nodePrimitives, { send: new Uint8Array(32), receive: secret.slice() }, 0),
  ] as const;
}

const bulk = {
  header: new Uint8Array(BULK_HEADER_BYTES),
  chunk: new Uint8Array(BUCKET - BULK_OVERHEAD_BYTES),
};

it("[R5] [R7] [K6] count towards the bytes of an epoch with the whole of the message, together with records", () => {
  const [sender, receiver] = ends();
  const counts: number[] = [];
  for (let count = 0; counts.length < 3; count += 1) {
    const messages = sender.sealBulk(bulk, 0);
    if (messages.length === 2) {
      expect(receiver.open(messages[0] ?? new Uint8Array(0), 0)).toBeUndefined();
      counts.push(count);
      count = 0;
    }
    expect(receiver.openBulk(messages.at(-1) ?? new Uint8Array(0)).chunk).toHaveLength(bulk.chunk.length);
  }
  const each = Math.ceil(100_000 / BUCKET);
  expect(counts).toEqual([each, each, each]);
});

it("[R5] [R7] bring an epoch about for the records after them, too", () => {
  const [sender, receiver] = ends();
  for (let count = 0; count < Math.ceil(100_000 / BUCKET); count += 1)
    for (const message of sender.sealBulk(bulk, 0)) receiver.openBulk(message);
  const messages = sender.seal({ type: FRAME.ping, payload: new Uint8Array(0) }, 0);
  expect(messages.map((message) => receiver.open(message, 0)?.type)).toEqual([undefined, FRAME.ping]);
});
