import type { Bytes } from "./bytes.ts";

/** UTF-8 (RFC 3629). The encoders of platforms are no part of the language, so the core has its own. */

const REPLACEMENT = 0xfffd;
/** The smallest code point that takes so many bytes after the first one: a longer form of a smaller one is refused. */
const LEAST = [0, 0x80, 0x800, 0x10000];
/** Code units made into a string at once; every one is an argument of a call. */
const BLOCK_UNITS = 4096;

const isSurrogate = (point: number): boolean => point >> 11 === 0x1b;

/** Length in UTF-16 units of the ASCII at the front of a text: most texts end there. */
function asciiLength(text: string): number {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) < 0x80) at += 1;
  return at;
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let at = asciiLength(text); at < text.length; at += 1) {
    const point = text.codePointAt(at) ?? 0;
    bytes += point < 0x80 ? 0 : point < 0x800 ? 1 : 2;
    // The two units of a pair make four bytes, and are counted once each below.
    if (point > 0xffff) at += 1;
  }
  return text.length + bytes;
}

/** A lone surrogate becomes U+FFFD, as everywhere. */
export function encodeUtf8(text: string): Bytes {
  const bytes = new Uint8Array(utf8Length(text));
  let to = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) {
      bytes[to++] = unit;
      continue;
    }
    const whole = text.codePointAt(at) ?? 0;
    const point = isSurrogate(whole) ? REPLACEMENT : whole;
    const more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    if (more === 3) at += 1;
    bytes[to++] = (0xff << (7 - more)) | (point >> (6 * more));
    for (let left = more - 1; left >= 0; left -= 1) bytes[to++] = 0x80 | ((point >> (6 * left)) & 0x3f);
  }
  return bytes;
}

/** The code point of the longer form that begins here, and the bytes behind its first one; `undefined` for a malformed one. */
function decodeLong(bytes: Bytes, at: number): { point: number; more: number } | undefined {
  const lead = bytes[at] ?? 0;
  const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  if (lead < 0xc0 || lead > 0xf4 || at + more >= bytes.length) return undefined;
  let point = lead & (0x3f >> more);
  for (let left = 1; left <= more; left += 1) {
    const next = bytes[at + left] ?? 0;
    if (next >> 6 !== 2) return undefined;
    point = (point << 6) | (next & 0x3f);
  }
  const isWell = point >= (LEAST[more] ?? 0) && point <= 0x10ffff && !isSurrogate(point);
  return isWell ? { point, more } : undefined;
}

/** `undefined` for anything that is not well-formed: overlong, cut short, a surrogate, or beyond U+10FFFF. */
export function decodeUtf8(bytes: Bytes): string | undefined;
/** @param malformed the UTF-16 unit in the place of a byte that is no part of a well-formed text */
export function decodeUtf8(bytes: Bytes, malformed: (byte: number) => number): string;
export function decodeUtf8(bytes: Bytes, malformed?: (byte: number) => number): string | undefined {
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) {
      units[count++] = byte;
      continue;
    }
    const long = decodeLong(bytes, at);
    if (long === undefined) {
      if (malformed === undefined) return undefined;
      units[count++] = malformed(byte);
      continue;
    }
    const { point, more } = long;
    at += more;
    if (more === 3) units[count++] = 0xd7c0 + (point >> 10);
    units[count++] = more === 3 ? 0xdc00 | (point & 0x3ff) : point;
  }
  let text = "";
  for (let at = 0; at < count; at += BLOCK_UNITS) {
    const block = units.subarray(at, Math.min(count, at + BLOCK_UNITS));
    text += Reflect.apply(String.fromCharCode, undefined, block);
  }
  return text;
}
