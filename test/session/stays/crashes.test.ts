import { describe, expect, it } from "vitest";
import { crash, type Tally } from "./crashes.ts";

const SEEDS = 2_000;

describe("a kept stay", () => {
  it(`${SEEDS} seeds: nothing acknowledged is lost to a kill, a power cut takes 200 ms at most, and no number stands for two contents`, () => {
    const all: Tally = { kills: 0, powerCuts: 0, full: 0, rewrites: 0, returns: 0, copies: 0 };
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      try {
        const one = crash(seed);
        for (const name of ["kills", "powerCuts", "full", "rewrites", "returns", "copies"] as const)
          all[name] += one[name];
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    // All that is claimed has happened often.
    for (const count of Object.values(all)) expect(count).toBeGreaterThan(SEEDS / 20);
  }, 60_000);
});
