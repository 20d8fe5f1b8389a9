import { describe, expect, it } from "vitest";
import { bootOf, isSameBoot } from "../../../src/session/stays/boot.ts";

describe("the start of a machine", () => {
  it("has a name on Linux, with the container behind it", () => {
    expect(bootOf("a1b2 pid:[4026531836]", 5_000_000, 1_000)).toBe("a1b2");
    expect(isSameBoot("a1b2", "a1b2")).toBe(true);
    expect(isSameBoot("a1b2", "c3d4")).toBe(false);
  });

  it("is known by its time elsewhere, to what clocks are adjusted by", () => {
    const boot = bootOf("", 5_000_000, 1_000_000);
    expect(isSameBoot(boot, bootOf("", 5_060_000, 1_059_000))).toBe(true);
    expect(isSameBoot(boot, bootOf("", 5_060_000, 20_000))).toBe(false);
    // A clock that was set is taken for another start: numbers are skipped then, and nothing is lost by it.
    expect(isSameBoot(boot, bootOf("", 8_600_000, 1_060_000))).toBe(false);
  });

  it("is another one where nothing is certain", () => {
    expect(isSameBoot("", "")).toBe(false);
    expect(isSameBoot("a1b2", bootOf("", 5_000_000, 1_000_000))).toBe(false);
  });
});
