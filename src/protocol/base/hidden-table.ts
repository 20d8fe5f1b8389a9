import type { Range } from "./characters.ts";
import { EMOJI_SIGNS as EMOJI, IDEOGRAPHS, MONGOLIAN_LETTERS as MONGOLIAN } from "./labels.ts";

export type { Range };

/**
 * Characters that a person does not see and a model reads. They leave what a model is shown, and a person sees them marked.
 * Some of them are part of honest text: a joiner in Persian, Hindi or a family emoji, a selector that colours an emoji, the
 * tags of a flag. Each of these stays where it does its work, and nowhere else: what only hides has no work to do.
 *
 * The ranges are literal (Unicode 17): the classes of a regular expression differ between versions of Node.
 */

/** The place of a character: the code points beside it. */
interface Place {
  readonly point: number;
  /** Undefined also where that one hides itself; a selector for emoji is told. */
  readonly before: number | undefined;
  /** Before `before`. */
  readonly earlier: number | undefined;
  readonly after: number | undefined;
}

interface Hiding {
  readonly kind: string;
  readonly ranges: readonly Range[];
  /** Whether such a character is part of honest text at this place; never where left out. */
  readonly isNeeded?: (place: Place) => boolean;
}

export function within(point: number | undefined, ranges: readonly Range[]): boolean {
  return point !== undefined && ranges.some(([from, to]) => point >= from && point <= to);
}

/** Digits and signs that a keycap goes around. */
const KEYCAP_BASES: readonly Range[] = [
  [0x23, 0x23],
  [0x2a, 0x2a],
  [0x30, 0x39],
];
const KEYCAP = 0x20e3;

/** Scripts in which a joiner or non-joiner changes the letter before it: Arabic and its kin, and those of India and beyond. */
const JOINING: readonly Range[] = [
  [0x600, 0x8ff],
  [0x900, 0xdff],
  [0xf00, 0x109f],
  [0x1780, 0x18af],
  [0x1900, 0x1cff],
  [0xa800, 0xa87f],
  [0xa880, 0xa8ff],
  [0xa980, 0xa9ff],
  [0xaa60, 0xaaff],
  [0xabc0, 0xabff],
  [0xfb50, 0xfdcf],
  [0xfdf0, 0xfdff],
  [0xfe70, 0xfefc],
  [0x10a00, 0x10fff],
  [0x11000, 0x11fff],
  [0x1e900, 0x1e95f],
];

/** Scripts that write words without spaces, and mark their ends by a space without width. */
const UNSPACED: readonly Range[] = [
  [0xe00, 0x109f],
  [0x1780, 0x17ff],
  [0x1950, 0x19ff],
  [0x1a20, 0x1aaf],
  [0x1b00, 0x1b7f],
  [0xa980, 0xa9ff],
  [0xaa00, 0xaadf],
];

const HIEROGLYPHS: readonly Range[] = [
  [0x13000, 0x1342f],
  [0x13460, 0x143ff],
];
const HEBREW: readonly Range[] = [[0x591, 0x5f4]];
const HEBREW_POINTS: readonly Range[] = [[0x591, 0x5c7]];
/** Bases of the standardized variants 1 to 3: mathematics, East Asian signs, Myanmar, Phags-pa. */
const VARIED: readonly Range[] = [
  ...IDEOGRAPHS,
  [0x2018, 0x201d],
  [0x2200, 0x22ff],
  [0x2a00, 0x2aff],
  [0x3001, 0x3002],
  [0xff01, 0xff1f],
  [0x1000, 0x109f],
  [0xaa60, 0xaa7f],
  [0xa840, 0xa877],
];
const LEADING_JAMO: readonly Range[] = [
  [0x1100, 0x115e],
  [0xa960, 0xa97c],
];
const VOWEL_JAMO: readonly Range[] = [
  [0x1161, 0x11a7],
  [0xd7b0, 0xd7c6],
];
const TRAILING_JAMO: readonly Range[] = [
  [0x11a8, 0x11ff],
  [0xd7cb, 0xd7fb],
];

const SELECTORS: readonly Range[] = [
  [0x180b, 0x180d],
  [0x180f, 0x180f],
  [0xfe00, 0xfe0f],
  [0xe0100, 0xe01ef],
];
/** Joiners and the like: one changes what stands beside it, two in a row carry data. */
const ZERO_WIDTH: readonly Range[] = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x180e, 0x180e],
  [0x200b, 0x200d],
  [0x2060, 0x2060],
  [0xfeff, 0xfeff],
];

