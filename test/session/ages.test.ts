import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/protocol/room/log.ts";
import { Ages } from "../../src/session/saying/ages.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { memberIdFromText } from "./support.ts";

const [SELF, PEER] = [memberIdFromText("self"), memberIdFromText("peer")];
const HOUR = 3_600_000;

const joined = (ts: number, member = PEER): Entry => ({
  kind: "system",
  seq: 1,
  ts,
  event: "joined",
  member,
  name: "x",
});

/** Seconds of age that an entry has after `passed`, for a host's clock that is wrong by so much. */
async function age(options: {
  ts: (now: number) => number;
  skew?: number;
  passed?: number;
  arrival?: number;
}) {
  const clock = new FakeClock();
  const ages = new Ages({ self: SELF, clock, skew: () => options.skew });
  const { arrival } = options;
  if (arrival !== undefined) ages.arrived(joined(clock.now() + arrival, SELF));
  const entry = joined(options.ts(clock.now()));
  ages.arrived(entry);
  await clock.advance(options.passed ?? 0);
  return (clock.now() - ages.saidAt(entry)) / 1_000;
}

describe("the age of an entry", () => {
  it("is the time since it arrived, whatever the host's clock says, and never negative", async () => {
    for (const wrong of [0, HOUR, -HOUR, 30 * 365 * 24 * HOUR, -30 * 365 * 24 * HOUR]) {
      const ts = (now: number): number => now + wrong;
      expect(await age({ ts }), `${wrong}`).toBe(0);
      expect(await age({ ts, passed: 90_000 }), `${wrong}`).toBe(90);
      expect(await age({ ts, skew: wrong, passed: 90_000 }), `${wrong}`).toBe(90);
    }
  });

  it("is longer where it waited before it arrived, by the host's time and the skew of its clock", async () => {
    const ts = (now: number): number => now + HOUR - 600_000;
    expect(await age({ ts, skew: HOUR, passed: 5_000 })).toBe(605);
    // Before the first PONG the own arrival tells the skew.
    expect(await age({ ts, arrival: HOUR })).toBe(600);
  });

  it("does not follow a clock that has been set since, nor one that is a little off", async () => {
    expect(await age({ ts: () => 0, skew: 0 })).toBe(0);
    expect(await age({ ts: (now) => now + 1_000, skew: 0 })).toBe(0);
    expect(await age({ ts: (now) => now - 2_000, skew: 0 })).toBe(0);
  });
});
