import { TunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";

export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new TunnelError("cancelled");
}

/** Waits `ms`, or rejects with `cancelled` as soon as the signal aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new TunnelError("cancelled"));
    const abort = (): void => {
      cancel();
      reject(new TunnelError("cancelled"));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** Waits `ms`, or less when the signal aborts or `ended` settles. Does not reject because of the signal. */
export async function sleepUnless(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  ended: Promise<unknown>,
): Promise<void> {
  const cut = new AbortController();
  const end = (): void => cut.abort();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  const interval = sleep(clock, ms, cut.signal).catch(() => undefined);
  try {
    await Promise.race([interval, ended]);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}
