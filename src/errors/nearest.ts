/** Letters that may differ between what was typed and what was meant, for a word of so many. */
const tolerance = (length: number): number => (length < 4 ? 1 : length < 8 ? 2 : 3);
/** Longer words are nobody's slip, and comparing them takes time. */
const MAX_LENGTH = 40;

/**
 * The known word that was most likely meant: one that begins as `typed` does, or differs by a slip or two. Letter case does not
 * count. Undefined where nothing is near, or several words are equally near.
 */
export function nearest<Word extends string>(typed: string, known: readonly Word[]): Word | undefined {
  const word = typed.toLowerCase();
  if (word.length < 2 || word.length > MAX_LENGTH) return undefined;
  const ranked = known
    .map((one) => {
      const other = one.toLowerCase();
      return { one, steps: distance(word, other), isBeginning: other.startsWith(word) };
    })
    .filter(
      ({ one, steps, isBeginning }) => isBeginning || steps <= tolerance(Math.min(word.length, one.length)),
    )
    .sort((a, b) => Number(b.isBeginning) - Number(a.isBeginning) || a.steps - b.steps);
  const [best, next] = ranked;
  if (best === undefined) return undefined;
  const isTie = next !== undefined && next.isBeginning === best.isBeginning && next.steps === best.steps;
  return isTie ? undefined : best.one;
}

/** Letters to add, drop, change, or swap with their neighbour. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let at = 1; at <= to.length; at += 1) {
      const isSame = from[row - 1] === to[at - 1];
      const isSwap = row > 1 && at > 1 && from[row - 1] === to[at - 2] && from[row - 2] === to[at - 1];
      current[at] = Math.min(
        (last[at] ?? 0) + 1,
        (current[at - 1] ?? 0) + 1,
        (last[at - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (before[at - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, last] = [last, current];
  }
  return last[to.length] ?? 0;
}
