import type { Clock } from "../../runtime/clock.ts";

/** So many things by key, each for a while. The oldest gives way to one more. */
export class Kept<Value> {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #all = new Map<string, { readonly value: Value; readonly endsAt: number }>();

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  get size(): number {
    this.#sweep();
    return this.#all.size;
  }

  values(): readonly Value[] {
    this.#sweep();
    return [...this.#all.values()].map(({ value }) => value);
  }

  /** @param ms how long it is kept; anew where it was there */
  set(key: string, value: Value, ms: number): void {
    this.#sweep();
    this.#all.delete(key);
    this.#all.set(key, { value, endsAt: this.#clock.now() + ms });
    const [oldest] = this.#all.keys();
    if (this.#all.size > this.#most && oldest !== undefined) this.#all.delete(oldest);
  }

  get(key: string): Value | undefined {
    const found = this.#all.get(key);
    return found === undefined || found.endsAt <= this.#clock.now() ? undefined : found.value;
  }

  delete(key: string): void {
    this.#all.delete(key);
  }

  clear(): void {
    this.#all.clear();
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const [key, { endsAt }] of this.#all) if (endsAt <= now) this.#all.delete(key);
  }
}
