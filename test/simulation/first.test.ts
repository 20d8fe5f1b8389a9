import { describe, expect, it } from "vitest";
import { simulate } from "./simulation.ts";
import { expectHalf, HALF_TIMEOUT_MS } from "./thousand.ts";

describe("simulation", () => {
  it(
    "[D1] [D5] [O1] [O8] [O9] [O10] [R4] [G2] [G5] [G6] [G9] [K7] [N1] 500 rooms on a bad wire: everybody has what is for it, exactly once and in order, and is whole after healing",
    ({ signal }) => expectHalf("first", signal),
    HALF_TIMEOUT_MS,
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
