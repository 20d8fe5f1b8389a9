import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, toBase64url, u32be, type Bytes } from "../../src/protocol/base/bytes.ts";
import { RECORD_BUCKETS } from "../../src/protocol/base/limits.ts";
import { BULK_OVERHEAD_BYTES, FRAME } from "../../src/protocol/record/record.ts";
import { decodeStreamFrame, RESETS } from "../../src/protocol/link/stream-frames.ts";
import { HostileHost } from "../hostile-peers/support/host.ts";
import { anyBytes, oddJson, refusal, seeded, spoiled } from "../hostile-peers/support/input.ts";
import { noise, recordsBehind, Rogue } from "../support/streaming.ts";
import { guestDid, texts, World, type Guest } from "../support/wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";
import { askFor, frameOf, give } from "../support/file-words.ts";

const id = toBase64url(new Uint8Array(8).fill(7));

/** Small numbers, since these are the ones that exist, and the ends of the range. */
const stream = fc.oneof(
  { weight: 6, arbitrary: fc.nat(8) },
  { weight: 1, arbitrary: fc.constantFrom(31, 32, 33, 34, 2 ** 31, 2 ** 32 - 1, 2 ** 32) },
);
const amount = fc.oneof(fc.nat(1_000), fc.constantFrom(0, 1, 255, 256, 131_072, 2 ** 53 - 1));

/** The header of a frame: right, or with something done to it. `who` is somebody in the room, or nobody. */
function frames(who: readonly string[]): fc.Arbitrary<string> {
  const header = fc.oneof(
    fc.record({
      t: fc.constant("open"),
      stream,
      service: fc.constantFrom("files", "files", "echo", "none", "No", ""),
      who: fc.constantFrom(...who, id),
      credit: amount,
    }),
    fc.record({ t: fc.constant("accept"), stream, credit: amount }),
    fc.record({ t: fc.constant("credit"), stream, bytes: amount }),
    fc.record({ t: fc.constant("end"), stream }),
    fc.record({ t: fc.constant("reset"), stream, code: fc.constantFrom(...RESETS, "gone", "?") }),
  );
  return fc.oneof(
    { weight: 8, arbitrary: header.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: header.chain((value) => spoiled(value)) },
    { weight: 1, arbitrary: oddJson },
  );
}

function framed(json: string, body: Bytes): Bytes {
  const header = encodeUtf8(json).subarray(0, 0xffff);
  return concat(Uint8Array.of(header.length >> 8, header.length & 0xff), header, body);
}

/** What goes over the wire: a frame in its seal, a chunk in its seal, or neither. */
type Step =
  | { readonly frame: Bytes }
  | { readonly header: Bytes; readonly sealed: Bytes }
  | { readonly header: Bytes; readonly open: Bytes }
  | { readonly raw: Bytes };

function steps(who: readonly string[]): fc.Arbitrary<Step[]> {
  const body = fc.oneof(
    { weight: 12, arbitrary: fc.constant(new Uint8Array(0)) },
    { weight: 1, arbitrary: anyBytes(9) },
  );
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(frames(who), body).map(([json, rest]) => ({ frame: framed(json, rest) })),
    },
    {
      weight: 6,
      arbitrary: fc.tuple(stream, fc.constantFrom(...RECORD_BUCKETS.slice(0, 3))).map(([number, bucket]) => ({
        header: u32be(number),
        sealed: new Uint8Array(bucket - BULK_OVERHEAD_BYTES),
      })),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(stream, anyBytes(300)).map(([number, open]) => ({ header: u32be(number), open })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(1, 20, 21, 22, 25, ...RECORD_BUCKETS.slice(0, 3)), fc.constantFrom(0x11, 0x12))
        .map(([length, kind]) => {
          const raw = new Uint8Array(length);
          raw[0] = kind;
          return { raw };
        }),
    },
    { weight: 1, arbitrary: anyBytes(60).map((frame) => ({ frame })) },
  );
  return fc.array(step, { minLength: 1, maxLength: 25 });
}

describe("STREAM frames from outside", () => {
  it("[F2] are read or refused, whatever they are", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyBytes(80),
          fc.tuple(frames([id]), anyBytes(3)).map(([json, rest]) => framed(json, rest)),
        ),
        (payload) => {
          const code = refusal(() => decodeStreamFrame(payload));
          expect([undefined, "protocol-violation"]).toContain(code);
        },
      ),
      seeded(81, 400),
    );
  });
});

