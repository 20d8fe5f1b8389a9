import { LINK } from "../../protocol/base/limits.ts";
import type { Clock } from "../../runtime/clock.ts";

/** What became of a message that was waited for. */
export type Confirmation =
  | { readonly name: "confirmed"; readonly seq: number }
  /** Nobody has confirmed it yet; somebody still may. */
  | { readonly name: "late" }
  /** Nobody will confirm it any more. */
  | { readonly name: "hopeless" };

/**
 * Messages that are sent and not confirmed; each is waited for a moment and no longer. The machine tells of every message that it
 * has taken, either that it was confirmed or that it cannot be any more, so its outbox bounds what is kept here.
 */
export class Confirmations {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, (found: Confirmation) => void>();
  /** Told of a confirmation for which nobody waits any longer. */
  readonly #late = new Map<number, (seq: number) => void>();
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Messages that somebody waits for, or wants to be told of later. */
  get size(): number {
    return this.#waiting.size + this.#late.size;
  }

  /** Waits for the confirmation of message `key`. */
  wait(key: number): Promise<Confirmation> {
    if (this.#isOver) return Promise.resolve({ name: "hopeless" });
    return new Promise((resolve) => {
      const end = (found: Confirmation): void => {
        cancel();
        this.#waiting.delete(key);
        resolve(found);
      };
      let cancel = this.#clock.after(LINK.sayConfirmMs, () => {
        // In a burst this process may have been too busy to read what has come: that is read first, so that it counts.
        cancel = this.#clock.after(0, () => end({ name: "late" }));
      });
      this.#waiting.set(key, end);
    });
  }

  /** Message `key` was answered without a confirmation: this is told of one that still comes. */
  later(key: number, onConfirmed: ((seq: number) => void) | undefined): void {
    if (onConfirmed !== undefined && !this.#isOver) this.#late.set(key, onConfirmed);
  }

  confirm(key: number, seq: number): void {
    this.#waiting.get(key)?.({ name: "confirmed", seq });
    const late = this.#late.get(key);
    this.#late.delete(key);
    late?.(seq);
  }

  /** Nobody is left to confirm message `key`. */
  giveUp(key: number): void {
    this.#waiting.get(key)?.({ name: "hopeless" });
    this.#late.delete(key);
  }

  /** Nothing more will be confirmed. */
  end(): void {
    this.#isOver = true;
    for (const end of this.#waiting.values()) end({ name: "hopeless" });
    this.#late.clear();
  }
}
