import { describe, expect, it } from "vitest";
import { steady } from "../../src/runtime/clock.ts";

describe("the clock", () => {
  function clocks(): { now: () => number; pass: (ms: number) => void; set: (ms: number) => void } {
    let [wall, running] = [1_800_000_000_000, 5_000.25];
    const now = steady(
      () => wall,
      () => running,
    );
    return {
      now,
      pass(ms) {
        wall += ms;
        running += ms;
      },
      set(ms) {
        wall += ms;
      },
    };
  }

  it("tells the wall clock's time in whole milliseconds", () => {
    const { now, pass } = clocks();
    expect(now()).toBe(1_800_000_000_000);
    pass(1_500.4);
    expect(now()).toBe(1_800_000_001_500);
  });

  it("runs on when the wall clock is set back", () => {
    const { now, pass, set } = clocks();
    pass(1_000);
    now();
    set(-3_600_000);
    expect(now()).toBe(1_800_000_001_000);
    pass(500);
    expect(now()).toBe(1_800_000_001_500);
  });

  it("follows when the machine has slept, and does not lose that when the clock is set back again", () => {
    const { now, pass, set } = clocks();
    set(600_000);
    expect(now()).toBe(1_800_000_600_000);
    set(-600_000);
    pass(10);
    expect(now()).toBe(1_800_000_600_010);
  });

  it("takes no notice of small adjustments", () => {
    const { now, set } = clocks();
    const before = now();
    set(1_900);
    expect(now()).toBe(before);
    set(-3_000);
    expect(now()).toBe(before);
  });
});
