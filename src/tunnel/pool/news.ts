import type { TunnelError } from "../../errors/tunnel-error.ts";

export type PoolEvent =
  /** The addresses that lead here now, best first; sent whenever the list has changed. */
  | { readonly type: "addresses"; readonly urls: readonly string[] }
  /** An address is gone for good, though it was wanted. */
  | { readonly type: "lost"; readonly url: string; readonly error: TunnelError }
  /** There is no address at all, and none could be had; the next attempt begins after `retryInMs`. */
  | { readonly type: "failed"; readonly error: TunnelError; readonly retryInMs: number }
  /** There are addresses, but none has led here for a while; or one of them does again. */
  | { readonly type: "reach"; readonly isUp: boolean };

/** The news of a pool: told in order, also when the listener calls back into the pool, and nothing after the end. */
export class PoolNews {
  readonly #listener: (event: PoolEvent) => void;
  readonly #untold: PoolEvent[] = [];
  #urls: readonly string[];
  #isUp = true;
  #isTelling = false;
  #isOver = false;

  /** @param listener what it throws is dropped */
  constructor(url: string, listener: (event: PoolEvent) => void) {
    this.#listener = listener;
    this.#urls = [url];
  }

  /** An address that was never told of cannot be lost. */
  lost(url: string, error: TunnelError): void {
    if (this.#urls.includes(url)) this.#untold.push({ type: "lost", url, error });
  }

  failed(error: TunnelError, retryInMs: number): void {
    this.#untold.push({ type: "failed", error, retryInMs });
  }

  reach(isUp: boolean): void {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.#untold.push({ type: "reach", isUp });
  }

  addresses(urls: readonly string[]): void {
    if (urls.join(" ") === this.#urls.join(" ")) return;
    this.#urls = urls;
    this.#untold.push({ type: "addresses", urls });
  }

  /** Calls the listener with everything noted so far. The caller's state must be settled, for it may be called back. */
  tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let event = this.#untold.shift(); event !== undefined; event = this.#untold.shift()) {
      if (!this.#isOver) this.#send(event);
    }
    this.#isTelling = false;
  }

  end(): void {
    this.#isOver = true;
  }

  #send(event: PoolEvent): void {
    try {
      this.#listener(event);
    } catch {
      // A listener's mistake must not cost the room its address.
      return;
    }
  }
}
