import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SERVICE } from "../../src/protocol/base/limits.ts";
import { Window, WindowPool } from "../../src/services/connection/window.ts";

const MOST = SERVICE.maxTaken * SERVICE.windowMinBytes + SERVICE.windowSharedBytes;

describe("[S4] the credit of connections", () => {
  it("keeps to what all may have, whatever each takes, and comes back whole", () => {
    const act = fc.record({
      which: fc.nat(SERVICE.maxTaken - 1),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      ms: fc.nat(700),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 400 }), (acts) => {
        const pool = new WindowPool();
        let now = 0;
        const outstanding: number[] = [];
        const windows = Array.from({ length: SERVICE.maxTaken }, () => new Window(pool));
        for (const window of windows) outstanding.push(window.begin(now));
        for (const { which, share, ms } of acts) {
          now += ms;
          const window = windows[which];
          const taken = Math.floor((outstanding[which] ?? 0) * share);
          if (window === undefined || taken === 0) continue;
          const left = (outstanding[which] ?? 0) - taken;
          outstanding[which] = left + window.taken(taken, now);
          expect(pool.outstanding).toBe(outstanding.reduce((sum, bytes) => sum + bytes, 0));
          expect(pool.outstanding).toBeLessThanOrEqual(MOST);
          expect(outstanding[which]).toBeLessThanOrEqual(SERVICE.windowMaxBytes);
        }
        for (const window of windows) window.end();
        expect([pool.outstanding, pool.free]).toEqual([0, SERVICE.windowSharedBytes]);
      }),
      { numRuns: 200 },
    );
  });

  it("grows while all of it is used, and shrinks when it is not", () => {
    const pool = new WindowPool();
    const window = new Window(pool);
    let left = window.begin(0);
    for (let turn = 0; turn < 20; turn += 1) left = window.taken(left, turn);
    expect(left).toBeGreaterThanOrEqual(SERVICE.windowMaxBytes / 2);
    let now = 10_000;
    for (let turn = 0; turn < 200; turn += 1) {
      now += 600;
      left -= 4_096;
      left += window.taken(4_096, now);
    }
    expect(left).toBeLessThanOrEqual(2 * SERVICE.windowMinBytes);
  });

  it("leaves something to those who come after some that stand still", () => {
    const pool = new WindowPool();
    for (let turn = 0; turn < 8; turn += 1) {
      const window = new Window(pool);
      let left = window.begin(0);
      for (let round = 0; round < 10; round += 1) left = window.taken(left, round);
    }
    expect(new Window(pool).begin(0)).toBeGreaterThanOrEqual(SERVICE.windowMinBytes);
  });
});
