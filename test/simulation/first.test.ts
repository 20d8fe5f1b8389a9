import { describe, expect, it } from "vitest";
import { simulate } from "./simulation.ts";
import { soakInChild } from "./child.ts";
import { keptSeeds, newTally, runSeed } from "./seeds.ts";

const TIMEOUT_MS = 180_000;

describe("simulation", () => {
  it("seeds that have failed once do not fail any more", () => {
    const tally = newTally();
    for (const seed of keptSeeds()) runSeed(seed, tally);
    expect(tally.rooms).toBe(keptSeeds().length);
  });

  it(
    "[D1] [D5] [O1] [O8] [O9] [O10] [R4] [G2] [G5] [G6] [G9] [K7] [N1] 1,000 rooms on a bad wire: everybody has what is for it, exactly once and in order, and is whole after healing",
    async ({ signal }) => {
      const counts = await soakInChild(1, 1_000, signal);
      expect(counts.get("rooms")).toBe(1_000);
      // A wire that never does any harm would prove nothing, nor would stays that all end in one way.
      expect(counts.get("alarms")).toBeGreaterThan(500);
      expect(counts.get("places")).toBeGreaterThan(10_000);
      expect(counts.get("redials")).toBeGreaterThan(2_000);
      expect(counts.get("moves")).toBeGreaterThan(300);
      expect(counts.get("addressed")).toBeGreaterThan(1_000);
      expect(counts.get("past")).toBeGreaterThan(1_000);
      expect(counts.get("crowds")).toBeGreaterThan(25);
      for (const end of ["host", "host-unreachable", "self", "removal", "tunnel-gone"])
        expect(counts.get(end), end).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it("a seed decides everything: two runs of it are the same, byte for byte", () => {
    for (const [seed, other] of [
      [7, 8],
      [20, 40],
    ]) {
      const wires = [seed, seed, other].map((one) =>
        Buffer.concat(
          simulate(one ?? 0, true).checks.all.flatMap(({ guest }) =>
            guest === undefined ? [] : [...guest.wire.toHost, ...guest.wire.toGuest],
          ),
        ).toString("hex"),
      );
      expect(wires[0]).toBe(wires[1]);
      expect(wires[0]).not.toBe(wires[2]);
    }
  });
});
