import { FORBIDDEN_IN_LABELS, NOT_IN_LABELS, type Range } from "./characters.ts";

/**
 * Labels (T1): names, goals, file names, branches. Characters that hide do so between others; the same ones colour an emoji, join a
 * family, or are spelling in Persian, Hindi or Sinhala. Each is let in where it does its work. The places are part of the protocol,
 * as literal ranges (T5).
 */

/** Signs that can be emoji, their skin tones and the letters of flags among them. */
export const EMOJI_SIGNS: readonly Range[] = [
  [0xa9, 0xa9],
  [0xae, 0xae],
  [0x203c, 0x203c],
  [0x2049, 0x2049],
  [0x2100, 0x214f],
  [0x2190, 0x21ff],
  [0x2300, 0x23ff],
  [0x24c2, 0x24c2],
  [0x25a0, 0x27bf],
  [0x2900, 0x297f],
  [0x2b00, 0x2bff],
  [0x3030, 0x3030],
  [0x303d, 0x303d],
  [0x3297, 0x3297],
  [0x3299, 0x3299],
  [0x1f000, 0x1faff],
];

/** Letters and marks of scripts in which a joiner or non-joiner between two is spelling: Arabic and its kin, India and beyond. */
export const JOINED_LETTERS: readonly Range[] = [
  [0x620, 0x65f],
  [0x66e, 0x6d3],
  [0x6d5, 0x6dc],
  [0x6df, 0x6e8],
  [0x6ea, 0x6ef],
  [0x6fa, 0x6fc],
  [0x6ff, 0x6ff],
  [0x710, 0x74a],
  [0x74d, 0x77f],
  [0x7ca, 0x7f5],
  [0x840, 0x85b],
  [0x860, 0x86a],
  [0x870, 0x887],
  [0x889, 0x88f],
  [0x897, 0x8e1],
  [0x8e3, 0x963],
  [0x971, 0x9e3],
  [0x9f0, 0x9f1],
  [0xa01, 0xa5e],
  [0xa70, 0xae3],
  [0xaf9, 0xb63],
  [0xb71, 0xb71],
  [0xb82, 0xbd7],
  [0xc00, 0xc63],
  [0xc80, 0xce3],
  [0xcf1, 0xcf3],
  [0xd00, 0xd57],
  [0xd5f, 0xd63],
  [0xd7a, 0xddf],
  [0xdf2, 0xdf3],
  [0xf40, 0xfbc],
  [0x1000, 0x103f],
  [0x1050, 0x108f],
  [0x1780, 0x17b3],
  [0x17b6, 0x17d3],
  [0x1820, 0x18aa],
  [0xa840, 0xa873],
  [0xa880, 0xa8c5],
  [0xa980, 0xa9c0],
  [0xabc0, 0xabed],
  [0x11000, 0x11046],
  [0x11080, 0x110ba],
  [0x11100, 0x11134],
  [0x11180, 0x111c4],
  [0x1e900, 0x1e94b],
];

/** Signs of India that take a letter its vowel: a joiner behind one shapes the letter, also at the end of a word. */
export const VIRAMAS: readonly Range[] = [
  [0x94d, 0x94d],
  [0x9cd, 0x9cd],
  [0xa4d, 0xa4d],
  [0xacd, 0xacd],
  [0xb4d, 0xb4d],
  [0xbcd, 0xbcd],
  [0xc4d, 0xc4d],
  [0xccd, 0xccd],
  [0xd3b, 0xd3c],
  [0xd4d, 0xd4d],
  [0xdca, 0xdca],
];

export const IDEOGRAPHS: readonly Range[] = [
  [0x3005, 0x3007],
  [0x3400, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x3fffd],
];
export const MYANMAR_LETTERS: readonly Range[] = [
  [0x1000, 0x109f],
  [0xaa60, 0xaa7f],
];
export const MONGOLIAN_LETTERS: readonly Range[] = [[0x1820, 0x18aa]];

