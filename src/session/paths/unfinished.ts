import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import path from "node:path";
import { writeFailure } from "./failures.ts";
import type { SavePlace } from "./place.ts";

const SUFFIX = ".tunnel-part";
const NAME = /^\.[0-9a-f]{24}\.tunnel-part$/;

/** The random part of the name of an unfinished file or folder; undefined for any other name. */
export function partTag(part: string): string | undefined {
  const name = path.basename(part);
  return NAME.test(name) ? name.slice(1, -SUFFIX.length) : undefined;
}

/** Whether an unfinished file or folder of this name can lie in a folder: nothing else is ever touched. */
export function isPartOf(part: string, folder: string): boolean {
  return path.dirname(part) === folder && NAME.test(path.basename(part));
}

/** Removes one that an earlier process has left. Never rejects. */
export async function removePart(part: string): Promise<void> {
  if (NAME.test(path.basename(part))) await rm(part, { recursive: true, force: true }).catch(() => undefined);
}

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
   * @param onPart told of it before it is there
   * @throws {TunnelError} disk-full, save-failed, save-denied
   */
  async begin<T>(
    { folder }: SavePlace,
    make: (part: string, done: () => void) => Promise<T>,
    onPart?: (part: string) => void,
  ): Promise<T> {
    const part = path.join(folder, `.${randomBytes(12).toString("hex")}${SUFFIX}`);
    const done = (): void => void this.#parts.delete(part);
    // Before it is there, so that there is no moment at which it is there and unknown.
    this.#parts.add(part);
    onPart?.(part);
    try {
      return await make(part, done);
    } catch (error) {
      done();
      throw writeFailure(error);
    }
  }

  /** One that an earlier process has begun there, and to which this one comes back. */
  async resume<T>(part: string, make: (part: string, done: () => void) => Promise<T>): Promise<T> {
    this.#parts.add(part);
    const done = (): void => void this.#parts.delete(part);
    try {
      return await make(part, done);
    } catch (error) {
      done();
      throw error;
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
