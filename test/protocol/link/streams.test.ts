import { chunkHeader, chunkPrice, readChunkHeader } from "../../../src/protocol/record/chunk.ts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, toBase64url, u32be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { Channel } from "../../../src/protocol/reliable/channel.ts";
import { memberIdFrom } from "../../../src/protocol/base/ids.ts";
import { FILE } from "../../../src/protocol/base/limits.ts";
import { BULK_OVERHEAD_BYTES, RecordLayer } from "../../../src/protocol/record/record.ts";
import {
  decodeStreamFrame,
  encodeStreamFrame,
  STOP_REASONS,
  Streams,
  type StreamFrame,
} from "../../../src/protocol/link/streams.ts";
import { seeded } from "../../hostile-peers/support/input.ts";
import { codeOf } from "../../support/thrown.ts";
import { nodePrimitives } from "../../support/wire.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const VIOLATION = "protocol-violation";
const EMPTY = new Uint8Array(0);
const file = new Uint8Array(16).fill(5);
const who = memberIdFrom(new Uint8Array(8).fill(6));

describe("STREAM frames", () => {
  const frames: StreamFrame[] = [
    { t: "open", stream: 1, file, who, offset: 0, credit: 1 },
    { t: "open", stream: 2 ** 32 - 1, file, who, offset: 2 ** 53 - 1, credit: 2 ** 53 - 1 },
    { t: "start", stream: 2, salt: new Uint8Array(32).fill(1) },
    { t: "credit", stream: 3, bytes: 1 },
    ...STOP_REASONS.map((reason) => ({ t: "stop", stream: 4, reason }) as const),
  ];

  it.each(frames.map((frame) => [frame.t, frame] as const))(
    "[S2] [F1] a %s comes out as it went in",
    (_t, frame) => {
      expect(decodeStreamFrame(encodeStreamFrame(frame))).toEqual(frame);
    },
  );

  it.each([
    ["stream 0", { t: "credit", stream: 0, bytes: 1 }],
    ["a stream beyond 32 bits", { t: "credit", stream: 2 ** 32, bytes: 1 }],
    ["a stream that is no integer", { t: "credit", stream: 1.5, bytes: 1 }],
    ["a negative stream", { t: "credit", stream: -1, bytes: 1 }],
    ["credit of nothing", { t: "credit", stream: 1, bytes: 0 }],
    ["negative credit", { t: "credit", stream: 1, bytes: -1 }],
    ["credit beyond 2^53", { t: "credit", stream: 1, bytes: 2 ** 53 }],
    ["no credit", { t: "credit", stream: 1 }],
    ["an unknown reason", { t: "stop", stream: 1, reason: "bored" }],
    ["an unknown kind", { t: "pause", stream: 1 }],
    ["a key too many", { t: "stop", stream: 1, reason: "gone", note: "x" }],
    ["a short salt", { t: "start", stream: 1, salt: toBase64url(new Uint8Array(31)) }],
    [
      "a short file id",
      { t: "open", stream: 1, file: toBase64url(new Uint8Array(15)), who, offset: 0, credit: 1 },
    ],
    ["no member", { t: "open", stream: 1, file: toBase64url(file), who: "ben", offset: 0, credit: 1 }],
    [
      "an opening without credit",
      { t: "open", stream: 1, file: toBase64url(file), who, offset: 0, credit: 0 },
    ],
    ["a negative offset", { t: "open", stream: 1, file: toBase64url(file), who, offset: -1, credit: 1 }],
  ])("[F2] with %s are a violation", (_what, header) => {
    const json = encodeUtf8(JSON.stringify(header));
    const payload = concat(Uint8Array.of(0, json.length), json);
    expect(codeOf(() => decodeStreamFrame(payload))).toBe(VIOLATION);
  });

  it("[F3] have no body", () => {
    const [frame] = frames;
    const payload = frame === undefined ? EMPTY : encodeStreamFrame(frame);
    const longer = concat(payload, Uint8Array.of(0));
    expect(codeOf(() => decodeStreamFrame(payload))).toBeUndefined();
    expect(codeOf(() => decodeStreamFrame(longer))).toBe(VIOLATION);
  });
});

