/** So many events a minute of each key, some of them at once. Keys that are quiet are forgotten. */
export class Pace {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #maxKeys: number;
  readonly #keys = new Map<string, { level: number; at: number }>();

  constructor(perMinute: number, now: () => number, maxKeys = 100_000) {
    this.#perMinute = perMinute;
    this.#now = now;
    this.#maxKeys = maxKeys;
  }

  /** Whether there may be one more now. */
  admits(key: string): boolean {
    const now = this.#now();
    const known = this.#keys.get(key);
    const drained =
      known === undefined ? 0 : Math.max(0, known.level - ((now - known.at) / 60_000) * this.#perMinute);
    const isAdmitted = drained + 1 <= this.#perMinute;
    // Put last: the first ones are those that have been quiet for longest.
    this.#keys.delete(key);
    this.#keys.set(key, { level: isAdmitted ? drained + 1 : drained, at: now });
    this.#forget(now);
    return isAdmitted;
  }

  #forget(now: number): void {
    for (const [key, { at }] of this.#keys) {
      if (now - at < 60_000 && this.#keys.size <= this.#maxKeys) return;
      this.#keys.delete(key);
    }
  }
}
