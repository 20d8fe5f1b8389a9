/** Bytes of one connection that are handled in one turn of the event loop, one message at least … */
const PER_TURN_BYTES = 16 * 1024;
/** … of which a short message takes as many as this, since it costs as much: four of them take about a millisecond. */
const LEAST_BYTES = 4 * 1024;

/**
 * Gives every connection its turn (E4): a member that sends many messages at once, of which one read of a socket brings hundreds, does
 * not take the turn of those who say one.
 */
export class Turns<Key, Item extends { readonly length: number }> {
  readonly #handle: (key: Key, item: Item) => void;
  /** Called when a connection has more than it gets in this turn, and when all of that is done. */
  readonly #onWaiting: (key: Key, isWaiting: boolean) => void;
  readonly #taken = new Map<Key, number>();
  readonly #waiting = new Map<Key, Item[]>();
  /** Not handled until they are released, whatever has come. */
  readonly #held = new Set<Key>();
  #isScheduled = false;

  constructor(handle: (key: Key, item: Item) => void, onWaiting: (key: Key, isWaiting: boolean) => void) {
    this.#handle = handle;
    this.#onWaiting = onWaiting;
  }

  isWaiting(key: Key): boolean {
    return this.#waiting.has(key);
  }

  /** Handles nothing more of this connection until {@link release}. */
  hold(key: Key): void {
    this.#held.add(key);
  }

  release(key: Key): void {
    if (this.#held.delete(key) && this.#waiting.has(key)) this.#schedule();
  }

  /** Handled now, or in its turn. */
  add(key: Key, item: Item): void {
    this.#schedule();
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) waiting.push(item);
    else if (this.#hasTurn(key)) this.#take(key, item);
    else {
      this.#waiting.set(key, [item]);
      this.#onWaiting(key, true);
    }
  }

  /** Nothing more comes of this connection: what waits is handled now. */
  finish(key: Key): void {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    this.#taken.delete(key);
    this.#held.delete(key);
    for (const item of waiting ?? []) this.#handle(key, item);
  }

  #hasTurn(key: Key): boolean {
    return !this.#held.has(key) && (this.#taken.get(key) ?? 0) < PER_TURN_BYTES;
  }

  #take(key: Key, item: Item): void {
    this.#taken.set(key, (this.#taken.get(key) ?? 0) + Math.max(LEAST_BYTES, item.length));
    this.#handle(key, item);
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
      for (let item = items[0]; item !== undefined && this.#hasTurn(key); item = items[0]) {
        items.shift();
        this.#take(key, item);
      }
      if (items.length > 0 || !this.#waiting.delete(key)) continue;
      this.#onWaiting(key, false);
    }
    for (const key of this.#waiting.keys()) if (!this.#held.has(key)) return this.#schedule();
  }
}
