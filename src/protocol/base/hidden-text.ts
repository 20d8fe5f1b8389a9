import { EMOJI_STYLE, HIDDEN_KINDS, within, type HiddenKind, type Range } from "./hidden-table.ts";

export type { HiddenKind };

/** The flags of England, Scotland and Wales: the only sequences of tags in general use (Unicode's RGI set). */
const FLAGS = String.raw`\u{1f3f4}\u{e0067}\u{e0062}(?:\u{e0065}\u{e006e}\u{e0067}|\u{e0073}\u{e0063}\u{e0074}|\u{e0077}\u{e006c}\u{e0073})\u{e007f}`;

const ALL = HIDDEN_KINDS.flatMap(({ ranges }) => ranges);

function classOf(ranges: readonly Range[]): string {
  return ranges.map(([from, to]) => `\\u{${from.toString(16)}}-\\u{${to.toString(16)}}`).join("");
}

/** A flag as a whole, or a character that hides unless its place needs it. */
const SUSPECT = new RegExp(`${FLAGS}|[${classOf(ALL)}]`, "gu");

function pointBefore(text: string, at: number): number | undefined {
  const point = text.codePointAt(at - 1);
  const isSecondHalf = point !== undefined && point >= 0xdc00 && point <= 0xdfff;
  const whole = isSecondHalf ? text.codePointAt(at - 2) : undefined;
  return whole !== undefined && whole > 0xffff ? whole : point;
}

const unitsOf = (point: number | undefined): number => (point !== undefined && point > 0xffff ? 2 : 1);

/** The kind of a suspect that stands `at` so many units; undefined where its place needs it. */
function kindAt(text: string, at: number): HiddenKind | undefined {
  const point = text.codePointAt(at) ?? 0;
  const found = HIDDEN_KINDS.find(({ ranges }) => within(point, ranges));
  if (found?.isNeeded === undefined) return found?.kind;
  const beside = pointBefore(text, at);
  // A character that hides is no base of another one.
  const before = beside === EMOJI_STYLE || !within(beside, ALL) ? beside : undefined;
  const earlier = pointBefore(text, at - unitsOf(beside));
  const after = text.codePointAt(at + unitsOf(point));
  return found.isNeeded({ point, before, earlier, after }) ? undefined : found.kind;
}

/** The text with each hidden character replaced. Takes linear time. */
export function replaceHidden(text: string, by: (character: string, kind: HiddenKind) => string): string {
  return text.replace(SUSPECT, (suspect: string, at: number) => {
    // A flag begins with a sign that hides nothing.
    const kind = kindAt(text, at);
    return kind === undefined ? suspect : by(suspect, kind);
  });
}

/** Hidden characters by kind; a kind of which there is none is left out. */
export type HiddenCounts = ReadonlyMap<HiddenKind, number>;

/**
 * The text without hidden characters, and how many there were. Line separators are line breaks of another kind: words must
 * not grow together where one is taken out.
 * @param lineBreak stands where a line separator was
 */
export function withoutHidden(
  text: string,
  lineBreak = "\n",
): { readonly text: string; readonly hidden: HiddenCounts } {
  const hidden = new Map<HiddenKind, number>();
  const shown = replaceHidden(text, (_, kind) => {
    hidden.set(kind, (hidden.get(kind) ?? 0) + 1);
    return kind === "separator" ? lineBreak : "";
  });
  return { text: shown, hidden };
}

/** A character as JSON may write it inside of a string; the value stays the same. */
export function jsonEscape(character: string): string {
  return Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
    .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    .join("");
}
