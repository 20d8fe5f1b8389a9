import { stripVTControlCharacters } from "node:util";
import stringWidth from "string-width";

/**
 * The width of text in a terminal. Terminals differ: a joined emoji takes two cells in one and eight in another, a flag two or
 * four. So a row is filled by the widest that any of them shows, and no row ever reaches the end of the screen.
 */

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
const SOFT_HYPHEN = 0xad;
/** Below it every character takes one cell at most. */
const FIRST_WIDE = 0x1100;
const NO_CELL = /^[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}]$/u;
/** Emoji without their own selector, halves of flags, and what newer versions of Unicode may define. */
const MAYBE_WIDE = /^[\p{Emoji}\p{Regional_Indicator}\p{Cn}]$/u;

const known = new Map<string, number>();
const MAX_KNOWN = 4_096;

/** The characters as people see them: a joined emoji, a flag or a letter with its marks is one. */
export function graphemes(text: string): string[] {
  if (PRINTABLE_ASCII.test(text)) return text.split("");
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** The graphemes, except that one which fits into no row is taken apart: joiners can chain emoji without end. */
export function piecesFor(text: string, width: number): string[] {
  return graphemes(text).flatMap((grapheme) =>
    widestOf(grapheme) > width ? Array.from(grapheme) : [grapheme],
  );
}

/** The bounds, in UTF-16 units, of the grapheme that has the unit at this place. */
export function graphemeAt(text: string, at: number): { readonly start: number; readonly end: number } {
  const found = segmenter.segment(text).containing(at);
  return found === undefined
    ? { start: at, end: at }
    : { start: found.index, end: found.index + found.segment.length };
}

/** The most cells that a terminal gives to one grapheme. */
export function widestOf(grapheme: string): number {
  const first = grapheme.charCodeAt(0);
  if (grapheme.length === 1 && first >= 0x20 && first < 0x7f) return 1;
  let width = known.get(grapheme);
  if (width === undefined) {
    const apart = Array.from(grapheme).reduce((sum, char) => sum + cellsOf(char), 0);
    width = Math.max(apart, stringWidth(grapheme));
    if (known.size === MAX_KNOWN) known.clear();
    known.set(grapheme, width);
  }
  return width;
}

function cellsOf(char: string): number {
  const point = char.codePointAt(0) ?? 0;
  if (point === SOFT_HYPHEN) return 1;
  if (NO_CELL.test(char)) return 0;
  if (point < FIRST_WIDE) return 1;
  return MAYBE_WIDE.test(char) ? 2 : stringWidth(char, { ambiguousIsNarrow: false });
}

/** The most cells that a terminal gives to a text, whose colours count for nothing. */
export function widthOf(text: string): number {
  const plain = stripVTControlCharacters(text);
  if (PRINTABLE_ASCII.test(plain)) return plain.length;
  return graphemes(plain).reduce((sum, grapheme) => sum + widestOf(grapheme), 0);
}
