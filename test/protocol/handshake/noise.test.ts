import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { toHex } from "../../../src/protocol/base/bytes.ts";
import { NoiseInitiator, NoiseResponder } from "../../../src/protocol/handshake/noise.ts";
import { dhKeyPairFrom, nodePrimitives } from "../../../src/runtime/primitives.ts";
import { seededPrimitives } from "../../support/random.ts";
import { flipBit } from "../../support/wire.ts";

const hex = z.string().transform((text) => new Uint8Array(Buffer.from(text, "hex")));
const published = z
  .object({
    prologue: hex,
    psk: hex,
    initiatorEphemeral: hex,
    responderStatic: hex,
    responderEphemeral: hex,
    handshakeHash: z.string(),
    messages: z.array(z.object({ payload: hex, ciphertext: z.string() })).length(4),
  })
  .parse(JSON.parse(readFileSync(new URL("../../vectors/noise.json", import.meta.url), "utf8")));

const NO_BYTES = new Uint8Array(0);

const responderKeys = dhKeyPairFrom(published.responderStatic);
const initiatorEphemeral = dhKeyPairFrom(published.initiatorEphemeral);
const responderEphemeral = dhKeyPairFrom(published.responderEphemeral);

function publishedPair(): { initiator: NoiseInitiator; responder: NoiseResponder } {
  const { prologue, psk } = published;
  const initiator = new NoiseInitiator(nodePrimitives, {
    prologue,
    psk,
    responderStatic: responderKeys.publicKey,
    ephemeral: initiatorEphemeral,
  });
  const responder = new NoiseResponder(nodePrimitives, {
    prologue,
    psk,
    static: responderKeys,
    ephemeral: responderEphemeral,
  });
  return { initiator, responder };
}

function given<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("refused");
  return value;
}

describe("Noise NKpsk0", () => {
  it("[H2] [H7] computes the published vector, message by message", () => {
    const { initiator, responder } = publishedPair();
    const [first, second, third, fourth] = published.messages;
    const one = given(initiator.writeFirst(first?.payload ?? NO_BYTES));
    expect(toHex(one)).toBe(first?.ciphertext);
    expect(responder.readFirst(one)).toEqual(first?.payload);
    const two = given(responder.writeSecond(second?.payload ?? NO_BYTES));
    expect(toHex(two.message)).toBe(second?.ciphertext);
    const read = given(initiator.readSecond(two.message));
    expect(read.payload).toEqual(second?.payload);
    expect(read.result).toEqual(two.result);
    expect(toHex(read.result.hash)).toBe(published.handshakeHash);
    const nonce = new Uint8Array(12);
    const { initiatorToResponder, responderToInitiator } = read.result;
    const seal = (key: Uint8Array, payload = NO_BYTES) =>
      toHex(nodePrimitives.chachaSeal(key, nonce, payload, NO_BYTES));
    expect(seal(initiatorToResponder, third?.payload)).toBe(third?.ciphertext);
    expect(seal(responderToInitiator, fourth?.payload)).toBe(fourth?.ciphertext);
  });

  it("[K4] gives three secrets that differ from each other and from the public hash", () => {
    const { initiator, responder } = publishedPair();
    responder.readFirst(given(initiator.writeFirst(NO_BYTES)));
    const { result } = given(responder.writeSecond(NO_BYTES));
    const all = [result.initiatorToResponder, result.responderToInitiator, result.exporter, result.hash];
    expect(new Set(all.map(toHex)).size).toBe(4);
  });

  it("[H7] refuses every single bit flip of both messages", () => {
    const { initiator, responder } = publishedPair();
    const one = given(initiator.writeFirst(Uint8Array.of(1)));
    for (let bit = 0; bit < one.length * 8; bit += 1)
      expect(publishedPair().responder.readFirst(flipBit(one, bit))).toBeUndefined();
    responder.readFirst(one);
    const two = given(responder.writeSecond(Uint8Array.of(2))).message;
    for (let bit = 0; bit < two.length * 8; bit += 1) {
      const again = publishedPair().initiator;
      again.writeFirst(Uint8Array.of(1));
      expect(again.readSecond(flipBit(two, bit))).toBeUndefined();
    }
  });

  it.each([
    ["zero", new Uint8Array(32)],
    ["one", Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0))],
    ["order 8", Buffer.from("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", "hex")],
    ["p − 1", Buffer.from("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "hex")],
  ])("[K5] refuses a public key of low order: %s", (_what, key) => {
    const keys = nodePrimitives.generateDhKeyPair();
    expect(keys.agree(key)).toBeUndefined();
    const options = { prologue: NO_BYTES, psk: new Uint8Array(32) };
    const { responder } = publishedPair();
    expect(responder.readFirst(Buffer.concat([key, new Uint8Array(16)]))).toBeUndefined();
    const initiator = new NoiseInitiator(nodePrimitives, { ...options, responderStatic: key });
    expect(initiator.writeFirst(NO_BYTES)).toBeUndefined();
  });

  it("[H7] refuses another psk, prologue or static key, and messages that are too short", () => {
    const { initiator } = publishedPair();
    const one = given(initiator.writeFirst(NO_BYTES));
    const { prologue, psk } = published;
    const right = { prologue, psk, static: responderKeys };
    const other = seededPrimitives("other");
    for (const wrong of [
      { prologue: NO_BYTES },
      { psk: other.random(32) },
      { static: other.generateDhKeyPair() },
    ])
      expect(new NoiseResponder(nodePrimitives, { ...right, ...wrong }).readFirst(one)).toBeUndefined();
    expect(new NoiseResponder(nodePrimitives, right).readFirst(one)).toEqual(NO_BYTES);
    for (const length of [0, 31, 32, 47]) {
      expect(publishedPair().responder.readFirst(one.subarray(0, length))).toBeUndefined();
      expect(initiator.readSecond(one.subarray(0, length))).toBeUndefined();
    }
    expect(publishedPair().responder.writeSecond(NO_BYTES)).toBeUndefined();
  });
});
