/** Messages of one connection that are read in one turn of the event loop: about a millisecond of the host's time. */
const PER_TURN = 4;

/**
 * Gives every connection its turn (E4): a member that sends many messages at once, of which one read of a socket brings hundreds, does
 * not take the turn of those who say one.
 */
export class Turns<Key, Item> {
  readonly #handle: (key: Key, item: Item) => void;
  /** Called when a connection has more than it gets in this turn, and when all of that is done. */
  readonly #onWaiting: (key: Key, isWaiting: boolean) => void;
  readonly #taken = new Map<Key, number>();
  readonly #waiting = new Map<Key, Item[]>();
  #isScheduled = false;

  constructor(handle: (key: Key, item: Item) => void, onWaiting: (key: Key, isWaiting: boolean) => void) {
    this.#handle = handle;
    this.#onWaiting = onWaiting;
  }

  isWaiting(key: Key): boolean {
    return this.#waiting.has(key);
  }

  /** Handled now, or in its turn. */
  add(key: Key, item: Item): void {
    this.#schedule();
    const waiting = this.#waiting.get(key);
    const taken = this.#taken.get(key) ?? 0;
    if (waiting !== undefined) waiting.push(item);
    else if (taken < PER_TURN) {
      this.#taken.set(key, taken + 1);
      this.#handle(key, item);
    } else {
      this.#waiting.set(key, [item]);
      this.#onWaiting(key, true);
    }
  }

  /** Nothing more comes of this connection: what waits is handled now. */
  finish(key: Key): void {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    this.#taken.delete(key);
    for (const item of waiting ?? []) this.#handle(key, item);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#taken.clear();
    for (const [key, items] of this.#waiting) {
      for (const item of items.splice(0, PER_TURN)) this.#handle(key, item);
      if (items.length > 0 || !this.#waiting.delete(key)) continue;
      this.#onWaiting(key, false);
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}
