import { concat, equalBytes, u32be, view, type Bytes } from "../../src/protocol/base/bytes.ts";
import type { DhKeyPair, Primitives, SigningKeyPair } from "../../src/protocol/base/primitives.ts";

/*
 * Stand-ins that keep what delivery rests on and cost next to nothing. Both ends of an agreement get the same secret;
 * another key or a changed bit opens nothing and verifies nothing. Nobody in a simulation computes what only the holder of
 * a key could: its hostile parties turn, drop, repeat and reorder bytes. So secrecy and forgery, which these do not have,
 * are nothing a simulation could tell; vectors, the adversaries' tests and the seeds with real primitives do.
 */

const TAG_BYTES = 16;
const HASH_BYTES = 32;
/** The largest prime below 2^26: products of two residues stay exact in a double. */
const PRIME = 67_108_859;
const GENERATOR = 2;

function power(base: number, exponent: number): number {
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

/** Bytes that every bit of the parts, its place and the borders between them decide; no more than that. */
function mixed(length: number, ...parts: readonly Bytes[]): Bytes {
  let a = 0x243f6a88;
  let b = 0x85a308d3;
  for (const part of parts) {
    const whole = part.length & ~3;
    // A DataView of every part would cost more than the work itself.
    for (let at = 0; at < whole; at += 4) {
      const low = (part[at] ?? 0) | ((part[at + 1] ?? 0) << 8);
      const high = (part[at + 2] ?? 0) | ((part[at + 3] ?? 0) << 8);
      a = Math.imul(a ^ (low | (high << 16)), 0x9e3779b1);
      a ^= a >>> 15;
      b = (Math.imul(b, 0x85ebca6b) + a) | 0;
    }
    let rest = part.length;
    for (let at = whole; at < part.length; at += 1) rest = Math.imul(rest, 257) + (part[at] ?? 0);
    a = Math.imul(a ^ rest, 0x9e3779b1);
    a ^= a >>> 15;
    b = (Math.imul(b, 0x85ebca6b) + a) | 0;
  }
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) {
    a = Math.imul(a ^ b, 0x9e3779b1) + at;
    a ^= a >>> 15;
    b = (Math.imul(b, 0x85ebca6b) + a) | 0;
    out[at] = b >>> 11;
  }
  return out;
}

/** As fast as it gets: four bytes a step (xorshift). */
function fastRandom(seed: number): (length: number) => Bytes {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x2545f491) >>> 0 || 1;
  return (length) => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 1) {
      if (at % 4 === 0) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
      }
      out[at] = state >>> (8 * (at % 4));
    }
    return out;
  };
}

function signature(publicKey: Bytes, message: Bytes): Bytes {
  return mixed(64, publicKey, message);
}

function dhKeyPair(secret: number): DhKeyPair {
  return {
    publicKey: concat(u32be(power(GENERATOR, secret)), new Uint8Array(HASH_BYTES - 4)),
    exportSecret: () => concat(u32be(secret), new Uint8Array(HASH_BYTES - 4)),
    agree: (peer) => {
      const shared = power(view(peer).getUint32(0) % PRIME, secret);
      return shared === 0 ? undefined : mixed(HASH_BYTES, u32be(shared));
    },
  };
}

/** Anybody could sign: nobody in a simulation does so for another. */
function signingKeyPair(publicKey: Bytes): SigningKeyPair {
  return { publicKey, exportSecret: () => publicKey, sign: (message) => signature(publicKey, message) };
}

/** Everything a room needs, decided by a seed, and made of as little as possible. */
export function cheapPrimitives(seed: number): Primitives {
  const random = fastRandom(seed);
  const open = (text: Bytes, tag: Bytes, expected: Bytes): Bytes | undefined =>
    equalBytes(expected, tag) ? text : undefined;
  return {
    random,
    sha256: (data) => mixed(HASH_BYTES, data),
    hmacSha256: (key, data) => mixed(HASH_BYTES, key, data),
    hkdfSha256: (inputKey, salt, info, length) => mixed(length, salt, inputKey, info),
    generateDhKeyPair: () => dhKeyPair(1 + (view(random(4)).getUint32(0) % (PRIME - 2))),
    generateSigningKeyPair: () => signingKeyPair(random(HASH_BYTES)),
    importDhKeyPair: (secret) => dhKeyPair(view(secret).getUint32(0)),
    importSigningKeyPair: signingKeyPair,
    verifySignature: (publicKey, message, sig) => equalBytes(signature(publicKey, message), sig),
    chachaSeal: (key, nonce, text, associated) =>
      concat(text, mixed(TAG_BYTES, key, nonce, associated, text)),
    chachaSealInto: (out, key, nonce, plaintext, associated) => {
      const text = concat(...plaintext);
      out.set(concat(text, mixed(TAG_BYTES, key, nonce, associated, text)));
    },
    chachaOpen: (key, nonce, sealed, associated) => {
      if (sealed.length < TAG_BYTES) return undefined;
      const text = sealed.subarray(0, -TAG_BYTES);
      return open(text, sealed.subarray(-TAG_BYTES), mixed(TAG_BYTES, key, nonce, associated, text));
    },
    secretboxSeal: (key, nonce, text) => concat(mixed(TAG_BYTES, key, nonce, text), text),
    secretboxOpen: (key, nonce, sealed) => {
      if (sealed.length < TAG_BYTES) return undefined;
      const text = sealed.subarray(TAG_BYTES);
      return open(text, sealed.subarray(0, TAG_BYTES), mixed(TAG_BYTES, key, nonce, text));
    },
  };
}
