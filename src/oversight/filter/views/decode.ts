import { Buffer } from "node:buffer";
import { ViewBuilder, type View } from "./view.ts";

/** The kinds of letters that encoded text is made of, as bits; 0 for a byte that ends it. */
const UPPER = 1;
const LOWER = 2;
const OTHER = 4;
const BEYOND_HEX = 8;
const KIND = new Uint8Array(256);
/** The six bits of a letter of base64, in both alphabets. */
const SIX_BITS = new Uint8Array(256);

const ALPHABETS = ["+/", "-_"].map(
  (last) => `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${last}`,
);
for (const alphabet of ALPHABETS)
  for (const [index, letter] of Array.from(alphabet).entries()) {
    const code = letter.charCodeAt(0);
    SIX_BITS[code] = index;
    const base = /[A-Z]/.test(letter) ? UPPER : /[a-z]/.test(letter) ? LOWER : OTHER;
    KIND[code] = base | (/[0-9a-f]/i.test(letter) ? 0 : BEYOND_HEX);
  }

/** The shortest secret of the table has twenty bytes. */
const LEAST_BASE64 = 26;
const LEAST_HEX = 40;
const NEWLINE = 0x0a;

/**
 * What stands encoded in the content, one piece a line. Base64 is read from each of the four letters at which it may begin,
 * since whatever stands right before it may look like a part of it; hex from both. Undefined where nothing does.
 */
export function decoded(source: View): View | undefined {
  const { bytes } = source;
  const builder = new ViewBuilder("encoded", source);
  const length = bytes.length;
  for (let at = 0; at < length; at += 1) {
    let kind = KIND[bytes[at] ?? 0] ?? 0;
    if (kind === 0) continue;
    const start = at;
    let kinds = 0;
    for (; kind !== 0 && at < length; kind = KIND[bytes[at] ?? 0] ?? 0) {
      kinds |= kind;
      at += 1;
    }
    if (at - start >= LEAST_BASE64) readRun(builder, bytes, { from: start, to: at, kinds });
  }
  return builder.length === 0 ? undefined : { ...builder.build(), isChanged: () => true };
}

/** One run of letters of base64, with the kinds of letters in it. */
function readRun(
  builder: ViewBuilder,
  bytes: Uint8Array,
  { from, to, kinds }: { readonly from: number; readonly to: number; readonly kinds: number },
): void {
  if ((kinds & BEYOND_HEX) === 0 && to - from >= LEAST_HEX)
    for (const shift of [0, 1]) put(builder, from + shift, 2, hexOf(bytes, from + shift, to));
  // Words and paths have no capitals, and constants nothing else; that much base64 has both.
  if ((kinds & UPPER) !== 0 && (kinds & LOWER) !== 0)
    for (const shift of [0, 1, 2, 3]) put(builder, from + shift, 4 / 3, base64Of(bytes, from + shift, to));
}

function put(builder: ViewBuilder, origin: number, scale: number, bytes: Uint8Array): void {
  builder.from(origin, scale);
  builder.append(bytes);
  builder.put(NEWLINE);
}

/** Used again for each piece: most are short, and there are many. */
let scratch = Buffer.allocUnsafe(4096);

function scratchOf(length: number): Buffer {
  if (scratch.length < length) scratch = Buffer.allocUnsafe(length);
  return scratch;
}

/** Without zeros, so that UTF-16 in it reads as ASCII. */
function base64Of(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const out = scratchOf(to - from);
  let length = 0;
  let bits = 0;
  let held = 0;
  for (let at = from; at < to; at += 1) {
    bits = ((bits << 6) | (SIX_BITS[bytes[at] ?? 0] ?? 0)) & 0x3fff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    const byte = (bits >>> held) & 0xff;
    out[length] = byte;
    if (byte !== 0) length += 1;
  }
  return out.subarray(0, length);
}

function hexOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const out = scratchOf(to - from);
  let length = 0;
  for (let at = from; at + 1 < to; at += 2) {
    const byte = (nibble(bytes[at] ?? 0) << 4) | nibble(bytes[at + 1] ?? 0);
    out[length] = byte;
    if (byte !== 0) length += 1;
  }
  return out.subarray(0, length);
}

function nibble(code: number): number {
  return code <= 0x39 ? code - 0x30 : (code & 0x0f) + 9;
}