const KEYCAP_BASE = /^[#*0-9]$/;
const KEYCAP = 0x20e3;
const EMOJI_STYLE = 0xfe0f;
const TEXT_STYLE = 0xfe0e;
const JOINER = 0x200d;
const NON_JOINER = 0x200c;
/** The flags of England, Scotland and Wales (`gbeng`, `gbsct`, `gbwls`): a black flag, tags, and the end of tags. */
const FLAGS = ["gbeng", "gbsct", "gbwls"].map((region) =>
  String.fromCodePoint(0x1f3f4, ...Array.from(region, (letter) => 0xe0000 + letter.charCodeAt(0)), 0xe007f),
);
/** Signs that a reader does not see: two names that differ in these alone look the same. */
const UNSEEN: readonly Range[] = [
  [0x180b, 0x180d],
  [0x180f, 0x180f],
  [NON_JOINER, JOINER],
  [0xfe00, EMOJI_STYLE],
  [0xe0020, 0xe007f],
  [0xe0100, 0xe01ef],
];

function isIn(point: number | undefined, ranges: readonly Range[]): boolean {
  return point !== undefined && ranges.some(([first, last]) => point >= first && point <= last);
}

/** The place of a code point among those of a label. */
interface Place {
  readonly point: number;
  readonly before: number | undefined;
  /** Before `before`. */
  readonly earlier: number | undefined;
  readonly after: number | undefined;
}

function selects({ before, after }: Place): boolean {
  const isKeycap = after === KEYCAP && before !== undefined && KEYCAP_BASE.test(String.fromCodePoint(before));
  return isIn(before, EMOJI_SIGNS) || isKeycap;
}

function areLetters({ before, after }: Place): boolean {
  return isIn(before, JOINED_LETTERS) && isIn(after, JOINED_LETTERS);
}

function joins(place: Place): boolean {
  const { before, earlier, after } = place;
  const sign = before === EMOJI_STYLE ? earlier : before;
  if (isIn(sign, EMOJI_SIGNS) && isIn(after, EMOJI_SIGNS)) return true;
  return isIn(before, VIRAMAS) ? after !== JOINER && after !== NON_JOINER : areLetters(place);
}

/** Code points that no label has elsewhere, and the places that need them. Tags are looked at as whole flags. */
const NEEDED: readonly { readonly ranges: readonly Range[]; readonly isNeeded: (place: Place) => boolean }[] =
  [
    { ranges: [[TEXT_STYLE, EMOJI_STYLE]], isNeeded: selects },
    { ranges: [[JOINER, JOINER]], isNeeded: joins },
    { ranges: [[NON_JOINER, NON_JOINER]], isNeeded: areLetters },
    {
      ranges: [[0xfe00, 0xfe02]],
      isNeeded: ({ before }) => isIn(before, IDEOGRAPHS) || isIn(before, MYANMAR_LETTERS),
    },
    { ranges: [[0xe0100, 0xe012f]], isNeeded: ({ before }) => isIn(before, IDEOGRAPHS) },
    {
      ranges: [
        [0x180b, 0x180d],
        [0x180f, 0x180f],
      ],
      isNeeded: ({ before }) => isIn(before, MONGOLIAN_LETTERS),
    },
  ];

function isNeeded(points: readonly number[], at: number): boolean {
  const [point = 0, before, earlier, after] = [points[at], points[at - 1], points[at - 2], points[at + 1]];
  const found = NEEDED.find(({ ranges }) => isIn(point, ranges));
  return found?.isNeeded({ point, before, earlier, after }) ?? isInFlag(points, at);
}

function isInFlag(points: readonly number[], at: number): boolean {
  const start = points.lastIndexOf(0x1f3f4, at);
  // The black flag, five tags and the end.
  if (start === -1 || at - start > 6) return false;
  return FLAGS.includes(String.fromCodePoint(...points.slice(start, start + 7)));
}

/** A character that a label must not have there: its code point, and how many code points stand before it. */
export interface LabelFault {
  readonly point: number;
  readonly position: number;
}

/** The first fault; undefined where there is none. The length and white space are not looked at. */
export function labelFault(text: string): LabelFault | undefined {
  if (!FORBIDDEN_IN_LABELS.test(text)) return undefined;
  const points = pointsOf(text);
  const position = points.findIndex((_, at) => isFault(points, at));
  const point = points[position];
  return point === undefined ? undefined : { point, position };
}

/** The text without its faults, and without what was needed beside one of them. Each round takes one away at least. */
export function withoutLabelFaults(text: string): string {
  if (!FORBIDDEN_IN_LABELS.test(text)) return text;
  let points = pointsOf(text);
  for (;;) {
    const kept = points.filter((_, at) => !isFault(points, at));
    if (kept.length === points.length) return kept.map((point) => String.fromCodePoint(point)).join("");
    points = kept;
  }
}

/** The text without signs that a reader does not see, for a comparison. */
export function withoutUnseen(text: string): string {
  return pointsOf(text)
    .filter((point) => !isIn(point, UNSEEN))
    .map((point) => String.fromCodePoint(point))
    .join("");
}

function isFault(points: readonly number[], at: number): boolean {
  return isIn(points[at], NOT_IN_LABELS) && !isNeeded(points, at);
}

function pointsOf(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}
