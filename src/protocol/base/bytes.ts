/** Bytes and the few encodings the protocol uses, without a platform. All functions are total or throw RangeError. */

export type Bytes = Uint8Array;

export function concat(...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function u32be(value: number): Bytes {
  const out = new Uint8Array(4);
  setU32be(out, 0, value);
  return out;
}

/** Byte by byte: a DataView makes the engine move a small array out of its heap, which costs more than all the rest. */
function setU32be(out: Bytes, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

const HALF = 2 ** 32;

/** 64-bit big-endian of a non-negative safe integer. */
export function u64be(value: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError("u64be needs a non-negative safe integer");
  const out = new Uint8Array(8);
  // Two halves, since a BigInt costs more than all the rest of a small record's header.
  setU32be(out, 0, Math.floor(value / HALF));
  setU32be(out, 4, value % HALF);
  return out;
}

/** The inverse of {@link u64be}; `undefined` when the value is no safe integer. */
export function readU64be(bytes: Bytes, at: number): number | undefined {
  if (at + 8 > bytes.length) return undefined;
  const halves = view(bytes);
  const value = halves.getUint32(at) * HALF + halves.getUint32(at + 4);
  return Number.isSafeInteger(value) ? value : undefined;
}

export function view(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Length-prefixed concatenation: every field preceded by its u32be length, so that no two lists collide (K1). */
export function lengthPrefixed(...fields: readonly Bytes[]): Bytes {
  let length = 0;
  for (const field of fields) length += 4 + field.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const field of fields) {
    setU32be(whole, at, field.length);
    whole.set(field, at + 4);
    at += 4 + field.length;
  }
  return whole;
}

/** Equality in time that depends on the length alone. */
export function equalBytes(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Best-effort erasure: JavaScript may have copied the bytes before. */
export function wipe(...secrets: readonly (Bytes | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** The value of each ASCII character; -1 for those that are not in the alphabet. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** RFC 4648 §5, without padding. */
export function toBase64url(bytes: Bytes): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += ALPHABET.charAt((held >> bits) & 63);
      held &= (1 << bits) - 1;
    }
  }
  return bits === 0 ? text : text + ALPHABET.charAt((held << (6 - bits)) & 63);
}

/** Strict: no padding, no other letters, no non-zero trailing bits; `undefined` otherwise (one text per value). */
export function fromBase64url(text: string, length: number): Bytes | undefined {
  if (text.length !== Math.ceil((length * 8) / 6)) return undefined;
  const out = new Uint8Array(length);
  let at = 0;
  let bits = 0;
  let held = 0;
  for (let index = 0; index < text.length; index += 1) {
    const value = VALUES[text.charCodeAt(index)] ?? -1;
    if (value < 0) return undefined;
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at] = held >> bits;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 && at === length ? out : undefined;
}

export function toHex(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes of a label that is known to be ASCII; UTF-8 proper is a primitive, since the platform does it well. */
export function ascii(label: string): Bytes {
  const bytes = new Uint8Array(label.length);
  for (let at = 0; at < label.length; at += 1) bytes[at] = label.charCodeAt(at);
  return bytes;
}
