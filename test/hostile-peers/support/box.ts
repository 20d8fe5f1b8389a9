import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";

/**
 * One secretbox that opens under two keys, to two different things: its authenticator is Poly1305, which commits to no
 * key. With both keys at hand the two tags are made equal by solving for one block.
 */

const NONCE = new Uint8Array(24);
const P = 2n ** 130n - 5n;
/** The bit that Poly1305 sets above each whole block, and the prime of its tags. */
const TOP = 2n ** 128n;
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

const mod = (value: bigint, by: bigint): bigint => ((value % by) + by) % by;

function read(bytes: Bytes): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString("hex")}`);
}

function block(value: bigint): Bytes {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(32, "0"), "hex")).reverse();
}

/** The tag that the box of this one block of ciphertext has. */
function tagOf(key: Bytes, stream: bigint, ciphertext: bigint): bigint {
  return read(nodePrimitives.secretboxSeal(key, NONCE, block(ciphertext ^ stream)).subarray(0, 16));
}

/** The one-time key of the authenticator, out of boxes of chosen content. */
function oneTimeKey(key: Bytes): { r: bigint; s: bigint } {
  const s = read(nodePrimitives.secretboxSeal(key, NONCE, new Uint8Array(0)));
  const stream = read(nodePrimitives.secretboxSeal(key, NONCE, new Uint8Array(16)).subarray(16));
  const step = tagOf(key, stream, 1n) - tagOf(key, stream, 0n);
  // Where the reduction by P has come in between, the step is larger by what that leaves over.
  const fits = (r: bigint): boolean => mod(mod(TOP * r, P) + s, TOP) === tagOf(key, stream, 0n);
  const r = [mod(step, TOP), mod(step - 5n, TOP)].find((one) => (one & CLAMP) === one && fits(one));
  if (r === undefined) throw new Error("no one-time key");
  return { r, s };
}

/** P is prime. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, mod(value, P)];
  for (let rest = P - 2n; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * base) % P;
    base = (base * base) % P;
  }
  return result;
}

/** A box that opens under either of two keys. */
export function boxForTwo(one: Bytes, other: Bytes): Bytes {
  const [a, b] = [oneTimeKey(one), oneTimeKey(other)];
  const divisor = inverse(a.r ** 2n - b.r ** 2n);
  for (let turn = 0; turn < 1_000; turn += 1) {
    const second = read(nodePrimitives.random(16)) + TOP;
    const first = mod((b.s - a.s - second * (a.r - b.r)) * divisor, P);
    if (first < TOP || first >= 2n * TOP) continue;
    const tag = mod(mod(first * a.r ** 2n + second * a.r, P) + a.s, TOP);
    const box = concat(block(tag), block(first - TOP), block(second - TOP));
    const opens = [one, other].every((key) => nodePrimitives.secretboxOpen(key, NONCE, box) !== undefined);
    if (opens) return box;
  }
  throw new Error("no box for two");
}
