import type { TunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Tunnel, TunnelHealth } from "./provider.ts";

/** The state of a tunnel as its provider knows it: it works, it does not for a reason, or it is gone for good. */
export type Assessment = { readonly reason: string } | { readonly gone: TunnelError } | "up";

export interface Supervision {
  /** Origin for the members: `wss://…`, or `ws://…` on the loopback address. */
  readonly url: string;
  readonly description: string;
  readonly clock: Clock;
  /** Asks how the tunnel is. Never rejects. */
  readonly assess: () => Promise<Assessment>;
  /** Between two questions, while it works and while it does not. */
  readonly pollMs: { readonly up: number; readonly degraded: number };
  /** From a question that a change gave rise to until the next one: its answer may be older than the change. */
  readonly recheckMs: number;
  /** Calls when something may have changed; the returned function unsubscribes. */
  readonly onChange: (listener: () => void) => () => void;
  /** Resolves with the reason when what carries the tunnel has ended. Never rejects. */
  readonly ended: Promise<TunnelError>;
  /** Ends what carries the tunnel. */
  readonly stop: () => Promise<void>;
}

export interface SupervisedTunnel extends Tunnel {
  /** Declares it down; nothing happens when it is over already. */
  fail(error: TunnelError): void;
}

/** Something that carries a tunnel, as a Tunnel: asked how it is at times and after changes, and down when it ends. */
export function supervise(supervision: Supervision): SupervisedTunnel {
  const { url, description, clock, assess, pollMs, recheckMs } = supervision;
  const listeners = new Set<(error: TunnelError) => void>();
  let health: TunnelHealth = { state: "up" };
  let stopping: Promise<void> | undefined;
  let cancelPoll = (): void => undefined;
  let isAsking = false;
  let hasChanged = false;

  const isOver = (): boolean => stopping !== undefined || health.state === "down";

  async function poll(): Promise<void> {
    isAsking = true;
    const answer = await assess();
    isAsking = false;
    if (isOver()) return;
    if (answer !== "up" && "gone" in answer) return fail(answer.gone);
    health = healthAfter(answer, health, clock.now());
    schedule(hasChanged ? recheckMs : pollMs[health.state]);
    hasChanged = false;
  }

  function schedule(ms: number): void {
    cancelPoll = clock.after(ms, () => void poll());
  }

  /** One question at a time: an answer that is on its way may be from before the change. */
  function changed(): void {
    if (isOver()) return;
    hasChanged = true;
    if (isAsking) return;
    cancelPoll();
    void poll();
  }

  function fail(error: TunnelError): void {
    if (isOver()) return;
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
    await supervision.stop();
  }

  const unsubscribe = supervision.onChange(changed);
  schedule(pollMs.up);
  void supervision.ended.then(fail);

  return {
    url,
    description,
    fail,
    health: () => health,
    onDown(listener) {
      listeners.add(listener);
      // A late listener is told as well: the tunnel may have ended while it was being handed over.
      if (health.state === "down") queueMicrotask(tell);
      return () => listeners.delete(listener);
    },
    stop: () => (stopping ??= stop()),
  };
}

function healthAfter(
  answer: Exclude<Assessment, { gone: TunnelError }>,
  before: TunnelHealth,
  now: number,
): Exclude<TunnelHealth, { state: "down" }> {
  if (answer === "up") return { state: "up" };
  return { state: "degraded", ...answer, sinceMs: before.state === "degraded" ? before.sinceMs : now };
}
