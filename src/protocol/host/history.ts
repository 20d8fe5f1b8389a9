import type { Beginning } from "../room/order.ts";
import type { Bytes } from "../base/bytes.ts";
import { ROOM } from "../base/limits.ts";

interface Item {
  readonly payload: Bytes;
  /** Where a room would begin that does not hold this item. */
  readonly after: Beginning;
}

/**
 * The part of the past that later members are given (O9): the frames of the order as any member may see them, the
 * newest that fit. Empty, and always at the present, unless the host has asked for it.
 */
export class History {
  readonly #isKept: boolean;
  #items: Item[] = [];
  #bytes = 0;
  #beginning: Beginning;

  constructor(isKept: boolean, beginning: Beginning) {
    this.#isKept = isKept;
    this.#beginning = beginning;
  }

  get beginning(): Beginning {
    return this.#beginning;
  }

  get payloads(): readonly Bytes[] {
    return this.#items.map(({ payload }) => payload);
  }

  /** The order has advanced by this frame. */
  append(payload: Bytes, after: Beginning): void {
    if (!this.#isKept) {
      this.#beginning = after;
      return;
    }
    this.#items.push({ payload, after });
    this.#bytes += payload.length;
    while (this.#items.length > ROOM.maxHistoryEntries || this.#bytes > ROOM.maxHistoryBytes) {
      const oldest = this.#items.shift();
      if (oldest === undefined) return;
      this.#bytes -= oldest.payload.length;
      this.#beginning = oldest.after;
    }
  }
}