describe("the room", () => {
  it("[G8] [S2] [S3] survives whatever a member sends on streams, which at worst costs that member its connection", () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(7)), fc.nat(1_000_000), (picks, seed) => {
        const world = new World();
        const [ben, cid] = [world.pair("ben"), world.pair("cid")];
        const rogue = new Rogue(world);
        const owner = rogue.impostor.signer.id;
        const [attack = []] = fc.sample(steps([world.room.self, ben.member.self, owner]), {
          numRuns: 1,
          seed,
        });
        const ask = { file: new Uint8Array(16), owner, offset: 0 };
        for (const step of attack) {
          const pick = picks.next().value;
          // Between its messages the others do what they like.
          if (pick === 0) askFor(ben.member, { ...ask, credit: 600 }, world.now);
          if (pick === 1) askFor(world.room, { ...ask, credit: 600 }, world.now);
          if (pick === 2) give(ben.member, noise(2), world.now);
          if (pick === 3) give(world.room, noise(1), world.now);
          if (pick === 4)
            ben.member.stream(frameOf({ t: "stop", stream: 1, reason: "cancelled" }), world.now);
          world.settle();
          if ("frame" in step) rogue.impostor.put(FRAME.stream, step.frame);
          else if ("raw" in step) rogue.give(step.raw);
          else if ("open" in step) rogue.openBytes(step.header, step.open);
          else rogue.bulk(step.header, step.sealed);
        }
        world.settle();
        const codes = world.did("alarm").map(({ error }) => error.code);
        expect(codes.length).toBeLessThanOrEqual(1);
        for (const code of codes) expect(["protocol-violation", "integrity-failed"]).toContain(code);
        expect([ben, cid].flatMap((guest) => guestDid(guest, "alarm"))).toEqual([]);
        // Nobody was sent a chunk that it had not let come, nor one of a stream that it had not asked for.
        const eventsOf = (guest: Guest) => guestDid(guest, "stream").map(({ event }) => event);
        const own = world.did("stream").map(({ event }) => event);
        const chunks = [...eventsOf(cid), ...eventsOf(ben), ...own].filter(({ t }) => t === "chunk");
        expect(chunks.length).toBeLessThanOrEqual(attack.length);
        expect(eventsOf(cid)).toEqual([]);
        world.room.say({ text: "still here" }, world.now);
        world.settle();
        expect([texts(ben.entries), texts(cid.entries)]).toEqual([["still here"], ["still here"]]);
      }),
      seeded(82, 80),
    );
  });
});

describe("a member", () => {
  it("[S2] [S3] survives whatever a host sends on streams, and at worst leaves it", () => {
    const host = new HostileHost();
    fc.assert(
      fc.property(steps([host.self.id]), fc.array(fc.nat(5), { maxLength: 25 }), (attack, picks) => {
        const ben = host.session("ben");
        const records = recordsBehind(() => ben.put(FRAME.pong, new Uint8Array(0)));
        const ask = { file: new Uint8Array(16), owner: host.self.id, offset: 0, credit: 600 };
        for (const [index, step] of attack.entries()) {
          if (picks[index] === 0) askFor(ben.member, ask, host.now);
          if (picks[index] === 1) give(ben.member, noise(2), host.now);
          if (picks[index] === 2)
            ben.member.stream(frameOf({ t: "stop", stream: 1, reason: "refused" }), host.now);
          ben.pump();
          if ("frame" in step) ben.put(FRAME.stream, step.frame);
          else if ("raw" in step) ben.give(step.raw);
          else {
            const { header } = step;
            const messages =
              "open" in step
                ? records.sealOpenBulk({ header, bytes: step.open }, host.now)
                : records.sealBulk({ header, chunk: step.sealed }, host.now);
            for (const message of messages) ben.give(message);
          }
          if (ben.member.connection.name !== "connected") break;
        }
        for (const code of ben.alarms) expect(["protocol-violation", "integrity-failed"]).toContain(code);
        expect(ben.alarms.length).toBeLessThanOrEqual(1);
        expect(ben.member.connection.name === "connected").toBe(ben.alarms.length === 0);
        expect(ben.log).toEqual(["joined"]);
      }),
      seeded(83, 120),
    );
  });
});
