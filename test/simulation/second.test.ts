import { describe, it } from "vitest";
import { expectHalf, HALF_TIMEOUT_MS } from "./thousand.ts";

// A file of its own, so that another worker runs it at the same time.
describe("simulation, the second half", () => {
  it(
    "[D1] [D5] [O1] [O8] [O9] [O10] [R4] [G2] [G5] [G6] [G9] [K7] [N1] 500 more rooms: everybody has what is for it, exactly once and in order, and is whole after healing",
    ({ signal }) => expectHalf("second", signal),
    HALF_TIMEOUT_MS,
  );
});
