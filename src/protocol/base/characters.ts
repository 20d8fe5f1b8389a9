/**
 * The characters that one side refuses of another, and white space, as ranges that are part of the protocol (T1, T2, T5).
 * A platform's own tables grow with every version of Unicode: two sides that asked theirs would see one text differently.
 */

export type Range = readonly [first: number, last: number];

/**
 * Not in a label (T1) but where labels.ts lets one in: the Unicode categories Cc, Cf, Cs, Co, Zl and Zp and the default-ignorable code points, of Unicode 17.0
 * (DerivedGeneralCategory.txt, DerivedCoreProperties.txt), and U+2800.
 */
export const NOT_IN_LABELS: readonly Range[] = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0x00ad, 0x00ad],
  [0x034f, 0x034f],
  [0x0600, 0x0605],
  [0x061c, 0x061c],
  [0x06dd, 0x06dd],
  [0x070f, 0x070f],
  [0x0890, 0x0891],
  [0x08e2, 0x08e2],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x2800, 0x2800],
  [0x3164, 0x3164],
  [0xd800, 0xf8ff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x110bd, 0x110bd],
  [0x110cd, 0x110cd],
  [0x13430, 0x1343f],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
  [0xf0000, 0xffffd],
  [0x100000, 0x10fffd],
];

/** Not in a text (T2): controls other than tab and newline, and lone surrogates. */
export const NOT_IN_TEXTS: readonly Range[] = [
  [0x0000, 0x0008],
  [0x000b, 0x001f],
  [0x007f, 0x009f],
  [0xd800, 0xdfff],
];

/** White space (T2): what ECMA-262 calls white space and line terminators, with category Zs of Unicode 17.0. */
export const WHITE_SPACE: readonly Range[] = [
  [0x0009, 0x000d],
  [0x0020, 0x0020],
  [0x00a0, 0x00a0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

/** The inside of a character class of a regular expression with the flag `u`. */
function classOf(ranges: readonly Range[]): string {
  const escaped = (point: number): string => `\\u{${point.toString(16)}}`;
  return ranges.map(([first, last]) => `${escaped(first)}-${escaped(last)}`).join("");
}

/** Each finds the first character of its kind. None has a flag that keeps a position. */
export const FORBIDDEN_IN_LABELS = new RegExp(`[${classOf(NOT_IN_LABELS)}]`, "u");
export const FORBIDDEN_IN_TEXTS = new RegExp(`[${classOf(NOT_IN_TEXTS)}]`, "u");
const NOT_SPACE = new RegExp(`[^${classOf(WHITE_SPACE)}]`, "u");

/** Whether there is nothing but white space. */
export function isBlank(text: string): boolean {
  return !NOT_SPACE.test(text);
}

/** White space is one UTF-16 unit long, so units are looked at: an expression would try every run of blanks from each of them. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

export function trim(text: string): string {
  let start = 0;
  while (start < text.length && isBlank(text.charAt(start))) start += 1;
  return trimEnd(text.slice(start));
}
