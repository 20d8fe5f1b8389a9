import { expect } from "vitest";
import { soakInChild } from "./child.ts";

/** Rooms of the suite, which two files share, so that two workers run them; `npm run soak` begins behind them. */
const ROOMS = 1_000;
const HALF = ROOMS / 2;

export const HALF_TIMEOUT_MS = 180_000;

/** A wire that never does any harm would prove nothing, nor would stays that all end in one way. */
const AT_LEAST = {
  alarms: 250,
  places: 5_000,
  redials: 1_000,
  moves: 100,
  addressed: 500,
  past: 500,
  crowds: 12,
  host: 1,
  "host-unreachable": 1,
  self: 1,
  removal: 1,
  "tunnel-gone": 1,
};

/** Runs one half, and checks that enough happened in it. */
export async function expectHalf(half: "first" | "second", signal: AbortSignal): Promise<void> {
  const counts = await soakInChild(half === "first" ? 1 : 1 + HALF, { seeds: HALF }, signal);
  expect(counts.get("rooms")).toBe(HALF);
  for (const [what, times] of Object.entries(AT_LEAST))
    expect(counts.get(what), what).toBeGreaterThanOrEqual(times);
}
