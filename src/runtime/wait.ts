import type { Clock } from "./clock.ts";
import type { Subscribe } from "./emitter.ts";

/** How a wait ended: by its event, by its time, or by its signal. */
type WaitEnd = "woken" | "timeout" | "aborted";

interface WaitOptions {
  /** Ends the wait early, as `aborted`. */
  readonly signal?: AbortSignal;
  /** Ends the wait early, as `woken`. */
  readonly until?: Subscribe;
}

/**
 * Waits `ms` at most, and leaves no timer and no listener behind. It never rejects: the caller decides what an end means.
 * Nothing is waited for when the signal has aborted already or no time is left.
 */
export function wait(clock: Clock, ms: number, { signal, until }: WaitOptions = {}): Promise<WaitEnd> {
  if (signal?.aborted === true) return Promise.resolve("aborted");
  if (ms <= 0) return Promise.resolve("timeout");
  return new Promise((resolve) => {
    const end = (how: WaitEnd): void => {
      cancelTimer();
      unsubscribe?.();
      signal?.removeEventListener("abort", abort);
      resolve(how);
    };
    const abort = (): void => end("aborted");
    const cancelTimer = clock.after(ms, () => end("timeout"));
    signal?.addEventListener("abort", abort);
    const unsubscribe = until?.(() => end("woken"));
  });
}

/** Wakes once the promise is settled, however it ended; its error is left to those who await it. */
export function settled(promise: Promise<unknown>): Subscribe {
  return (wake) => {
    promise.then(wake, wake);
    return () => undefined;
  };
}

/** Calls `beat` after each `ms` until the returned function is called. */
export function every(clock: Clock, ms: number, beat: () => void): () => void {
  let cancel = clock.after(ms, again);
  function again(): void {
    cancel = clock.after(ms, again);
    beat();
  }
  return () => cancel();
}
