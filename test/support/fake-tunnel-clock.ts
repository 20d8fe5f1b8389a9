import type { Clock } from "../../src/runtime/clock.ts";

/** A clock that stands still until told to move; then everything due runs in order. */
export class FakeClock implements Clock {
  #now = 1_800_000_000_000;
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    // What is due now needs no time to pass.
    if (ms <= 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get waiting(): number {
    return this.#timers.length;
  }

  /** Moves the time, letting promises settle before and after each timer. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
    await settle();
  }
}

/** Real time, only faster, and able to jump ahead: for tests that wait for a real process. */
export function fastClock(factor: number): Clock & { jump(ms: number): void } {
  const start = Date.now();
  let ahead = 0;
  return {
    now: () => start + (Date.now() - start) * factor + ahead,
    after(ms, callback) {
      if (ms <= 0) {
        const immediate = setImmediate(callback);
        return () => clearImmediate(immediate);
      }
      const timer = setTimeout(callback, ms / factor);
      return () => clearTimeout(timer);
    },
    jump(ms) {
      ahead += ms;
    },
  };
}

/** Lets everything that only waits for promises run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
