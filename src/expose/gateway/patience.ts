import type { Clock } from "../../runtime/clock.ts";

/** Ends what makes no progress for too long. Progress costs no timer: a timer that comes too early is set once more. */
export class Patience {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #limitMs: number;
  #lastMs: number;
  #stop: () => void;

  /** @param onEnd called once, unless `stop` is called before */
  constructor(clock: Clock, limitMs: number, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#limitMs = limitMs;
    this.#lastMs = clock.now();
    this.#stop = clock.after(limitMs, this.#look);
  }

  /** Something has moved. */
  progress(): void {
    this.#lastMs = this.#clock.now();
  }

  /** From now on, so much time without progress is too long. */
  wait(limitMs: number): void {
    this.progress();
    const isShorter = limitMs < this.#limitMs;
    this.#limitMs = limitMs;
    if (!isShorter) return;
    this.#stop();
    this.#stop = this.#clock.after(limitMs, this.#look);
  }

  stop(): void {
    this.#stop();
  }

  readonly #look = (): void => {
    const leftMs = this.#lastMs + this.#limitMs - this.#clock.now();
    if (leftMs <= 0) this.#onEnd();
    else this.#stop = this.#clock.after(leftMs, this.#look);
  };
}
