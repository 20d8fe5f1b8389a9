import { setImmediate } from "node:timers/promises";
import { newTally, runSeed } from "./seeds.ts";

const PROGRESS_EVERY_MS = 5_000;

export interface SoakOptions {
  readonly first: number;
  readonly seeds: number;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** Runs seeds one after the other until one fails, all are through or somebody stops it; gives the exit code. */
export async function soak({ first, seeds, signal, print }: SoakOptions): Promise<number> {
  const tally = newTally();
  const started = Date.now();
  let printed = started;
  const line = (seed: number): string => {
    const perSeed = (Date.now() - started) / Math.max(1, tally.rooms);
    const { rooms, places, redials, moves, alarms } = tally;
    return `seed ${seed}: ${rooms}/${seeds} rooms, ${perSeed.toFixed(1)} ms each, ${places} places, ${redials} redials, ${moves} moves, ${alarms} alarms`;
  };
  for (let seed = first; seed < first + seeds; seed += 1) {
    try {
      runSeed(seed, tally);
    } catch (error) {
      print(error instanceof Error ? (error.stack ?? error.message) : String(error));
      print(error instanceof Error && error.cause instanceof Error ? (error.cause.stack ?? "") : "");
      return 1;
    }
    // Signals are heard between two seeds only.
    await setImmediate();
    if (signal.aborted) {
      print(`stopped after seed ${seed}; go on with --first ${seed + 1}`);
      return 0;
    }
    if (Date.now() - printed < PROGRESS_EVERY_MS) continue;
    printed = Date.now();
    print(line(seed));
  }
  print(line(first + seeds - 1));
  const { ends, ...counts } = tally;
  const all = [...Object.entries(counts), ...ends].map(([what, times]) => `${what} ${times}`);
  print(`in all: ${all.join(", ")}`);
  return 0;
}
