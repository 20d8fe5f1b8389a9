import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, u32be, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import { Channel } from "../../src/protocol/reliable/channel.ts";
import {
  acceptAuth,
  GuestHandshake,
  readAuth,
  verifyAuthTag,
  writeChallenge,
} from "../../src/protocol/handshake/handshake.ts";
import { controlKey, inviteCredential } from "../../src/protocol/handshake/keys.ts";
import { LINK, RECORD_BUCKETS } from "../../src/protocol/base/limits.ts";
import { NoiseInitiator, NoiseResponder } from "../../src/protocol/handshake/noise.ts";
import { FRAME, MAX_PAYLOAD_BYTES, RecordLayer } from "../../src/protocol/record/record.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { anyBytes, mutated, refusal, seeded, wireSized } from "../hostile-peers/support/input.ts";
import { seededPrimitives } from "../support/random.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const chosen = seededPrimitives("sealed");
const FORTH = chosen.random(32);
const BACK = chosen.random(32);
const EMPTY = new Uint8Array(0);

function ends(): { near: RecordLayer; far: RecordLayer } {
  return {
    near: new RecordLayer(nodePrimitives, { send: FORTH.slice(), receive: BACK.slice() }, 0),
    far: new RecordLayer(nodePrimitives, { send: BACK.slice(), receive: FORTH.slice() }, 0),
  };
}

describe("the handshake", () => {
  const room = chosen.random(16);
  const hostStatic = chosen.generateDhKeyPair();
  const credential = inviteCredential(chosen, chosen.random(32));
  const challenge = writeChallenge(chosen, room);
  const half = (): GuestHandshake =>
    new GuestHandshake(nodePrimitives, {
      room,
      hostKey: hostStatic.publicKey,
      credential,
      claim: new Uint8Array(16),
    });
  const m2 = half().answer(challenge);

  it("[H2] reads 146 bytes of kind 2 as AUTH, and nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(wireSized, anyBytes(), mutated(m2)), (message) => {
        expect(readAuth(message) !== undefined).toBe(message.length === 146 && message[0] === 2);
      }),
      seeded(31, 300),
    );
  });

  it("[H4] [H5] denies every AUTH but the one that was made for this challenge", () => {
    fc.assert(
      fc.property(fc.oneof(mutated(m2), mutated(m2), wireSized), (message) => {
        const auth = readAuth(message);
        if (auth === undefined || Buffer.compare(message, m2) === 0) return;
        expect(verifyAuthTag(nodePrimitives, challenge, auth, credential.mac)).toBe(false);
        // What is not in the Noise part is under the tag alone.
        const opened = acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic });
        if (Buffer.compare(message.subarray(49), m2.subarray(49)) !== 0 || message[1] !== m2[1])
          expect(opened).toBeUndefined();
      }),
      seeded(32, 60),
    );
  });

  it("[H7] [H12] a guest refuses every other M1 and M3, each with a code", () => {
    fc.assert(
      fc.property(fc.oneof(mutated(challenge), wireSized, anyBytes()), anyBytes(80), (first, second) => {
        const guest = half();
        const code = refusal(() => guest.answer(first));
        expect([undefined, "not-a-tunnel", "version-unsupported", "protocol-violation"]).toContain(code);
        const end = refusal(() => guest.finish(second));
        expect(["invite-refused", "host-not-authentic"]).toContain(end);
      }),
      seeded(33, 80),
    );
  });

  it("[H7] a mutated M3 opens for nobody", () => {
    const auth = readAuth(m2);
    const accepted = auth && acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic });
    const m3 = accepted?.message ?? EMPTY;
    expect(m3).toHaveLength(54);
    fc.assert(
      fc.property(fc.oneof(mutated(m3), wireSized), (message) => {
        const guest = half();
        guest.answer(challenge);
        expect(["invite-refused", "host-not-authentic"]).toContain(refusal(() => guest.finish(message)));
      }),
      seeded(34, 60),
    );
  });

  it("[K5] Noise messages of any size are read or refused by both ends, low-order points among them", () => {
    const points = fc.constantFrom(
      new Uint8Array(32),
      concat(Uint8Array.of(1), new Uint8Array(31)),
      new Uint8Array(32).fill(255),
    );
    const message = fc.oneof(
      anyBytes(120),
      fc.tuple(points, anyBytes(80)).map(([point, rest]) => concat(point, rest)),
    );
    const psk = new Uint8Array(32);
    fc.assert(
      fc.property(message, anyBytes(40), (bytes, prologue) => {
        const responder = new NoiseResponder(nodePrimitives, { prologue, psk, static: hostStatic });
        expect(responder.readFirst(bytes)).toBeUndefined();
        const responderStatic = hostStatic.publicKey;
        const initiator = new NoiseInitiator(nodePrimitives, { prologue, psk, responderStatic });
        initiator.writeFirst(EMPTY);
        expect(initiator.readSecond(bytes)).toBeUndefined();
      }),
      seeded(35, 50),
    );
  });
});

