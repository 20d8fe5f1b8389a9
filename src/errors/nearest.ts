/** A name without what people and models write differently: letter case, `_`, `-` and the dashes of an option. */
const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** How many letters have to be changed, left out, put in or swapped with their neighbour. */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row];
    rows.push(next);
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const changed = at(row - 1, column - 1) + (isSame ? 0 : 1);
      const swapped = isSwap ? at(row - 2, column - 2) + 1 : changed;
      next.push(Math.min(at(row, column - 1) + 1, at(row - 1, column) + 1, changed, swapped));
    }
  }
  return at(from.length, to.length);
}

/** Longer ones are no slip of the pen, and comparing costs the product of the lengths. */
const MAX_CHARS = 40;

/** The name among `known` that was most likely meant; `undefined` where none is near, or two are equally near. */
export function nearest<Name extends string>(name: string, known: readonly Name[]): Name | undefined {
  const wanted = folded(name);
  if (wanted === "" || wanted.length > MAX_CHARS) return undefined;
  const rated = known.map((one) => ({ one, rate: rateOf(wanted, folded(one)) }));
  const [best, next] = rated.toSorted((a, b) => a.rate - b.rate);
  if (best === undefined || best.rate >= 1 || best.rate === next?.rate) return undefined;
  return best.one;
}

/** 0 for the same name, under 1 for a near one. */
function rateOf(wanted: string, known: string): number {
  const length = Math.max(wanted.length, known.length);
  const isPart =
    Math.min(wanted.length, known.length) > 1 && (known.includes(wanted) || wanted.includes(known));
  // A part of a name is near, however much is missing: `timeout` for `timeoutMs`, `link` for `joinLink`.
  return Math.min(distance(wanted, known) / (1 + length / 3), isPart ? 1 - 1 / (length + 1) : 1);
}
