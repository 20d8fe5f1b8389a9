/** So many bytes are sealed in one turn of the event loop: a millisecond or two, after which whatever else has come has its turn. */
const BYTES_PER_TURN = 160 * 1024;

/** Shares the turns of the event loop between all connections of one side, and leaves some of each to messages. */
export class SendTurns {
  #left = BYTES_PER_TURN;
  #next: Promise<void> | undefined;

  /** Resolves when so many bytes may be sealed: at once, where this turn has not had its share. */
  async take(bytes: number): Promise<void> {
    while (this.#left <= 0) await this.#nextTurn();
    this.#left -= bytes;
    if (this.#next === undefined) void this.#nextTurn();
  }

  #nextTurn(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#left = BYTES_PER_TURN;
        this.#next = undefined;
        resolve();
      });
    });
    return this.#next;
  }
}