const TEXT_STYLE = 0xfe0e;
export const EMOJI_STYLE = 0xfe0f;

/** A selector right behind a base that has variants, and alone: any number of bytes can be written with several. */
function selects({ point, before, after }: Place): boolean {
  if (within(after, SELECTORS)) return false;
  if (point === TEXT_STYLE || point === EMOJI_STYLE)
    return within(before, EMOJI) || (within(before, KEYCAP_BASES) && after === KEYCAP);
  // No ideograph has more registered variants.
  if (point >= 0xe0100) return point <= 0xe012f && within(before, IDEOGRAPHS);
  if (point < 0xfe00) return within(before, MONGOLIAN);
  return (point <= 0xfe02 && within(before, VARIED)) || (point <= 0xfe06 && within(before, HIEROGLYPHS));
}

function joins({ point, before, earlier, after }: Place): boolean {
  if (within(after, ZERO_WIDTH)) return false;
  switch (point) {
    case 0x200d:
      return (
        within(before, JOINING) ||
        (within(after, EMOJI) && within(before === EMOJI_STYLE ? earlier : before, EMOJI))
      );
    case 0x200c:
      return within(before, JOINING);
    case 0x200b:
      return within(before, UNSPACED) && within(after, UNSPACED);
    case 0x180e:
      return within(before, MONGOLIAN) && within(after, MONGOLIAN);
    case 0x34f:
      return within(before, HEBREW) && within(after, HEBREW_POINTS);
    default:
      return false;
  }
}

/** A filler that stands for the missing part of an old Korean syllable. */
function fills({ point, before, after }: Place): boolean {
  if (point === 0x115f) return within(after, VOWEL_JAMO);
  return point === 0x1160 && within(before, LEADING_JAMO) && within(after, TRAILING_JAMO);
}

const HIDING = [
  /** The flags that are made of them are found first. */
  { kind: "tag", ranges: [[0xe0000, 0xe007f]] },
  {
    kind: "direction",
    ranges: [
      [0x61c, 0x61c],
      [0x200e, 0x200f],
      [0x202a, 0x202e],
      [0x2066, 0x2069],
    ],
  },
  { kind: "separator", ranges: [[0x2028, 0x2029]] },
  { kind: "selector", ranges: SELECTORS, isNeeded: selects },
  { kind: "zeroWidth", ranges: ZERO_WIDTH, isNeeded: joins },
  {
    kind: "blank",
    ranges: [
      [0x115f, 0x1160],
      [0x17b4, 0x17b5],
      [0x3164, 0x3164],
      [0xffa0, 0xffa0],
    ],
    isNeeded: fills,
  },
  {
    kind: "format",
    ranges: [
      [0x2061, 0x2065],
      [0x206a, 0x206f],
      [0xfff0, 0xfffb],
      [0x1bca0, 0x1bca3],
      [0x1d173, 0x1d17a],
      [0xe0080, 0xe00ff],
      [0xe01f0, 0xe0fff],
    ],
  },
  {
    kind: "hieroglyph",
    ranges: [[0x13430, 0x1343f]],
    isNeeded: ({ before, after }) => within(before, HIEROGLYPHS) || within(after, HIEROGLYPHS),
  },
  {
    kind: "privateUse",
    ranges: [
      [0xe000, 0xf8ff],
      [0xf0000, 0xffffd],
      [0x100000, 0x10fffd],
    ],
  },
  {
    kind: "noCharacter",
    ranges: [
      [0xd800, 0xdfff],
      [0xfdd0, 0xfdef],
      ...Array.from({ length: 17 }, (_, plane): Range => [
        plane * 0x10000 + 0xfffe,
        plane * 0x10000 + 0xffff,
      ]),
    ],
  },
  /** All but tab and newline. */
  {
    kind: "control",
    ranges: [
      [0, 8],
      [0xb, 0x1f],
      [0x7f, 0x9f],
    ],
  },
] as const satisfies readonly Hiding[];

export type HiddenKind = (typeof HIDING)[number]["kind"];

/** Every kind, with its characters and the places that need them. */
export const HIDDEN_KINDS: readonly (Hiding & { readonly kind: HiddenKind })[] = HIDING;
