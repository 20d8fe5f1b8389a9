/** How many of something each key has at the moment. */
export class Counts {
  readonly #counts = new Map<string, number>();
  #total = 0;
  /** So many the other nodes have; none where there is only one. */
  others: (key: string) => number = () => 0;
  onChange: (key: string, count: number) => void = () => undefined;

  get total(): number {
    return this.#total;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  entries(): Iterable<readonly [key: string, count: number]> {
    return this.#counts;
  }

  /** One more, unless that is too many. The returned function gives it back, once. */
  take(key: string, most: number): (() => void) | undefined {
    const before = this.of(key);
    if (before >= most || before + this.others(key) >= most) return undefined;
    this.#counts.set(key, before + 1);
    this.onChange(key, before + 1);
    this.#total += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#total -= 1;
      const left = this.of(key) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
      this.onChange(key, left);
    };
  }
}
