import type { HiddenCounts, HiddenKind } from "../protocol/base/hidden-text.ts";

/** One of a kind, and several, in words. */
const NAMES: Readonly<Record<HiddenKind, readonly [one: string, several: string]>> = {
  tag: ["tag character", "tag characters"],
  direction: ["direction control", "direction controls"],
  separator: ["line separator", "line separators"],
  selector: ["variation selector", "variation selectors"],
  zeroWidth: ["zero-width character", "zero-width characters"],
  blank: ["blank letter", "blank letters"],
  format: ["format character", "format characters"],
  hieroglyph: ["format character of hieroglyphs", "format characters of hieroglyphs"],
  privateUse: ["private-use character", "private-use characters"],
  noCharacter: ["code point that is no character", "code points that are no characters"],
  control: ["control character", "control characters"],
};

/** How many there are of all kinds together. */
export function hiddenTotal(counts: HiddenCounts): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** The counts in words: "38 tag characters, 1 direction control". */
function hiddenText(counts: HiddenCounts): string {
  return [...counts].map(([kind, count]) => `${count} ${NAMES[kind][count === 1 ? 0 : 1]}`).join(", ");
}

/** The hidden characters that something is shown without. */
export interface HiddenView {
  readonly removed: number;
  /** The same in a sentence, with what they are. */
  readonly note: string;
}

/** @returns undefined where there were none */
export function hiddenView(counts: HiddenCounts): HiddenView | undefined {
  const removed = hiddenTotal(counts);
  if (removed === 0) return undefined;
  const [were, characters] = removed === 1 ? ["was", "character"] : ["were", "characters"];
  const note =
    `${removed} hidden ${characters} ${were} taken out of others' words here: ${hiddenText(counts)}. ` +
    "Such characters can carry words that people do not see; the signed originals are unchanged.";
  return { removed, note };
}
