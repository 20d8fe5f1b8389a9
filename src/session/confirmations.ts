import { LINK } from "../protocol/base/limits.ts";
import type { Clock } from "../runtime/clock.ts";
import { wait } from "../runtime/wait.ts";

/** Messages that are sent and not confirmed; each is waited for a moment and no longer. */
export class Confirmations {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, (seq: number | undefined) => void>();
  /** Told of a confirmation for which nobody waits any longer. */
  readonly #late = new Map<number, (seq: number) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The place of message `key` once it is confirmed; `undefined` when that takes too long, or all is over. */
  async wait(key: number): Promise<number | undefined> {
    let place: number | undefined;
    await wait(this.#clock, LINK.sayConfirmMs, {
      until: (wake) => {
        this.#waiting.set(key, (seq) => {
          place = seq;
          wake();
        });
        return () => this.#waiting.delete(key);
      },
    });
    return place;
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
