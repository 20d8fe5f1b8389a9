import { fromBase64url, toHex, type Bytes } from "./bytes.ts";

/** Public keys as they are read from a peer, a link or a document: the one place where they are judged (K10, K11). */

const KEY_BYTES = 32;
const SIGN_BIT = 0x80;

const ZERO = "00".repeat(KEY_BYTES);
const ONE = `01${"00".repeat(KEY_BYTES - 1)}`;
/** p − 1 of p = 2^255 − 19, little-endian as all of these. */
const MINUS_ONE = `ec${"ff".repeat(KEY_BYTES - 2)}7f`;

/** Every `y` of a point of order 1, 2, 4 or 8 on the curve of Ed25519. */
const SMALL_ORDER_Y: ReadonlySet<string> = new Set([
  ZERO,
  ONE,
  MINUS_ONE,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);

/** Every `u` with which X25519 gives zeros, whatever the private key. */
const LOW_ORDER_U: ReadonlySet<string> = new Set([
  ZERO,
  ONE,
  MINUS_ONE,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
]);

/** Below p: any other number is the second encoding of one that is. */
function isReduced(bytes: Bytes): boolean {
  const [first = 0] = bytes;
  const last = bytes[KEY_BYTES - 1] ?? 0;
  if (last !== 0x7f) return last < 0x7f;
  return first < 0xed || bytes.subarray(1, KEY_BYTES - 1).some((byte) => byte !== 0xff);
}

/** An Ed25519 public key (K10), 32 bytes as base64url; `undefined` for one that is refused. */
export function parseSigningKey(text: string): Bytes | undefined {
  const key = fromBase64url(text, KEY_BYTES);
  if (key === undefined) return undefined;
  const y = key.slice();
  y[KEY_BYTES - 1] = (y[KEY_BYTES - 1] ?? 0) & ~SIGN_BIT;
  return isReduced(y) && !SMALL_ORDER_Y.has(toHex(y)) ? key : undefined;
}

/** An X25519 public key (K11), 32 bytes as base64url; `undefined` for one that is refused. */
export function parseBoxKey(text: string): Bytes | undefined {
  const key = fromBase64url(text, KEY_BYTES);
  return key !== undefined && isReduced(key) && !LOW_ORDER_U.has(toHex(key)) ? key : undefined;
}
