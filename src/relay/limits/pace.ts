/** So many events a minute of each key, some of them at once. Keys that are quiet are forgotten. */
export class Pace {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #maxKeys: number;
  readonly #keys = new Map<string, { level: number; at: number }>();
  /** How a key is written here and at other nodes. */
  keyOf: (key: string) => string = (key) => key;
  onAdmitted: (key: string) => void = () => undefined;

  constructor(perMinute: number, now: () => number, maxKeys = 100_000) {
    this.#perMinute = perMinute;
    this.#now = now;
    this.#maxKeys = maxKeys;
  }

  /** Whether there may be one more now. */
  admits(key: string): boolean {
    const own = this.keyOf(key);
    const drained = this.#drained(own);
    const isAdmitted = drained + 1 <= this.#perMinute;
    this.#put(own, isAdmitted ? drained + 1 : drained);
    if (isAdmitted) this.onAdmitted(key);
    return isAdmitted;
  }

  /** There were so many more of it, at other nodes; `key` as {@link keyOf} writes it. */
  add(key: string, times: number): void {
    this.#put(key, this.#drained(key) + times);
  }

  #drained(key: string): number {
    const known = this.#keys.get(key);
    if (known === undefined) return 0;
    return Math.max(0, known.level - ((this.#now() - known.at) / 60_000) * this.#perMinute);
  }

  #put(key: string, level: number): void {
    const now = this.#now();
    // Put last: the first ones are those that have been quiet for longest.
    this.#keys.delete(key);
    this.#keys.set(key, { level, at: now });
    this.#forget(now);
  }

  #forget(now: number): void {
    for (const [key, { at }] of this.#keys) {
      if (now - at < 60_000 && this.#keys.size <= this.#maxKeys) return;
      this.#keys.delete(key);
    }
  }
}
