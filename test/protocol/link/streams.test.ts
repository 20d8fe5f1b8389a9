import { chunkPrice } from "../../../src/protocol/record/chunk.ts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { memberIdFrom } from "../../../src/protocol/base/ids.ts";
import { STREAM } from "../../../src/protocol/base/limits.ts";
import { BULK_OVERHEAD_BYTES, OPEN_BULK_OVERHEAD_BYTES } from "../../../src/protocol/record/record.ts";
import { Streams } from "../../../src/protocol/link/streams.ts";
import {
  decodeStreamFrame,
  encodeStreamFrame,
  RESETS,
  type StreamFrame,
} from "../../../src/protocol/link/stream-frames.ts";
import { seeded } from "../../hostile-peers/support/input.ts";
import { codeOf } from "../../support/thrown.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const VIOLATION = "protocol-violation";
const EMPTY = new Uint8Array(0);
const MAX_OPEN_BYTES = 131_072 - OPEN_BULK_OVERHEAD_BYTES;
const who = memberIdFrom(new Uint8Array(8).fill(6));
const request = Uint8Array.of(1, 2, 3);

describe("STREAM frames", () => {
  const frames: StreamFrame[] = [
    { t: "open", stream: 1, service: "echo", who, credit: 1, request: EMPTY },
    { t: "open", stream: 2 ** 32 - 1, service: `a${"-9".repeat(15)}z`, who, credit: 2 ** 53 - 1, request },
    { t: "open", stream: 1, service: "a", who, credit: 1, request: new Uint8Array(STREAM.maxRequestBytes) },
    { t: "accept", stream: 2, credit: 0, response: EMPTY },
    { t: "accept", stream: 2, credit: 2 ** 53 - 1, response: new Uint8Array(STREAM.maxRequestBytes) },
    { t: "credit", stream: 3, bytes: 1 },
    { t: "end", stream: 3 },
    ...[...RESETS, "no-such-table"].map((code) => ({ t: "reset", stream: 4, code }) as const),
  ];

  it.each(frames.map((frame) => [frame.t, frame] as const))(
    "[S1] [S2] [F1] a %s comes out as it went in",
    (_t, frame) => {
      expect(decodeStreamFrame(encodeStreamFrame(frame))).toEqual(frame);
    },
  );

  const open = { t: "open", stream: 1, service: "echo", who, credit: 1 };
  const withBody = (header: unknown, body: Bytes = EMPTY): Bytes => {
    const json = encodeUtf8(JSON.stringify(header));
    return concat(Uint8Array.of(0, json.length), json, body);
  };

  it.each([
    ["stream 0", { t: "credit", stream: 0, bytes: 1 }],
    ["a stream beyond 32 bits", { t: "credit", stream: 2 ** 32, bytes: 1 }],
    ["a stream that is no integer", { t: "credit", stream: 1.5, bytes: 1 }],
    ["a negative stream", { t: "credit", stream: -1, bytes: 1 }],
    ["credit of nothing", { t: "credit", stream: 1, bytes: 0 }],
    ["negative credit", { t: "credit", stream: 1, bytes: -1 }],
    ["credit beyond 2^53", { t: "credit", stream: 1, bytes: 2 ** 53 }],
    ["no credit", { t: "credit", stream: 1 }],
    ["a code that is no label", { t: "reset", stream: 1, code: "no such thing" }],
    ["an empty code", { t: "reset", stream: 1, code: "" }],
    ["an unknown kind", { t: "pause", stream: 1 }],
    ["a key too many", { t: "reset", stream: 1, code: "gone", note: "x" }],
    ["an answer with negative credit", { t: "accept", stream: 1, credit: -1 }],
    ["a service of capitals", { ...open, service: "Echo" }],
    ["a service that begins with a digit", { ...open, service: "9p" }],
    ["a service with a space", { ...open, service: "ec ho" }],
    ["a service of 33 characters", { ...open, service: "a".repeat(33) }],
    ["no service", { ...open, service: undefined }],
    ["no member", { ...open, who: "ben" }],
    ["an opening without credit", { ...open, credit: 0 }],
  ])("[S1] [F2] with %s are a violation", (_what, header) => {
    expect(codeOf(() => decodeStreamFrame(withBody(open)))).toBeUndefined();
    expect(codeOf(() => decodeStreamFrame(withBody(header)))).toBe(VIOLATION);
  });

  it("[S1] have a request or a response of at most 4,096 bytes, which nobody sends or takes longer", () => {
    expect(STREAM.maxRequestBytes).toBe(4_096);
    const long = new Uint8Array(STREAM.maxRequestBytes + 1);
    expect(codeOf(() => decodeStreamFrame(withBody(open, long)))).toBe(VIOLATION);
    expect(codeOf(() => decodeStreamFrame(withBody({ t: "accept", stream: 1, credit: 0 }, long)))).toBe(
      VIOLATION,
    );
    expect(() => encodeStreamFrame({ t: "accept", stream: 1, credit: 0, response: long })).toThrow(
      RangeError,
    );
    expect(() =>
      encodeStreamFrame({ t: "open", stream: 1, service: "echo", who, credit: 1, request: long }),
    ).toThrow(RangeError);
  });

  it("[F3] have no body but that", () => {
    for (const frame of frames.filter(({ t }) => t !== "open" && t !== "accept")) {
      const payload = encodeStreamFrame(frame);
      expect(codeOf(() => decodeStreamFrame(payload))).toBeUndefined();
      expect(codeOf(() => decodeStreamFrame(concat(payload, Uint8Array.of(0))))).toBe(VIOLATION);
    }
  });
});

