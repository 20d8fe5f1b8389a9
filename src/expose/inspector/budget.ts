/** Something that takes up memory and can be made to give it back. */
interface Holder {
  /** Gives everything back, by {@link MemoryBudget.leave}. */
  forget(): void;
}

/** Memory that several inspectors share. Where it is used up, the oldest holder of all of them goes first. */
export class MemoryBudget {
  readonly #maxBytes: number;
  /** In the order in which they came. */
  readonly #holders = new Map<Holder, number>();
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get used(): number {
    return this.#used;
  }

  /** A new holder, or more for one that is there. It may be the one that has to go. */
  take(holder: Holder, bytes: number): void {
    this.#holders.set(holder, (this.#holders.get(holder) ?? 0) + bytes);
    this.#used += bytes;
    while (this.#used > this.#maxBytes) {
      const [oldest] = this.#holders.keys();
      if (oldest === undefined) break;
      oldest.forget();
    }
  }

  leave(holder: Holder): void {
    this.#used -= this.#holders.get(holder) ?? 0;
    this.#holders.delete(holder);
  }
}