describe("the header of a chunk", () => {
  it("[R7] has 13 bytes: stream, offset and flags", () => {
    const place = { stream: 0x01020304, offset: 2 ** 40 + 5, final: true };
    expect(chunkHeader(place)).toEqual(concat(u32be(0x01020304), u64be(2 ** 40 + 5), Uint8Array.of(1)));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        fc.maxSafeNat(),
        fc.boolean(),
        (stream, offset, final) => {
          expect(readChunkHeader(chunkHeader({ stream, offset, final }))).toEqual({ stream, offset, final });
        },
      ),
      seeded(72, 200),
    );
  });

  it.each([
    ["flag 2", concat(u32be(1), u64be(0), Uint8Array.of(2))],
    ["flag 3, which has final in it", concat(u32be(1), u64be(0), Uint8Array.of(3))],
    ["flag 128", concat(u32be(1), u64be(0), Uint8Array.of(128))],
    ["an offset above 2^53 − 1", concat(u32be(1), Uint8Array.of(0, 32, 0, 0, 0, 0, 0, 0), Uint8Array.of(0))],
    ["an offset of 2^64 − 1", concat(u32be(1), new Uint8Array(8).fill(255), Uint8Array.of(1))],
  ])("[R7] [C1] with %s is a violation, under a seal that is right", (_what, header) => {
    expect(codeOf(() => readChunkHeader(header))).toBe(VIOLATION);
    const secret = (): Bytes => new Uint8Array(32).fill(9);
    const sender = new RecordLayer(nodePrimitives, { send: secret(), receive: new Uint8Array(32) }, 0);
    const records = new RecordLayer(nodePrimitives, { send: new Uint8Array(32), receive: secret() }, 0);
    const channel = new Channel();
    channel.attach(records, 0, 0);
    const [message = EMPTY] = sender.sealBulk(
      { header, chunk: new Uint8Array(256 - BULK_OVERHEAD_BYTES) },
      0,
    );
    expect(codeOf(() => channel.receive(message, 0))).toBe(VIOLATION);
  });

  it("[S3] is part of what a chunk costs, which is the whole bulk message", () => {
    expect(chunkPrice({ sealed: new Uint8Array(226) })).toBe(256);
    expect(BULK_OVERHEAD_BYTES).toBe(30);
  });
});

