import { expect, it } from "vitest";
import { RECORD } from "../../../src/protocol/base/limits.ts";
import {
  BULK_HEADER_BYTES,
  BULK_OVERHEAD_BYTES,
  FRAME,
  RecordLayer,
} from "../../../src/protocol/record/record.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";

/** A gigabyte would take seconds, as a million records would in rekey.test.ts. */
const LIMITS = { ...RECORD, rekeyAfterRecords: 50, rekeyAfterBytes: 100_000 };
const BUCKET = 16_384;

function ends() {
  const secret = new Uint8Array(32).fill(7);
  return [
    new RecordLayer(nodePrimitives, { send: secret.slice(), receive: new Uint8Array(32) }, 0, LIMITS),
    new RecordLayer(nodePrimitives, { send: new Uint8Array(32), receive: secret.slice() }, 0, LIMITS),
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

it("[R5] [R8] [K6] count towards the bytes of an epoch with the whole of the message where a hop seals them, too", () => {
  const [sender, receiver] = ends();
  const open = { header: bulk.header, bytes: new Uint8Array(BUCKET - 4_096) };
  const each = Math.ceil(100_000 / BUCKET);
  for (let count = 0; count < each; count += 1) expect(sender.sealOpenBulk(open, 0)).toHaveLength(1);
  const [rekey, message] = sender.sealOpenBulk(open, 0);
  expect([rekey?.[0], message?.[0]]).toEqual([0x10, 0x12]);
  expect(receiver.sealOpenBulk(open, 0)).toHaveLength(1);
});
