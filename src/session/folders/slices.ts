/** The event loop is not kept for longer in one go. */
const SLICE_MS = 4;

/**
 * Many small calls of the system that do not wait for a disk cost less in a row than each by itself. Between them the others get their
 * turn.
 */
export class Slices {
  #since = performance.now();

  /** Whether the others are to have their turn first. */
  get isOver(): boolean {
    return performance.now() - this.#since >= SLICE_MS;
  }

  /** Resolves when the next call may be made. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.#since = performance.now();
  }
}
