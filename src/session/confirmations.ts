import { LINK } from "../protocol/base/limits.ts";
import type { Clock } from "../runtime/clock.ts";

/** Messages for which the far end has not said yet that it has them; each is waited for a moment and no longer. */
export class Confirmations {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, (seq: number | undefined) => void>();
  /** Whom to tell of what is confirmed when nobody waits for it any longer. */
  readonly #late = new Map<number, (seq: number) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The place of message `key` once it is confirmed; `undefined` when that takes too long, or all is over. */
  wait(key: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      const done = (seq: number | undefined): void => {
        cancelTimer();
        this.#waiting.delete(key);
        resolve(seq);
      };
      const cancelTimer = this.#clock.after(LINK.sayConfirmMs, () => done(undefined));
      this.#waiting.set(key, done);
    });
  }

  /** Message `key` was answered without a confirmation: this is told of one that still comes. */
  later(key: number, onConfirmed: ((seq: number) => void) | undefined): void {
    if (onConfirmed !== undefined) this.#late.set(key, onConfirmed);
  }

  confirm(key: number, seq: number): void {
    this.#waiting.get(key)?.(seq);
    const late = this.#late.get(key);
    this.#late.delete(key);
    late?.(seq);
  }

  /** Nothing more will be confirmed. */
  end(): void {
    for (const done of this.#waiting.values()) done(undefined);
    this.#late.clear();
  }
}