describe("records", () => {
  it("[R3] [R4] anything but the next record of the right key is integrity-failed, and nothing opens afterwards as if it had not been", () => {
    const [valid = EMPTY] = ends().near.seal({ type: FRAME.note, payload: chosen.random(40) }, 0);
    fc.assert(
      fc.property(fc.oneof(mutated(valid), wireSized, anyBytes()), (message) => {
        if (Buffer.compare(message, valid) === 0) return;
        expect(refusal(() => ends().far.open(message, 0))).toBe("integrity-failed");
      }),
      seeded(36, 120),
    );
  });

  it("[R3] [R6] what is under the right key but not made by the rules is refused: lengths, padding, counts", () => {
    const key = controlKey(nodePrimitives, FORTH);
    const nonce = concat(encodeUtf8("tmc1"), u32be(0), new Uint8Array(8), u64be(0));
    const inner = fc.record({
      bucket: fc.constantFrom(...RECORD_BUCKETS.slice(0, 4), 255, 257, 17, 21, 22),
      type: fc.oneof(fc.constantFrom(...Object.values(FRAME)), fc.nat(255)),
      length: fc.oneof(fc.nat(300), fc.constantFrom(0, 234, 235, 0x7fff_ffff, 0xffff_ffff)),
      content: anyBytes(300),
    });
    fc.assert(
      fc.property(inner, ({ bucket, type, length, content }) => {
        const padded = new Uint8Array(bucket - 17);
        padded.set(concat(Uint8Array.of(type), u32be(length), content).subarray(0, padded.length));
        const message = concat(Uint8Array.of(0x10), nodePrimitives.secretboxSeal(key, nonce, padded));
        let opened: number | undefined;
        const code = refusal(() => (opened = ends().far.open(message, 0)?.payload.length));
        expect([undefined, "integrity-failed"]).toContain(code);
        if (opened !== undefined) expect(opened).toBe(length);
      }),
      seeded(37, 200),
    );
  });
});

