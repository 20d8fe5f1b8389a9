import type { Writable } from "node:stream";

/** So much goes into one write: more would let the other side wait for work that it could begin. */
const GATHERED_BYTES = 16 * 1024;

/**
 * Puts what is written to a stream in one turn of the event loop into few writes, since each is a system call and may wake the other
 * side. What is written first in a turn goes out at once: mostly it is all there is, and somebody waits for it.
 */
export class GatheredWrites {
  readonly #stream: Writable;
  #isInTurn = false;
  #isCorked = false;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Calls `write`, which writes to the stream. */
  write<Result>(write: () => Result): Result {
    this.#begin();
    try {
      return write();
    } finally {
      if (this.#stream.writableLength >= GATHERED_BYTES) this.#flush();
    }
  }

  #begin(): void {
    if (!this.#isInTurn) {
      this.#isInTurn = true;
      process.nextTick(() => {
        this.#isInTurn = false;
        this.#flush();
      });
    } else if (!this.#isCorked) {
      this.#isCorked = true;
      this.#stream.cork();
    }
  }

  #flush(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#stream.uncork();
  }
}
