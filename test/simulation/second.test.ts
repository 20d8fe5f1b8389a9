import { describe, expect, it } from "vitest";
import { soakInChild } from "./child.ts";

// A file of its own, so that another worker runs it at the same time.
describe("simulation, the second half", () => {
  it("[D1] [D5] [O1] [O10] [R4] 1,000 more rooms: everybody has what is for it, exactly once and in order, and is whole after healing", async ({
    signal,
  }) => {
    const counts = await soakInChild(1_001, 1_000, signal);
    expect(counts.get("rooms")).toBe(1_000);
    expect(counts.get("alarms")).toBeGreaterThan(500);
  }, 180_000);
});