describe("the channel, with a peer that holds the right keys", () => {
  /** A frame as such a peer may seal it: mostly wrong, now and then right, `next` being the right number. */
  const number = (next: number): fc.Arbitrary<Bytes> =>
    fc.oneof(
      fc
        .constantFrom(0, 1, next - 1, next, next + 1, 5_000, Number.MAX_SAFE_INTEGER)
        .map((value) => u64be(Math.max(0, value))),
      fc.constantFrom(new Uint8Array(8).fill(255), concat(Uint8Array.of(0x80), new Uint8Array(7))),
    );
  const payloads = (next: number): fc.Arbitrary<Bytes> =>
    fc.oneof(
      anyBytes(40),
      number(next),
      fc.tuple(number(next), number(0), anyBytes(60)).map(([seq, ack, body]) => concat(seq, ack, body)),
      fc.tuple(number(next), fc.nat(5)).map(([count, reason]) => concat(count, Uint8Array.of(reason))),
      fc.constant(new Uint8Array(MAX_PAYLOAD_BYTES)),
    );
  const type = fc.oneof(
    fc.constantFrom(...Object.values(FRAME)),
    fc.constantFrom(FRAME.data, FRAME.ack),
    fc.nat(255),
  );
  const step = fc.nat(6).chain((next) => fc.tuple(type, payloads(next)));

  it("[D2] [D4] [F3] [F5] reads every frame, or refuses it by the rules, and hands up each number once and in order", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        const { near, far } = ends();
        const channel = new Channel();
        channel.attach(far, 0, 0);
        for (let own = 0; own < 3; own += 1) channel.send(new Uint8Array(10), 0);
        let handedUp = 0;
        for (const [type, payload] of steps) {
          for (const message of near.seal({ type, payload }, 0)) {
            const before = channel.received;
            const code = refusal(() => {
              const { event, reply } = channel.receive(message, 0);
              if (event?.type === "durable") handedUp += 1;
              expect(reply.length).toBeLessThanOrEqual(4);
            });
            expect([undefined, "integrity-failed", "protocol-violation"]).toContain(code);
            expect([before, before + 1]).toContain(channel.received);
            expect(channel.received).toBe(handedUp);
            expect(channel.waiting >= 0 && channel.waiting <= 3).toBe(true);
            if (code !== undefined) channel.detach();
          }
          if (channel.lastHeard === undefined) return;
        }
      }),
      seeded(38, 120),
    );
  });

  it("[D4] drops what it has had, however often it comes, and takes the next", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 20 }), (numbers) => {
        const { near, far } = ends();
        const channel = new Channel();
        channel.attach(far, 0, 0);
        for (const wanted of numbers) {
          const number = Math.min(wanted, channel.received + 1);
          const isNew = number > channel.received;
          const payload = concat(u64be(number), u64be(0));
          for (const message of near.seal({ type: FRAME.data, payload }, 0))
            expect(channel.receive(message, 0).event !== undefined).toBe(isNew);
        }
      }),
      seeded(39, 40),
    );
  });

  it("[D2] [D10] takes no acknowledgement of what has not been sent on this connection, though it waits in the outbox", () => {
    for (const type of [FRAME.ack, FRAME.data]) {
      const { near, far } = ends();
      const channel = new Channel();
      channel.attach(far, 0, 0);
      for (let turn = 0; turn < 60; turn += 1) channel.send(new Uint8Array(60_000), 0);
      const acknowledges = (number: number): Bytes[] => {
        const data = concat(u64be(1), u64be(number));
        return near.seal({ type, payload: type === FRAME.ack ? u64be(number) : data }, 0);
      };
      for (const message of acknowledges(50))
        expect(refusal(() => channel.receive(message, 0))).toBe("protocol-violation");
      expect(channel.waiting).toBe(60);
    }
  });

  it("[D3] [D10] holds no more than its outbox for a peer that never acknowledges, and sends no more than its window", () => {
    const channel = new Channel();
    channel.attach(ends().far, 0, 0);
    const payload = new Uint8Array(60_000);
    let [sent, refused] = [0, 0];
    for (let turn = 0; turn < 300; turn += 1) {
      if (refusal(() => (sent += channel.send(payload, 0).length)) === "outbox-full") refused += 1;
    }
    expect(channel.waiting * payload.length).toBeLessThanOrEqual(LINK.maxOutboxBytes);
    expect(refused).toBe(300 - channel.waiting);
    expect(sent * payload.length).toBeLessThan(LINK.windowBytes + payload.length);
    const small = new Channel();
    for (let turn = 0; turn < LINK.maxOutboxFrames; turn += 1) small.send(EMPTY, 0);
    expect(refusal(() => small.send(EMPTY, 0))).toBe("outbox-full");
  });
});
