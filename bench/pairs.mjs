/**
 * Measures a thing and its floor in turn, and says how sure the ratio of the two is.
 *
 * Single runs on a shared machine differ by 30 %, and both sides drift together. So each run of the thing stands beside a run of
 * its floor, the order changes from pair to pair (A B, B A, …), and the ratio is taken within a pair.
 *
 * The interval is the order-statistic interval of the median: of n sorted ratios, those at rank k and n + 1 - k enclose the true
 * median with a probability that the binomial distribution gives exactly. A bootstrap would need random numbers and many samples
 * for the same promise; this needs neither, and no assumption about the shape of the noise but that pairs are independent.
 */
import { rounded } from "./support.mjs";

/** An interval that is wrong once in twenty runs at most. */
const CONFIDENCE = 0.95;
/** With fewer pairs the interval is too wide to decide anything near a limit. */
export const LEAST_PAIRS = 30;

/**
 * Runs both `pairs` times after `warmUp` pairs that do not count.
 * @param measured, floor each resolves with what it took, as a number
 * @param warmUp pairs before the first one that counts
 * @param beside runs after each pair, by name: for comparison, not part of the ratio
 */
export async function measurePairs({ measured, floor, pairs, warmUp = 0, beside = {} }) {
  const found = { measured: [], floor: [] };
  const others = Object.fromEntries(Object.keys(beside).map((name) => [name, []]));
  for (let round = -warmUp; round < pairs; round += 1) {
    const steps = [
      ["measured", measured],
      ["floor", floor],
    ];
    if (round % 2 !== 0) steps.reverse();
    for (const [side, run] of steps) {
      const value = await run();
      if (round >= 0) found[side].push(value);
    }
    for (const [name, run] of Object.entries(beside)) {
      const value = await run();
      if (round >= 0) others[name].push(value);
    }
  }
  return {
    measured: spread(found.measured),
    floor: spread(found.floor),
    beside: Object.fromEntries(Object.entries(others).map(([name, values]) => [name, spread(values)])),
    ratio: interval(found.measured.map((value, at) => value / found.floor[at])),
  };
}

/** Whether an interval is under its limit as a whole. Too few samples for an interval decide nothing. */
export const isAtMost = ({ high }, limit) => high !== undefined && high <= limit;
/** Whether an interval is over its limit as a whole. */
export const isAtLeast = ({ low }, limit) => low !== undefined && low >= limit;

/** Least, median and most of some values. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    min: rounded(sorted[0]),
    median: rounded(median(sorted)),
    max: rounded(sorted.at(-1)),
    samples: sorted.length,
  };
}

/** The median of some values, and the interval around it; without bounds for fewer than six, of which there is none. */
export function interval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = rankOf(sorted.length);
  return {
    median: precise(median(sorted)),
    low: rank === 0 ? undefined : precise(sorted[rank - 1]),
    high: rank === 0 ? undefined : precise(sorted[sorted.length - rank]),
    confidence: CONFIDENCE,
    samples: sorted.length,
  };
}

/** As people read it: `2.12 (2.05 to 2.19)`. */
export function intervalText({ median: middle, low, high }) {
  const text = (value) => value.toFixed(2);
  return low === undefined ? `${text(middle)} (too few)` : `${text(middle)} (${text(low)} to ${text(high)})`;
}

/** A bound decides about a limit: two digits could lift it over. */
const precise = (value) => Math.round(value * 1e4) / 1e4;

function median(sorted) {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The greatest rank k for which fewer than k of n values lie on one side of the median often enough only; 0 for none. */
function rankOf(count) {
  const tail = (1 - CONFIDENCE) / 2;
  let rank = 0;
  let below = 0;
  // The chance that exactly `rank` of the values are below the median.
  let exactly = 0.5 ** count;
  while (below + exactly <= tail) {
    below += exactly;
    exactly *= (count - rank) / (rank + 1);
    rank += 1;
  }
  return rank;
}
