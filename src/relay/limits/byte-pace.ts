import type { Throttle } from "../../uplink/line/splice.ts";

/** Bytes a second through one tunnel, whatever visitors it has: what is too fast is read later, and nothing is dropped. */
export class BytePace implements Throttle {
  readonly perSecond: number;
  readonly #now: () => number;
  /** When what has been spent is paid for. */
  #paidAt: number;

  constructor(perSecond: number, now: () => number) {
    this.perSecond = perSecond;
    this.#now = now;
    this.#paidAt = now();
  }

  /** @returns milliseconds until the next bytes may be read; a tenth of a second's worth may be ahead */
  spent(bytes: number): number {
    this.#paidAt = Math.max(this.#paidAt, this.#now()) + (bytes * 1_000) / this.perSecond;
    return this.waitMs();
  }

  waitMs(): number {
    return Math.max(0, this.#paidAt - this.#now() - AHEAD_MS);
  }
}

const AHEAD_MS = 100;
