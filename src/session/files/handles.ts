import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import type { Clock } from "../../runtime/clock.ts";
import { READ_ONLY, type ShareSource } from "../paths/share.ts";

export const HANDLES = {
  /** Files open at once while nobody reads; a share may stand for hours, and descriptors are few. */
  maxIdle: 16,
  /** Longer than the pauses between the chunks of one transfer. */
  idleMs: 10_000,
} as const;

interface Entry {
  readonly handle: Promise<FileHandle>;
  users: number;
  cancelIdle: () => void;
}

/** The open files behind the shares: opened when one is read, closed when nobody has for a while. */
export class Handles {
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    return this.#entries.size;
  }

  /** Runs `work` on the open file; it stays open for the next call. A failure closes it. */
  async use<T>(source: ShareSource, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    // Not the path alone: after a file was replaced and shared anew, the old one may still be open.
    const key = `${source.identity.dev}:${source.identity.ino}:${source.file}`;
    const entry = this.#entries.get(key) ?? this.#opened(source.file);
    entry.cancelIdle();
    entry.users += 1;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    let isFine = false;
    try {
      const result = await work(await entry.handle);
      isFine = true;
      return result;
    } finally {
      entry.users -= 1;
      if (!isFine && this.#entries.get(key) === entry) this.#entries.delete(key);
      await this.#settle(key, entry);
    }
  }

  async closeAll(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.filter(({ users }) => users === 0).map(close));
  }

  #opened(file: string): Entry {
    return { handle: open(file, READ_ONLY), users: 0, cancelIdle: () => undefined };
  }

  /** After a use: the last user closes a file that is no longer kept. */
  async #settle(key: string, entry: Entry): Promise<void> {
    if (entry.users > 0) return;
    if (this.#entries.get(key) !== entry) return await close(entry);
    entry.cancelIdle = this.#clock.after(HANDLES.idleMs, () => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      void close(entry);
    });
    const idle = [...this.#entries].filter(([, { users }]) => users === 0);
    for (const [name, oldest] of idle.slice(0, Math.max(0, idle.length - HANDLES.maxIdle))) {
      this.#entries.delete(name);
      await close(oldest);
    }
  }
}

async function close(entry: Entry): Promise<void> {
  entry.cancelIdle();
  try {
    await (await entry.handle).close();
  } catch {
    // It was never opened, or is closed already; its user was told.
  }
}
