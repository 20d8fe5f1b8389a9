import { simulate } from "./simulation.ts";

/** What a number of seeds was about, so that a run that proves nothing shows. */
export interface Tally {
  rooms: number;
  alarms: number;
  places: number;
  redials: number;
  moves: number;
  /** Outages that everybody has come back from, and members that needed a link to do so. */
  outages: number;
  links: number;
  /** Outages by their kind. */
  readonly kinds: Map<string, number>;
  /** Messages to some, and entries told to somebody who came after them. */
  addressed: number;
  past: number;
  /** Rooms with 8 members or more. */
  crowds: number;
  /** Ends of stays by their reason. */
  readonly ends: Map<string, number>;
}

export function newTally(): Tally {
  return {
    rooms: 0,
    alarms: 0,
    places: 0,
    redials: 0,
    moves: 0,
    outages: 0,
    links: 0,
    kinds: new Map(),
    addressed: 0,
    past: 0,
    crowds: 0,
    ends: new Map(),
  };
}

/** Runs one seed into the tally. @throws {Error} when it fails: with the command that repeats it, and where to keep it */
export function runSeed(seed: number, tally: Tally): void {
  try {
    const { checks, world } = simulate(seed);
    tally.rooms += 1;
    tally.alarms += checks.alarms;
    tally.places += world.hostEntries.length;
    tally.redials += checks.redials;
    tally.moves += checks.moves;
    tally.addressed += checks.order.addressed;
    tally.past += checks.order.past;
    if (checks.all.length >= 8) tally.crowds += 1;
    for (const reason of checks.ends) tally.ends.set(reason, (tally.ends.get(reason) ?? 0) + 1);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const repeat = `to repeat it: npm run soak -- --first ${seed} --seeds 1`;
    const keep = "once it is mended: keep it in test/simulation/kept-seeds.ts";
    throw new Error(`seed ${seed} fails; ${repeat}; ${keep}\n${message}`, { cause: error });
  }
}
