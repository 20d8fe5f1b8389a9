import type { Clock } from "../runtime/clock.ts";

/** Calls that wait for something to happen. */
export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when something has happened, the time is up, or the call is cancelled; leaves no timer behind. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || timeoutMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancelTimer();
        signal.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      const cancelTimer = this.#clock.after(timeoutMs, done);
      signal.addEventListener("abort", done);
      this.#waiting.add(done);
    });
  }

  /** Something has happened: everybody looks again. */
  wake(): void {
    for (const done of this.#waiting) done();
  }
}
