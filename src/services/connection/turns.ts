import type { Clock } from "../../runtime/clock.ts";

/** So many bytes are sealed in one turn of the event loop: a millisecond or two, after which whatever else has come has its turn. */
const BYTES_PER_TURN = 160 * 1024;
/** More connections than this that wait at once are a crowd: nobody waits for one of them as for a download, and words go between. */
const CROWD = 4;
/** A crowd has so much in so many ms: 24 MB/s together. */
const CROWD_BYTES = 96 * 1024;
const CROWD_MS = 4;

/** Shares the turns of the event loop between all connections of one side, and leaves some of each to messages. */
export class SendTurns {
  readonly #clock: Clock;
  #left = BYTES_PER_TURN;
  #waiting = 0;
  #next: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when so many bytes may be sealed: at once, where this turn has not had its share. */
  async take(bytes: number): Promise<void> {
    while (this.#left <= 0) {
      this.#waiting += 1;
      await this.#nextTurn();
      this.#waiting -= 1;
    }
    this.#left -= bytes;
    if (this.#next === undefined) void this.#nextTurn();
  }

  #nextTurn(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        const isCrowd = this.#waiting > CROWD;
        const begin = (): void => {
          this.#left = isCrowd ? CROWD_BYTES : BYTES_PER_TURN;
          this.#next = undefined;
          resolve();
        };
        if (isCrowd) this.#clock.after(CROWD_MS, begin);
        else begin();
      });
    });
    return this.#next;
  }
}
