type Happening = () => void;

/** What happens when: at one time in the order in which it was planned. */
export class Timeline {
  /** Due at once, taken from the front; an index costs less than shifting. */
  #ready: Happening[] = [];
  #taken = 0;
  /** By time, and of one time by order of planning. */
  readonly #later: { due: number; happen: Happening }[] = [];

  at(due: number, now: number, happen: Happening): void {
    if (due <= now) {
      this.#ready.push(happen);
      return;
    }
    let low = 0;
    let high = this.#later.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#later[middle]?.due ?? 0) <= due) low = middle + 1;
      else high = middle;
    }
    this.#later.splice(low, 0, { due, happen });
  }

  /** When the next thing is due that is not due yet. */
  get next(): number {
    return this.#later[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  take(now: number): Happening | undefined {
    for (let first = this.#later[0]; first !== undefined && first.due <= now; first = this.#later[0]) {
      this.#ready.push(first.happen);
      this.#later.shift();
    }
    const happening = this.#ready[this.#taken];
    this.#taken += 1;
    if (happening !== undefined) return happening;
    this.#ready = [];
    this.#taken = 0;
    return undefined;
  }
}
