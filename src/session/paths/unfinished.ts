import { randomBytes } from "node:crypto";
import path from "node:path";
import { writeFailure } from "./failures.ts";
import type { SavePlace } from "./place.ts";

/** Files or folders that are on their way in, so that none stays behind when the process ends. */
export class Unfinished {
  readonly #parts = new Set<string>();
  readonly #removeNow: (part: string) => void;

  constructor(removeNow: (part: string) => void) {
    this.#removeNow = removeNow;
  }

  get size(): number {
    return this.#parts.size;
  }

  /**
   * Begins one beside its place, under a name that nobody can guess and that marks it as unfinished.
   * @throws {TunnelError} disk-full, save-failed, save-denied
   */
  async begin<T>({ folder }: SavePlace, make: (part: string, done: () => void) => Promise<T>): Promise<T> {
    const part = path.join(folder, `.${randomBytes(12).toString("hex")}.tunnel-part`);
    const done = (): void => void this.#parts.delete(part);
    // Before it is there, so that there is no moment at which it is there and unknown.
    this.#parts.add(part);
    try {
      return await make(part, done);
    } catch (error) {
      done();
      throw writeFailure(error);
    }
  }

  /** For the end of the process, when nothing can be waited for. */
  removeAll(): void {
    for (const part of this.#parts) {
      try {
        this.#removeNow(part);
      } catch {
        // Committed or removed at this very moment, or out of reach: there is nothing left to do.
      }
    }
    this.#parts.clear();
  }
}
