/** A name without what people and models write differently: letter case, `_`, `-` and the dashes of an option. */
const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** How many letters have to be changed, left out, put in or swapped with their neighbour. */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, at) => at)];
  for (let at = 1; at <= from.length; at += 1) {
    const [above = [], before = []] = [rows[at - 1], rows[at - 2]];
    const row = [at];
    for (let to_ = 1; to_ <= to.length; to_ += 1) {
      const isSame = from[at - 1] === to[to_ - 1];
      const isSwap = at > 1 && to_ > 1 && from[at - 1] === to[to_ - 2] && from[at - 2] === to[to_ - 1];
      const [left = 0, up = 0, both = 0] = [row[to_ - 1], above[to_], above[to_ - 1]];
      const swapped = isSwap ? (before[to_ - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(left + 1, up + 1, both + (isSame ? 0 : 1), swapped));
    }
    rows.push(row);
  }
  return rows[from.length]?.[to.length] ?? 0;
}

/** Longer ones are no slip of the pen, and comparing costs the product of the lengths. */
const MAX_CHARS = 40;

/** The name among `known` that was most likely meant; `undefined` where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = folded(name);
  if (wanted === "" || wanted.length > MAX_CHARS) return undefined;
  const rated = known.map((one) => ({ one, rate: rateOf(wanted, folded(one)) }));
  const [best] = rated.toSorted((a, b) => a.rate - b.rate);
  return best !== undefined && best.rate < 1 ? best.one : undefined;
}

/** 0 for the same name, under 1 for a near one. */
function rateOf(wanted: string, known: string): number {
  const length = Math.max(wanted.length, known.length);
  const isPart =
    Math.min(wanted.length, known.length) > 1 && (known.includes(wanted) || wanted.includes(known));
  // A part of a name is near, however much is missing: `timeout` for `timeoutMs`, `link` for `joinLink`.
  return Math.min(distance(wanted, known) / (1 + length / 3), isPart ? 1 - 1 / (length + 1) : 1);
}
