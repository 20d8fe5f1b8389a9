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
