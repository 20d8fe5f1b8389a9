import { PRE_AUTH } from "../base/limits.ts";

/** Failed proofs of each source, as a bucket that empties with time (A3). Bounded: who has been quiet longest is forgotten. */
export class FailureRate {
  readonly #failures = new Map<string, { count: number; at: number }>();

  /** Whether a source may try once more. */
  admits(source: string, now: number): boolean {
    return this.#countOf(source, now) < PRE_AUTH.failureBurst;
  }

  record(source: string, now: number): void {
    const count = Math.min(this.#countOf(source, now) + 1, PRE_AUTH.failureBurst);
    // Re-inserting keeps the map in order of use, so that the first key is the one longest unused.
    this.#failures.delete(source);
    this.#failures.set(source, { count, at: now });
    if (this.#failures.size <= PRE_AUTH.maxSources) return;
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest);
      return;
    }
  }

  #countOf(source: string, now: number): number {
    const failures = this.#failures.get(source);
    if (failures === undefined) return 0;
    return Math.max(0, failures.count - Math.floor((now - failures.at) / PRE_AUTH.failureRefillMs));
  }
}
