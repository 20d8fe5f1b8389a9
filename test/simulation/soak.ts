import { setImmediate } from "node:timers/promises";
import { crash } from "../session/stays/crashes.ts";
import { powerStory, storyOf, WHO } from "../protocol/kept/stories.ts";
import { outagesOf } from "./outages/seeds.ts";
import { newTally, runSeed, type Tally } from "./seeds.ts";

const PROGRESS_EVERY_MS = 5_000;

export interface SoakOptions {
  readonly first: number;
  readonly seeds: number;
  /** Outages, after the rooms. */
  readonly outages: number;
  /** Stays that are kept, after the outages: disks that crash, and processes that die and come back. */
  readonly stays: number;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** Runs seeds one after the other until one fails, all are through or somebody stops it; gives the exit code. */
export async function soak(options: SoakOptions): Promise<number> {
  const tally = newTally();
  const code =
    (await soakRooms(options, tally)) ?? (await soakOutages(options, tally)) ?? (await soakStays(options));
  if (code !== undefined) return code;
  const { ends, kinds, ...counts } = tally;
  const all = [...Object.entries(counts), ...ends, ...kinds].map(([what, times]) => `${what} ${times}`);
  options.print(`in all: ${all.join(", ")}`);
  return 0;
}

/** @returns the exit code, where it is not to go on */
async function soakRooms(
  { first, seeds, signal, print }: SoakOptions,
  tally: Tally,
): Promise<number | undefined> {
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
      return failed(error, print);
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
  if (seeds > 0) print(line(first + seeds - 1));
  return undefined;
}

/** The same for outages, some in each room. */
async function soakOutages(
  { first, outages, signal, print }: SoakOptions,
  tally: Tally,
): Promise<number | undefined> {
  const slowest = new Map<string, number>();
  for (let seed = first; tally.outages < outages; seed += 1) {
    try {
      for (const { kind, backMs, links } of await outagesOf(seed)) {
        slowest.set(kind, Math.max(slowest.get(kind) ?? 0, backMs));
        tally.kinds.set(kind, (tally.kinds.get(kind) ?? 0) + 1);
        tally.outages += 1;
        tally.links += links;
      }
    } catch (error) {
      return failed(error, print);
    }
    await setImmediate();
    if (!signal.aborted) continue;
    print(`stopped after the outages of seed ${seed}`);
    return 0;
  }
  const times = [...slowest].map(([kind, ms]) => `${kind} ${(ms / 1000).toFixed(1)} s`);
  if (outages > 0) print(`back after the end of an outage at the latest: ${times.join(", ")}`);
  return undefined;
}

/** Disks that crash, and for every tenth of them a room whose processes die, lose their power and have their journals written anew. */
async function soakStays({ first, stays, signal, print }: SoakOptions): Promise<number | undefined> {
  let [deaths, compactions] = [0, 0];
  for (let seed = first; seed < first + stays; seed += 1) {
    try {
      crash(seed);
      for (const who of seed % 10 === 0 ? WHO : []) {
        const { lives } = storyOf(seed, who);
        deaths += lives.deaths;
        compactions += lives.compactions;
      }
      if (seed % 10 === 0) deaths += powerStory(seed);
    } catch (error) {
      print(`the stay of seed ${seed}`);
      return failed(error, print);
    }
    await setImmediate();
    if (!signal.aborted) continue;
    print(`stopped after the stay of seed ${seed}`);
    return 0;
  }
  if (stays > 0) print(`${stays} stays, ${deaths} deaths of processes, ${compactions} journals written anew`);
  return undefined;
}

function failed(error: unknown, print: SoakOptions["print"]): number {
  print(error instanceof Error ? (error.stack ?? error.message) : String(error));
  print(error instanceof Error && error.cause instanceof Error ? (error.cause.stack ?? "") : "");
  return 1;
}
