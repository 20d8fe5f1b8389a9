import { TunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import { wait } from "../runtime/wait.ts";

export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new TunnelError("cancelled");
}

/** Waits `ms`. @throws {TunnelError} cancelled, as soon as the signal aborts */
export async function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if ((await wait(clock, ms, { signal })) === "aborted") throw new TunnelError("cancelled");
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
