import { asTunnelError, type TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ReadyProbe } from "./ready.ts";
import { exitError, type Run } from "./run.ts";
import type { Tunnel, TunnelHealth } from "../provider.ts";

export interface WatchOptions {
  /** Origin for the members: `wss://…`. */
  readonly url: string;
  readonly description: string;
  readonly clock: Clock;
  readonly probe: ReadyProbe;
}

const POLL_MS = 5_000;
/** After a line about the edge: cloudflared writes it a moment before `/ready` answers otherwise, so it is asked twice. */
const RECHECK_MS = 500;

/**
 * A run that was ready, as a Tunnel: asked every few seconds, and whenever its log tells of the edge, how it is; declared
 * down when its process ends.
 */
export function watchRun(run: Run, { url, description, clock, probe }: WatchOptions): Tunnel {
  const listeners = new Set<(error: TunnelError) => void>();
  let health: TunnelHealth = { state: "up" };
  let stopping: Promise<void> | undefined;
  let cancelPoll = (): void => undefined;
  let isProbing = false;
  let isStirred = false;

  const over = (): boolean => stopping !== undefined || health.state === "down";

  async function poll(): Promise<void> {
    const { metricsPort } = run.facts();
    isProbing = true;
    const answer = metricsPort === undefined ? "no-answer" : await probe(metricsPort);
    isProbing = false;
    if (over()) return;
    health = assess(answer, health, clock.now());
    schedule(isStirred ? RECHECK_MS : POLL_MS);
    isStirred = false;
  }

  function schedule(ms: number): void {
    cancelPoll = clock.after(ms, () => void poll());
  }

  /** The log tells of the edge. One probe at a time: what is asked already may be answered from before the change. */
  function stir(): void {
    if (over()) return;
    isStirred = true;
    if (isProbing) return;
    cancelPoll();
    void poll();
  }

  function goDown(error: TunnelError): void {
    if (over()) return;
    health = { state: "down", error };
    cancelPoll();
    unsubscribe();
    tell();
  }

  function tell(): void {
    if (health.state !== "down") return;
    for (const listener of listeners) listener(health.error);
    listeners.clear();
  }

  async function stop(): Promise<void> {
    cancelPoll();
    unsubscribe();
    listeners.clear();
    await run.stop();
  }

  const unsubscribe = run.onEdgeChange(stir);
  schedule(POLL_MS);
  run.exited.then(
    (exit) => goDown(exitError(exit, run.facts(), true)),
    (error: unknown) => goDown(asTunnelError(error)),
  );

  return {
    provider: "cloudflared",
    url,
    description,
    health: () => health,
    onDown(listener) {
      listeners.add(listener);
      // Who asks too late is told as well: it may have ended while it was being handed over.
      if (health.state === "down") queueMicrotask(tell);
      return () => listeners.delete(listener);
    },
    stop: () => (stopping ??= stop()),
  };
}

function assess(answer: Awaited<ReturnType<ReadyProbe>>, before: TunnelHealth, now: number): TunnelHealth {
  if (answer === "ready") return { state: "up" };
  const reason =
    answer === "not-ready"
      ? "cloudflared has lost its connection to Cloudflare's edge and is trying to get it back"
      : "cloudflared does not tell whether it is connected";
  return { state: "degraded", reason, sinceMs: before.state === "degraded" ? before.sinceMs : now };
}
