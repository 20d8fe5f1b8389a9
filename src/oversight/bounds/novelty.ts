/**
 * How much of a message is new in its conversation. Talk that goes nowhere says again what was said: no new word, number, path or
 * code. Length does not tell, since a short "a7 is free" moves work on, and a polite paragraph may not (H24, DECISIONS).
 */

/** Distinct pairs of words that are remembered: some days of talk; then the oldest are forgotten. */
const MAX_KNOWN = 40_000;
/** Enough of a long message to judge it, and bounded for one without spaces. */
const MAX_WORDS = 2_000;
const MAX_CHARS = 32_768;
const MAX_WORD_CHARS = 64;
/** A message carries news if this share of its pairs of words is new: the words alone are all known after a day… */
const NEWS_SHARE = 1 / 3;
/** …or if one of its words is new and is none that sentences are made of: a number, a path, a name of the code. */
const DATA = /\d|[._/:#@\\-]\S|[\p{Ll}][\p{Lu}]/u;

export class Novelty {
  readonly #known = new Set<string>();

  /** Whether the message brings something that was not said before. It is known from then on. */
  hear(text: string): boolean {
    const words: string[] = [];
    for (const [found] of text.slice(0, MAX_CHARS).matchAll(/[\p{L}\p{M}\p{N}_./:#@\\-]+/gu)) {
      if (words.length >= MAX_WORDS) break;
      const word = found.replace(/^[./:#-]+|[./:-]+$/g, "").slice(0, MAX_WORD_CHARS);
      if (word !== "") words.push(word);
    }
    const plain = words.map((word) => word.normalize("NFKC").toLowerCase());
    const hasData = words.filter((word, at) => DATA.test(word) && this.#isNew(plain[at] ?? word)).length > 0;
    const pairs = new Set(plain.map((word, at) => `${plain[at - 1] ?? ""} ${word}`));
    const unknown = [...pairs].filter((pair) => this.#isNew(pair)).length;
    for (const oldest of this.#known) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    return hasData || (unknown > 0 && unknown >= pairs.size * NEWS_SHARE);
  }

  #isNew(words: string): boolean {
    if (this.#known.has(words)) return false;
    this.#known.add(words);
    return true;
  }
}

/** Dice's coefficient of the letter pairs of two texts, without case and white space: 1 for the same, 0 for nothing in common. */
export function similarity(a: string, b: string): number {
  const [left, right] = [pairs(a), pairs(b)];
  let common = 0;
  for (const [pair, count] of left.counts) common += Math.min(count, right.counts.get(pair) ?? 0);
  const total = left.total + right.total;
  return total === 0 ? 1 : (2 * common) / total;
}

/** Texts are compared by their beginning: loops repeat it as well. */
const COMPARED_CHARS = 600;

function pairs(text: string): { readonly counts: ReadonlyMap<string, number>; readonly total: number } {
  const plain = text.slice(0, COMPARED_CHARS).normalize("NFKC").toLowerCase().replace(/\s+/g, "");
  const counts = new Map<string, number>();
  for (let at = 0; at + 1 < plain.length; at += 1) {
    const pair = plain.slice(at, at + 2);
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  return { counts, total: Math.max(0, plain.length - 1) };
}
