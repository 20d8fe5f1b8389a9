import { createHash } from "node:crypto";
import { concat, toHex, type Bytes } from "../../src/protocol/base/bytes.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";
import {
  add,
  BASE,
  challenge,
  decodePoint,
  encodePoint,
  L,
  multiply,
  readNumber,
  writeNumber,
  type Point,
} from "../independent/ed25519.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { seededPrimitives } from "./random.ts";

/** Signatures and keys that libraries for Ed25519 judge differently, and what K10 says of each. */

export interface SignatureScenario {
  readonly name: string;
  readonly expect: "ok" | "signature";
  readonly key: string;
  readonly message: string;
  readonly signature: string;
}

const P = 2n ** 255n - 19n;
const SIGN = 1n << 255n;
const IDENTITY = writeNumber(1n);

/** RFC 8032 §5.1.5: the scalar behind a seed. */
function scalarOf(seed: Bytes): bigint {
  const half = new Uint8Array(createHash("sha512").update(seed).digest().subarray(0, 32));
  half[0] = (half[0] ?? 0) & 248;
  half[31] = ((half[31] ?? 0) & 127) | 64;
  return readNumber(half);
}

/** The first message of "0", "1", … of which this is true. */
function messageWith(isRight: (message: Bytes) => boolean): Bytes {
  for (let count = 0; ; count += 1) {
    const message = encodeUtf8(String(count));
    if (isRight(message)) return message;
  }
}

function pointOf(bytes: Bytes): Point {
  const point = decodePoint(bytes);
  if (point === undefined) throw new Error("no point");
  return point;
}

/** A point of order 8: what is left of some point when the large group is taken out of it. */
function torsion(): Point {
  for (let y = 2n; ; y += 1n) {
    const point = decodePoint(writeNumber(y));
    const rest = point === undefined ? undefined : multiply(L, point);
    if (rest !== undefined && !isIdentity(multiply(4n, rest))) return rest;
  }
}

const isIdentity = (point: Point): boolean => toHex(encodePoint(point)) === toHex(IDENTITY);

export function signatureScenarios(): SignatureScenario[] {
  const primitives = seededPrimitives("vectors: signature");
  const seed = primitives.random(32);
  const keys = nodePrimitives.importSigningKeyPair(seed);
  const { publicKey: key } = keys;
  const message = encodeUtf8("a message");
  const signature = keys.sign(message);
  const [r, s] = [signature.slice(0, 32), readNumber(signature.slice(32))];
  const secret = scalarOf(seed);
  const eighth = torsion();

  const mixed = encodePoint(add(pointOf(key), eighth));
  /** With the nonce 1: right but for what the key has beside its part in the large group. */
  const underMixed = (text: Bytes): Bytes => {
    const first = encodePoint(BASE);
    return concat(first, writeNumber((1n + challenge(first, mixed, text) * secret) % L));
  };
  const isWhole = (text: Bytes): boolean => challenge(encodePoint(BASE), mixed, text) % 8n === 0n;
  const [fits, misses] = [messageWith(isWhole), messageWith((text) => !isWhole(text))];

  /** The neutral point for R and nothing for S, which a weak key makes right for one message in 1, 2, 4 or 8. */
  const nothing = concat(IDENTITY, new Uint8Array(32));
  const free = (weak: Bytes, order: bigint): [Bytes, Bytes, Bytes] => [
    weak,
    messageWith((text) => challenge(IDENTITY, weak, text) % order === 0n),
    nothing,
  ];
  const small = (order: bigint): Bytes => encodePoint(multiply(8n / order, eighth));
  const signed = (bytes: Bytes): Bytes => writeNumber(readNumber(bytes) ^ SIGN);

  const secondR = writeNumber(P + 1n);
  const underSecondR = concat(secondR, writeNumber((challenge(secondR, key, message) * secret) % L));

  const ok: [string, Bytes, Bytes, Bytes][] = [
    ["a signature", key, message, signature],
    ["a signature of nothing", key, new Uint8Array(0), keys.sign(new Uint8Array(0))],
    ["a key of mixed order, where the equation holds without the cofactor", mixed, fits, underMixed(fits)],
  ];
  const bad: [string, Bytes, Bytes, Bytes][] = [
    ["another message", key, encodeUtf8("another one"), signature],
    ["another key", nodePrimitives.importSigningKeyPair(primitives.random(32)).publicKey, message, signature],
    ["an S that is L higher", key, message, concat(r, writeNumber(s + L))],
    ["an R that has a second encoding", key, message, underSecondR],
    ["a key of mixed order, where the equation needs the cofactor", mixed, misses, underMixed(misses)],
    ["a key that is the neutral point", ...free(small(1n), 1n)],
    ["a key that is the neutral point with a sign", ...free(signed(small(1n)), 1n)],
    ["a key that is the neutral point in a second encoding", ...free(writeNumber(P + 1n), 1n)],
    ["a key of order 2", ...free(small(2n), 2n)],
    ["a key of order 4", ...free(small(4n), 4n)],
    ["a key of order 4 with the other sign", ...free(signed(small(4n)), 4n)],
    ["a key of order 4 in a second encoding", ...free(writeNumber(P), 4n)],
    ["a key of order 8", ...free(small(8n), 8n)],
    ["a key of order 8 with the other sign", ...free(signed(small(8n)), 8n)],
    ["another key of order 8", ...free(encodePoint(multiply(3n, eighth)), 8n)],
    ["a key that is no point", writeNumber(2n), message, signature],
  ];
  const scenario =
    (expect: SignatureScenario["expect"]) =>
    ([name, one, text, sig]: (typeof ok)[number]): SignatureScenario => {
      return { name, expect, key: toHex(one), message: toHex(text), signature: toHex(sig) };
    };
  return [...ok.map(scenario("ok")), ...bad.map(scenario("signature"))];
}
