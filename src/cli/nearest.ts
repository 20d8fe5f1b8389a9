/** The changes of one letter (one more, one less, another, or two exchanged) that are taken for a slip. */
const MAX_SLIPS = 2;

/**
 * The word that was most likely meant: one that is at most two slips away, or that begins or is begun by what was written.
 * Undefined where none comes near, or two come equally near.
 */
export function nearest(written: string, words: readonly string[]): string | undefined {
  const near = words
    .map((word) => ({ word, slips: slipsBetween(written, word) }))
    .filter(({ slips }) => slips <= MAX_SLIPS)
    .toSorted((one, other) => one.slips - other.slips);
  const [first, second] = near;
  if (first !== undefined) return first.slips === second?.slips ? undefined : first.word;
  const begun = words.filter((word) => word.startsWith(`${written}_`) || written.startsWith(`${word}_`));
  return begun.length === 1 ? begun[0] : undefined;
}

/** The distance of Damerau and Levenshtein, where no part is edited twice. */
function slipsBetween(one: string, other: string): number {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: other.length + 1 }, (_, at) => at)];
  for (let at = 1; at <= one.length; at += 1) {
    const row = [at];
    for (let to = 1; to <= other.length; to += 1) {
      const isSame = one[at - 1] === other[to - 1];
      const isSwapped = at > 1 && to > 1 && one[at - 1] === other[to - 2] && one[at - 2] === other[to - 1];
      row[to] = Math.min(
        (last[to] ?? 0) + 1,
        (row[to - 1] ?? 0) + 1,
        (last[to - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (before[to - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, last] = [last, row];
  }
  return last[other.length] ?? 0;
}
