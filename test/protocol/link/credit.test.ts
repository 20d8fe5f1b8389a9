import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CreditWindow } from "../../../src/protocol/link/credit.ts";
import { FILE } from "../../../src/protocol/base/limits.ts";
import { seeded } from "../../hostile-peers/support/input.ts";

const LARGEST = 131_072;
const ALL = FILE.windowTotalBytes;

/** A stream at a steady rate: chunks leave as soon as there is credit, over a link with this delay. */
function flow(options: { bytesPerSecond: number; delayMs: number; seconds: number; share?: number }) {
  const { bytesPerSecond, delayMs, seconds, share = ALL } = options;
  const credit = new CreditWindow(0);
  let [now, linkFreeAt, taken, widest] = [0, 0, 0, 0];
  let outstanding = credit.begin(now, share);
  /** Grants on their way back, and chunks on their way here. */
  const grants: { at: number; bytes: number }[] = [{ at: delayMs, bytes: outstanding }];
  const chunks: number[] = [];
  let spendable = 0;
  while (now < seconds * 1_000) {
    const next = Math.min(grants[0]?.at ?? Infinity, chunks[0] ?? Infinity);
    if (next === Infinity) throw new Error("nothing moves any more");
    now = Math.max(now, next);
    if (grants[0] !== undefined && grants[0].at <= now) spendable += grants.shift()?.bytes ?? 0;
    while (spendable >= LARGEST) {
      spendable -= LARGEST;
      linkFreeAt = Math.max(linkFreeAt, now) + (LARGEST / bytesPerSecond) * 1_000;
      chunks.push(linkFreeAt + delayMs);
    }
    if (chunks[0] !== undefined && chunks[0] <= now) {
      chunks.shift();
      taken += LARGEST;
      outstanding -= LARGEST;
      const bytes = credit.taken(LARGEST, now, share);
      outstanding += bytes;
      if (bytes > 0) grants.push({ at: now + delayMs, bytes });
    }
    if (now > 2_000) widest = Math.max(widest, outstanding);
  }
  return { widest, rate: taken / seconds };
}

describe("the credit of a receiver", () => {
  it("[S4] begins with 256 KiB, or less where its share is less", () => {
    expect(new CreditWindow(0).begin(0, ALL)).toBe(262_144);
    expect(new CreditWindow(0).begin(0, 200_000)).toBe(200_000);
  });

  it("[S4] stays at 256 KiB on a link of half a megabit, which is then never drowned", () => {
    const { widest, rate } = flow({ bytesPerSecond: 64 * 1024, delayMs: 50, seconds: 60 });
    expect(widest).toBe(FILE.windowMinBytes);
    expect(rate).toBeGreaterThan(60 * 1024);
  });

  it("[S4] follows the rate between its bounds: half a second of it", () => {
    const bytesPerSecond = 1_500_000;
    const { widest, rate } = flow({ bytesPerSecond, delayMs: 60, seconds: 60 });
    expect(widest).toBeGreaterThan(bytesPerSecond * 0.35);
    expect(widest).toBeLessThan(bytesPerSecond * 0.75);
    expect(rate).toBeGreaterThan(bytesPerSecond * 0.95);
  });

  it("[S4] grows to 2 MiB on a fast link and fills it, whatever the delay allows", () => {
    const { widest, rate } = flow({ bytesPerSecond: 50_000_000, delayMs: 20, seconds: 10 });
    expect(widest).toBeLessThanOrEqual(FILE.windowMaxBytes);
    expect(widest).toBeGreaterThan(FILE.windowMaxBytes * 0.9);
    // Two megabytes a round trip of 40 ms, less what a grant of a quarter leaves unused.
    expect(rate).toBeGreaterThan(20_000_000);
  });

  it("[S4] keeps to its share, however fast it is", () => {
    const share = ALL / 4;
    const { widest } = flow({ bytesPerSecond: 50_000_000, delayMs: 20, seconds: 5, share });
    expect(widest).toBeLessThanOrEqual(share);
    expect(widest).toBeGreaterThan(share * 0.7);
  });

  it("[S4] shrinks again when the link becomes slow", () => {
    const credit = new CreditWindow(0);
    let [now, outstanding] = [0, credit.begin(0, ALL)];
    const take = (every: number): void => {
      now += every;
      outstanding += credit.taken(LARGEST, now, ALL) - LARGEST;
    };
    for (let turn = 0; turn < 200; turn += 1) take(5);
    expect(outstanding).toBeGreaterThan(FILE.windowMaxBytes / 2);
    for (let turn = 0; turn < 40; turn += 1) take(1_000);
    expect(outstanding).toBeLessThanOrEqual(FILE.windowMinBytes);
  });

  it("[S4] stays within its bounds at any rates and shares, and always lets the next chunk come", () => {
    const step = fc.record({
      wait: fc.oneof(fc.constant(0), fc.nat(5), fc.nat(2_000), fc.nat(100_000)),
      size: fc.constantFrom(256, 1_024, 16_384, LARGEST, LARGEST),
      others: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const credit = new CreditWindow(0);
        let [now, outstanding] = [0, credit.begin(0, ALL)];
        for (const { wait, size, others } of steps) {
          const share = ALL / (1 + others);
          now += wait;
          expect(outstanding).toBeGreaterThanOrEqual(size);
          outstanding -= size;
          const grant = credit.taken(size, now, share);
          expect(Number.isInteger(grant) && grant >= 0).toBe(true);
          outstanding += grant;
          if (grant > 0) expect(outstanding).toBeLessThanOrEqual(Math.min(FILE.windowMaxBytes, share));
          expect(outstanding).toBeLessThanOrEqual(FILE.windowMaxBytes);
          // The largest chunk may always come: nobody waits for the other one.
          expect(outstanding).toBeGreaterThanOrEqual(LARGEST);
        }
      }),
      seeded(74, 300),
    );
  });

  it("[S4] a new stream begins at the width that the last one had found", () => {
    const credit = new CreditWindow(0);
    let outstanding = credit.begin(0, ALL);
    for (let now = 1; now < 300; now += 1) outstanding += credit.taken(LARGEST, now, ALL) - LARGEST;
    expect(outstanding).toBeGreaterThan(FILE.windowMaxBytes / 2);
    expect(credit.begin(10_000, ALL)).toBe(FILE.windowMaxBytes);
    expect(credit.begin(10_000, 300_000)).toBe(300_000);
  });
});