describe("streams of a channel", () => {
  it("[S2] a member takes odd numbers and the host even ones, without a gap, and from the beginning on each connection", () => {
    const [member, host] = [new Streams("member"), new Streams("host")];
    expect([member.open(1), member.open(1), member.open(1)]).toEqual([1, 3, 5]);
    expect([host.open(1), host.open(1)]).toEqual([2, 4]);
    member.end(5);
    expect(member.open(1)).toBe(7);
    member.clear();
    expect([member.live, member.open(1)]).toEqual([[], 1]);
  });

  it.each([
    ["of the host's own", "host", 2],
    ["of the member's own", "member", 1],
    ["that was taken before", "host", 3],
    ["lower than one before", "host", 1],
    ["that leaves one out", "host", 7],
  ] as const)("[S2] an open with a number %s is a violation", (_what, role, id) => {
    const streams = new Streams(role);
    if (role === "host") for (const before of [1, 3]) streams.asked(before, 1);
    expect(codeOf(() => streams.asked(id, 1))).toBe(VIOLATION);
  });

  it.each([
    ["host", FILE.maxOpened],
    ["member", FILE.maxServed],
  ] as const)(
    "[S6] a %s serves so many at once and has no room for one more, until one ends",
    (role, most) => {
      const side = new Streams(role);
      const first = role === "host" ? 1 : 2;
      for (let turn = 0; turn < most; turn += 1) expect(side.asked(2 * turn + first, 100)).toBe(true);
      const last = 2 * most + first;
      expect(side.asked(last, 100)).toBe(false);
      // The refused one is over, and known.
      expect([side.isLive(last), codeOf(() => side.credited(last, 1)), side.spend(last, 1)]).toEqual([
        false,
        undefined,
        false,
      ]);
      side.end(first);
      expect(side.asked(last + 2, 100)).toBe(true);
      const asking = new Streams(role === "host" ? "member" : "host");
      for (let turn = 0; turn < most; turn += 1) {
        expect(asking.mayOpen).toBe(true);
        asking.open(1);
      }
      expect(asking.mayOpen).toBe(false);
    },
  );

  it("[S3] lets a sender spend its credit to the last byte, and no further", () => {
    const host = new Streams("host");
    host.asked(1, 512);
    expect([host.spend(1, 256), host.spend(1, 257), host.spend(1, 256), host.spend(1, 1)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    host.credited(1, 255);
    expect([host.spend(1, 256), host.spend(1, 255)]).toEqual([false, true]);
    expect(host.spend(3, 1)).toBe(false);
  });

  it("[S3] takes what it let come to the last byte; a byte more is a violation", () => {
    const member = new Streams("member");
    const id = member.open(512);
    expect([member.received(id, 256), member.received(id, 256)]).toEqual([true, true]);
    expect(codeOf(() => member.received(id, 1))).toBe(VIOLATION);
    member.grant(id, 10);
    expect(codeOf(() => member.received(id, 11))).toBe(VIOLATION);
    expect(member.received(id, 10)).toBe(true);
  });

  it("[S3] [S7] drops what comes late on a stream that is over, whatever it costs", () => {
    const member = new Streams("member");
    const id = member.open(256);
    member.end(id);
    expect(member.received(id, 1_000_000)).toBe(false);
    expect(codeOf(() => member.credited(id, 1))).toBeUndefined();
    member.grant(id, 1_000_000);
    expect(member.received(id, 256)).toBe(false);
  });

  it.each([
    ["the other side's next", 1],
    ["its own next", 2],
    ["the highest of all", 2 ** 32 - 1],
  ])("[S3] a chunk or credit of %s number, which nobody opened, is a violation", (_what, id) => {
    const host = new Streams("host");
    for (const call of [() => host.received(id, 1), () => host.credited(id, 1), () => host.assertKnown(id)])
      expect(codeOf(call)).toBe(VIOLATION);
  });

  it("[S3] keeps a credit that adds up to more than any number exact enough to spend", () => {
    const host = new Streams("host");
    host.asked(1, Number.MAX_SAFE_INTEGER);
    host.credited(1, Number.MAX_SAFE_INTEGER);
    expect([host.spend(1, 131_072), host.spend(1, 131_072)]).toEqual([true, true]);
  });

  it("[S2] [S3] [S7] two honest ends never break a rule, however their messages cross, and never exceed what was granted", () => {
    type Sent = { t: "open" | "credit" | "chunk" | "stop"; id: number; amount: number };
    const step = fc.record({
      side: fc.nat(1),
      act: fc.constantFrom("open", "credit", "chunk", "chunk", "stop", "deliver", "deliver", "deliver"),
      pick: fc.nat(5),
      amount: fc.integer({ min: 1, max: 2_000 }),
    });
    const run = fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const ends = [new Streams("host"), new Streams("member")] as const;
      const queues: [Sent[], Sent[]] = [[], []];
      const [granted, carried] = [new Map<number, number>(), new Map<number, number>()];
      const add = (to: Map<number, number>, id: number, n: number): void =>
        void to.set(id, (to.get(id) ?? 0) + n);
      for (const { side, act, pick, amount } of steps) {
        const [own, out, into] =
          side === 0 ? [ends[0], queues[0], queues[1]] : [ends[1], queues[1], queues[0]];
        const id = own.live[pick % Math.max(1, own.live.length)] ?? 0;
        const isOwn = id % 2 === side;
        if (act === "open" && own.mayOpen) {
          const opened = own.open(amount);
          add(granted, opened, amount);
          out.push({ t: "open", id: opened, amount });
        } else if (act === "credit" && isOwn && id > 0) {
          own.grant(id, amount);
          add(granted, id, amount);
          out.push({ t: "credit", id, amount });
        } else if (act === "chunk" && !isOwn && own.spend(id, amount)) out.push({ t: "chunk", id, amount });
        else if (act === "stop" && id > 0) {
          own.end(id);
          out.push({ t: "stop", id, amount: 0 });
        } else if (act === "deliver") {
          const came = into.shift();
          if (came?.t === "open") own.asked(came.id, came.amount);
          if (came?.t === "credit") own.credited(came.id, came.amount);
          if (came?.t === "chunk" && own.received(came.id, came.amount)) add(carried, came.id, came.amount);
          if (came?.t === "stop") {
            own.assertKnown(came.id);
            own.end(came.id);
          }
        }
      }
      for (const [id, sum] of carried) expect(sum).toBeLessThanOrEqual(granted.get(id) ?? 0);
    });
    fc.assert(run, seeded(73, 300));
  });
});
