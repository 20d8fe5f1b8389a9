/**
 * K10 and K11 of docs/PROTOCOL.md from the equations themselves: Ed25519 over BigInt, slow, and in nothing dependent on what a
 * library takes for a signature.
 */
import { createHash } from "node:crypto";
import { concat, fromHex, isEqual, type Bytes } from "./bytes.ts";
import { x25519 } from "./primitives.ts";

const P = 2n ** 255n - 19n;
/** The order of the group that the base point makes. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const SIGN = 1n << 255n;

const mod = (value: bigint, by = P): bigint => ((value % by) + by) % by;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = mod(base), rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

const inverse = (value: bigint): bigint => power(value, P - 2n);

const D = mod(-121665n * inverse(121666n));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);

// --- numbers and points as bytes ---

export const readNumber = (bytes: Bytes): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
export const writeNumber = (value: bigint): Bytes =>
  Uint8Array.from({ length: 32 }, (_, at) => Number((value >> BigInt(8 * at)) & 255n));

/** A point as RFC 8032 §5.1.4 has it: x = X/Z, y = Y/Z, xy = T/Z. */
export interface Point {
  readonly X: bigint;
  readonly Y: bigint;
  readonly Z: bigint;
  readonly T: bigint;
}

const affine = (x: bigint, y: bigint): Point => ({ X: x, Y: y, Z: 1n, T: mod(x * y) });
const IDENTITY = affine(0n, 1n);

/** RFC 8032 §5.1.3; undefined for what is no point, and for a second encoding of one. */
export function decodePoint(bytes: Bytes): Point | undefined {
  const number = readNumber(bytes);
  const y = number & (SIGN - 1n);
  if (y >= P) return undefined;
  const [top, bottom] = [mod(y * y - 1n), mod(D * y * y + 1n)];
  const square = mod(top * inverse(bottom));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x) !== square) x = mod(x * ROOT_OF_MINUS_ONE);
  if (mod(x * x) !== square) return undefined;
  const isOdd = number >= SIGN;
  if (x === 0n && isOdd) return undefined;
  return affine(((x & 1n) === 1n) === isOdd ? x : P - x, y);
}

export function encodePoint({ X, Y, Z }: Point): Bytes {
  const [x, y] = [mod(X * inverse(Z)), mod(Y * inverse(Z))];
  return writeNumber(y | ((x & 1n) === 1n ? SIGN : 0n));
}

export function add(p: Point, q: Point): Point {
  const a = mod((p.Y - p.X) * (q.Y - q.X));
  const b = mod((p.Y + p.X) * (q.Y + q.X));
  const c = mod(2n * D * p.T * q.T);
  const d = mod(2n * p.Z * q.Z);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { X: mod(e * f), Y: mod(g * h), Z: mod(f * g), T: mod(e * h) };
}

export function multiply(times: bigint, point: Point): Point {
  let result = IDENTITY;
  for (let doubled = point, rest = times; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = add(result, doubled);
    doubled = add(doubled, doubled);
  }
  return result;
}

const negative = ({ X, Y, Z, T }: Point): Point => ({ X: mod(-X), Y, Z, T: mod(-T) });
const isSame = (p: Point, q: Point): boolean =>
  mod(p.X * q.Z - q.X * p.Z) === 0n && mod(p.Y * q.Z - q.Y * p.Z) === 0n;

function basePoint(): Point {
  const point = decodePoint(writeNumber(mod(4n * inverse(5n))));
  if (point === undefined) throw new Error("no base point");
  return point;
}
export const BASE = basePoint();

// --- the rules ---

/** The hash `k` of R, A and the message, below L. */
export const challenge = (r: Bytes, key: Bytes, message: Bytes): bigint =>
  mod(
    readNumber(
      createHash("sha512")
        .update(concat(r, key, message))
        .digest(),
    ),
    L,
  );

/** Whether a signing key is one that K10 refuses where it is read. What is no point at all has no signatures. */
export function isWeakSigningKey(key: Bytes): boolean {
  const y = readNumber(key) & (SIGN - 1n);
  // Of a small order with either sign bit, or with one that such a point cannot have.
  const point = decodePoint(writeNumber(y)) ?? decodePoint(writeNumber(y | SIGN));
  return y >= P || (point !== undefined && isSame(multiply(8n, point), IDENTITY));
}

/** A signature as K10 wants it. */
export function isSignedBy(key: Bytes, message: Bytes, signature: Bytes): boolean {
  const [r, s] = [signature.subarray(0, 32), readNumber(signature.subarray(32))];
  const a = decodePoint(key);
  if (signature.length !== 64 || s >= L || a === undefined || isWeakSigningKey(key)) return false;
  const sum = add(multiply(s, BASE), negative(multiply(challenge(r, key, message), a)));
  return isEqual(encodePoint(sum), r);
}

const ANY_SECRET = fromHex("77".repeat(32));

/** Whether a box key is one that K11 refuses where it is read. */
export const isWeakBoxKey = (key: Bytes): boolean =>
  readNumber(key) >= P || x25519(ANY_SECRET, key) === undefined;
