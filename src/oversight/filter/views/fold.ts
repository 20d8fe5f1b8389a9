import { isAscii } from "node:buffer";
import { OTHER_BYTE, ViewBuilder, type View } from "./view.ts";

/**
 * Letters that a reader takes for one of ASCII, beyond those that Unicode itself folds to it (widths, styles, accents). A
 * person or a model reads the secret out of them, so the filter does.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  A: "\u0391\u0410\u13aa",
  B: "\u0392\u0412\u13f4",
  C: "\u03f9\u0421\u13df",
  D: "\u13a0",
  E: "\u0395\u0415\u13ac",
  F: "\u03dc",
  G: "\u050c\u13c0",
  H: "\u0397\u041d\u13bb",
  I: "\u0399\u0406\u04c0",
  J: "\u037f\u0408\u13ab",
  K: "\u039a\u041a\u13e6",
  L: "\u13de",
  M: "\u039c\u041c\u13b7",
  N: "\u039d",
  O: "\u039f\u041e\u0555",
  P: "\u03a1\u0420\u13e2",
  Q: "\u051a",
  R: "\u13a1",
  S: "\u0405\u13da\u054f",
  T: "\u03a4\u0422\u13a2",
  U: "\u054d",
  V: "\u13d9",
  W: "\u051c\u13b3",
  X: "\u03a7\u0425",
  Y: "\u03a5\u04ae",
  Z: "\u0396\u13c3",
  a: "\u03b1\u0430\u0251",
  b: "\u042c\u044c",
  c: "\u03f2\u0441",
  d: "\u0501\u0257",
  e: "\u0435\u212e",
  g: "\u0261\u0581",
  h: "\u04bb\u0570",
  i: "\u03b9\u0456\u0131",
  j: "\u03f3\u0458",
  k: "\u03ba\u043a",
  l: "\u04cf\u01c0",
  n: "\u0578\u057c",
  o: "\u03bf\u043e\u0585",
  p: "\u03c1\u0440",
  q: "\u051b\u0566",
  r: "\u0433",
  s: "\u0455",
  u: "\u03c5\u057d",
  v: "\u03bd\u0475",
  w: "\u051d\u0461",
  x: "\u03c7\u0445",
  y: "\u0443\u04af",
  z: "\u1d22",
  "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad",
  "/": "\u2044\u2215\u29f8",
  ":": "\u0589\u2236\ua789",
  ".": "\u2024\u00b7",
};

const ASCII_OF = new Map(
  Object.entries(LOOK_ALIKES).flatMap(([ascii, others]) => Array.from(others, (other) => [other, ascii])),
);

/** Characters that nobody sees, accents that stand on their own, and what changes the look of the one before. */
const UNSEEN = /[\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/gu;

const known = new Map<number, string>();
/** Characters that are remembered; a text of one language has fewer. */
const MAX_KNOWN = 20_000;

/** The ASCII that a character stands for; empty where nobody sees it, undefined where it is a letter of its own. */
function foldedPoint(point: number): string {
  const before = known.get(point);
  if (before !== undefined) return before;
  const character = String.fromCodePoint(point);
  // A soft hyphen is both: unseen, and a hyphen where a line breaks. Unseen is how it hides something.
  const seen = character.normalize("NFKD").replace(UNSEEN, "");
  const folded = Array.from(seen, (one) => (one <= "\u007f" ? one : (ASCII_OF.get(one) ?? ""))).join("");
  const result = folded === "" && seen !== "" ? OTHER : folded;
  if (known.size < MAX_KNOWN) known.set(point, result);
  return result;
}

const OTHER = String.fromCharCode(OTHER_BYTE);

/** The content with look-alikes read as ASCII and without what nobody sees; undefined where it is ASCII already. */
export function folded(source: View): View | undefined {
  const { bytes } = source;
  if (isAscii(bytes)) return undefined;
  const builder = new ViewBuilder("look-alikes", source);
  let copied = 0;
  let at = 0;
  while (at < bytes.length) {
    if ((bytes[at] ?? 0) < 0x80) {
      at += 1;
      continue;
    }
    builder.copy(copied, at);
    const [point, length] = pointAt(bytes, at);
    const folded = point === undefined ? OTHER : foldedPoint(point);
    if (folded !== OTHER || length > 1) builder.from(at);
    for (let index = 0; index < folded.length; index += 1) builder.put(folded.charCodeAt(index));
    at += length;
    copied = at;
    if (folded !== OTHER || length > 1) builder.from(at);
  }
  builder.copy(copied, at);
  return builder.build();
}

/** The character of UTF-8 at this place, undefined for a byte that belongs to none, and how many bytes it takes. */
function pointAt(bytes: Uint8Array, at: number): [point: number | undefined, length: number] {
  const first = bytes[at] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return [undefined, 1];
  let point = first & (0x7f >> length);
  for (let index = 1; index < length; index += 1) {
    const next = bytes[at + index] ?? 0;
    if ((next & 0xc0) !== 0x80) return [undefined, 1];
    point = (point << 6) | (next & 0x3f);
  }
  return point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ? [undefined, 1] : [point, length];
}