describe("a chunk", () => {
  it("[S3] costs the whole message that carries it", () => {
    expect([BULK_OVERHEAD_BYTES, chunkPrice({ bytes: new Uint8Array(235), isSealed: true })]).toEqual([
      21, 256,
    ]);
    for (const [length, price] of [
      [0, 256],
      [231, 256],
      [232, 1_024],
      [MAX_OPEN_BYTES, 131_072],
    ] as const)
      expect(chunkPrice({ bytes: new Uint8Array(length), isSealed: false })).toBe(price);
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
    ["host", STREAM.maxOpened],
    ["member", STREAM.maxServed],
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
        expect(asking.mayOpen()).toBe(true);
        asking.open(1);
      }
      expect(asking.mayOpen()).toBe(false);
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
    expect([member.received(id, 256), member.received(id, 256)]).toEqual(["open", "open"]);
    expect(codeOf(() => member.received(id, 1))).toBe(VIOLATION);
    member.grant(id, 10);
    expect(codeOf(() => member.received(id, 11))).toBe(VIOLATION);
    expect(member.received(id, 10)).toBe("open");
  });

  it("[S3] [S7] drops what comes late on a stream that is over, whatever it costs", () => {
    const member = new Streams("member");
    const id = member.open(256);
    member.end(id);
    expect(member.received(id, 1_000_000)).toBe("over");
    expect(codeOf(() => member.credited(id, 1))).toBeUndefined();
    member.grant(id, 1_000_000);
    expect(member.received(id, 256)).toBe("over");
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

  it("[S7] a direction that has ended takes nothing more, and the other one goes on", () => {
    const [member, host] = [new Streams("member"), new Streams("host")];
    const id = member.open(1_000);
    host.asked(id, 1_000);
    member.finish(id);
    host.finished(id);
    host.grant(id, 500);
    member.credited(id, 500);
    // Its own direction is over, whatever was granted.
    expect(member.spend(id, 1)).toBe(false);
    expect([host.spend(id, 300), member.received(id, 300)]).toEqual([true, "open"]);
    expect([member.isLive(id), host.isLive(id)]).toEqual([true, true]);
    host.finish(id);
    member.finished(id);
    expect([member.isLive(id), host.isLive(id)]).toEqual([false, false]);
    expect(member.received(id, 1)).toBe("over");
  });

  it("[S7] what comes behind the end of its direction is a violation, and so is a second end", () => {
    const host = new Streams("host");
    host.asked(1, 100);
    host.grant(1, 1_000);
    host.finished(1);
    expect(codeOf(() => host.received(1, 1))).toBe(VIOLATION);
    expect(codeOf(() => host.finished(1))).toBe(VIOLATION);
    host.end(1);
    expect([host.received(1, 1), codeOf(() => host.finished(1))]).toEqual(["over", undefined]);
  });

  it("[S3] the end that was asked lets something come by its answer, and only that end answers", () => {
    const [member, host] = [new Streams("member"), new Streams("host")];
    const id = member.open(1);
    host.asked(id, 1);
    expect(member.spend(id, 1)).toBe(false);
    host.grant(id, 256);
    member.accepted(id, 256);
    expect([member.spend(id, 256), host.received(id, 256)]).toEqual([true, "open"]);
    expect(codeOf(() => host.received(id, 1))).toBe(VIOLATION);
    expect(codeOf(() => host.accepted(id, 1))).toBe(VIOLATION);
    expect(codeOf(() => member.accepted(id, 1))).toBe(VIOLATION);
  });

  it("[S3] keeps a credit that adds up to more than any number exact enough to spend", () => {
    const host = new Streams("host");
    host.asked(1, Number.MAX_SAFE_INTEGER);
    host.credited(1, Number.MAX_SAFE_INTEGER);
    expect([host.spend(1, 131_072), host.spend(1, 131_072)]).toEqual([true, true]);
  });

  it("[S2] [S3] [S7] two honest ends never break a rule, however their messages cross, and never exceed what was granted", () => {
    type Sent = { t: "open" | "credit" | "chunk" | "end" | "stop"; id: number; amount: number };
    const step = fc.record({
      side: fc.nat(1),
      act: fc.constantFrom(
        "open",
        "credit",
        "chunk",
        "chunk",
        "end",
        "stop",
        "deliver",
        "deliver",
        "deliver",
      ),
      pick: fc.nat(5),
      amount: fc.integer({ min: 1, max: 2_000 }),
    });
    const run = fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const ends = [new Streams("host"), new Streams("member")] as const;
      const queues: [Sent[], Sent[]] = [[], []];
      const ended = [new Set<number>(), new Set<number>()] as const;
      const [granted, carried] = [new Map<number, number>(), new Map<number, number>()];
      const add = (to: Map<number, number>, id: number, n: number): void =>
        void to.set(id, (to.get(id) ?? 0) + n);
      for (const { side, act, pick, amount } of steps) {
        const [own, out, into] =
          side === 0 ? [ends[0], queues[0], queues[1]] : [ends[1], queues[1], queues[0]];
        const id = own.live[pick % Math.max(1, own.live.length)] ?? 0;
        if (act === "open" && own.mayOpen()) {
          const opened = own.open(amount);
          add(granted, opened, amount);
          out.push({ t: "open", id: opened, amount });
        } else if (act === "credit" && id > 0) {
          own.grant(id, amount);
          add(granted, id, amount);
          out.push({ t: "credit", id, amount });
        } else if (act === "chunk" && own.spend(id, amount)) out.push({ t: "chunk", id, amount });
        else if (act === "end" && id > 0 && !ended[side === 0 ? 0 : 1].has(id)) {
          ended[side === 0 ? 0 : 1].add(id);
          own.finish(id);
          out.push({ t: "end", id, amount: 0 });
        } else if (act === "stop" && id > 0) {
          own.reset(id, 1);
          out.push({ t: "stop", id, amount: 0 });
        } else if (act === "deliver") {
          const came = into.shift();
          if (came?.t === "open") own.asked(came.id, came.amount);
          if (came?.t === "credit") own.credited(came.id, came.amount);
          if (came?.t === "chunk" && own.received(came.id, came.amount) !== "over")
            add(carried, came.id, came.amount);
          if (came?.t === "end") own.finished(came.id);
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
