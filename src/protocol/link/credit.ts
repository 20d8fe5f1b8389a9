import { FILE } from "../base/limits.ts";

/**
 * How much a receiver lets come ahead of what it has taken in (S4): what it took in during the last half second, within
 * bounds. A fast link is kept full; on a slow one what is said does not wait long behind a file.
 */
export class CreditWindow {
  #target: number = FILE.windowMinBytes;
  /** Granted and not yet taken in. */
  #outstanding = 0;
  /** Taken in since the last look, and when that was. */
  #taken = 0;
  #since: number;

  constructor(now: number) {
    this.#since = now;
  }

  /** Bytes that may still come without being asked for again. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** A stream begins: what to grant with it, of at most `share`. */
  begin(now: number, share: number): number {
    this.#since = now;
    this.#taken = 0;
    this.#outstanding = Math.floor(Math.min(this.#target, share));
    return this.#outstanding;
  }

  /** So much was taken in; gives what to grant now, 0 for nothing yet. `share` bounds the whole window. */
  taken(bytes: number, now: number, share: number): number {
    this.#outstanding -= bytes;
    this.#taken += bytes;
    const elapsed = now - this.#since;
    if (elapsed >= FILE.windowMs || this.#taken > this.#target) {
      const perWindow = elapsed <= 0 ? Number.POSITIVE_INFINITY : (this.#taken * FILE.windowMs) / elapsed;
      this.#target = Math.min(FILE.windowMaxBytes, Math.max(FILE.windowMinBytes, perWindow));
      if (elapsed >= FILE.windowMs) {
        this.#taken = 0;
        this.#since = now;
      }
    }
    const target = Math.floor(Math.min(this.#target, share));
    const grant = target - this.#outstanding;
    // A grant costs a frame, and wakes the sender up: half of the window at a time.
    if (grant < target / 2) return 0;
    this.#outstanding += grant;
    return grant;
  }
}
