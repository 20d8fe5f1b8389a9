import type { ErrorCode } from "../errors/tunnel-error.ts";
import type { ConnectionState } from "../protocol/guest/guest-io.ts";
import type { PoolHealth } from "../session/host-session.ts";
import { addressErrorView, type ErrorView } from "./errors.ts";
import { seconds } from "./time.ts";

/** Why an address does not work now, or not well, and when the next attempt is. */
type ProblemView =
  | { readonly reason: string; readonly forSec: number }
  | { readonly error: ErrorView }
  | { readonly attempts: number }
  | { readonly attempts: number; readonly error: ErrorView }
  | { readonly attempts: number; readonly retryInSec: number; readonly error: ErrorView };

/** One public address of a host, as it was measured. */
type AddressView =
  | { readonly state: "up" | "ready" | "off" | "stopped" }
  | ({ readonly state: "degraded" | "down" | "opening" | "waiting" | "failed" } & ProblemView);

export interface HealthView {
  readonly transportHealth: AddressView["state"];
  /** Left out where there is none. */
  readonly transportProblem?: ProblemView;
  readonly standby: AddressView;
}

function addressView(health: PoolHealth["active"] | PoolHealth["standby"], now: number): AddressView {
  switch (health.state) {
    case "up":
    case "off":
    case "stopped":
      return { state: health.state };
    case "degraded":
      return { state: health.state, reason: health.reason, forSec: seconds(now - health.sinceMs) };
    case "down":
      return { state: health.state, error: addressErrorView(health.error) };
    case "opening":
      return { state: health.state, attempts: health.attempts };
    case "waiting": {
      const { state, attempts, retryInMs, error } = health;
      return { state, attempts, retryInSec: seconds(retryInMs), error: addressErrorView(error) };
    }
    case "failed":
      return { state: health.state, attempts: health.attempts, error: addressErrorView(health.error) };
    case "ready": {
      const view = addressView(health.health, now);
      return view.state === "up" ? { state: "ready" } : view;
    }
  }
}

/** The public address of a host and its spare one. */
export function healthView({ active, standby }: PoolHealth, now: number): HealthView {
  const view = addressView(active, now);
  const problem = problemOf(view);
  return {
    transportHealth: view.state,
    ...(problem && { transportProblem: problem }),
    standby: addressView(standby, now),
  };
}

function problemOf(view: AddressView): ProblemView | undefined {
  switch (view.state) {
    case "up":
    case "ready":
    case "off":
    case "stopped":
      return undefined;
    default: {
      const { state: _state, ...problem } = view;
      return problem;
    }
  }
}

interface Attempt {
  readonly lastHeardSec: number;
  readonly attempts: number;
  readonly givesUpInSec: number;
  /** Set where the host's process seems to have ended: for so long it may still come back. */
  readonly hostAwayKeptForSec?: number;
}

/** A guest's connection to its host. */
export type ConnectionView =
  | { readonly connection: "ended" }
  | { readonly connection: "connected"; readonly lastHeardSec: number }
  | (Attempt & { readonly connection: "connecting" })
  | (Attempt & { readonly connection: "waiting"; readonly retryInSec: number; readonly reason: ErrorCode });

/** @param lastHeard when the host was heard last, in ms since the epoch like `now` */
export function connectionView(link: ConnectionState, lastHeard: number, now: number): ConnectionView {
  const lastHeardSec = seconds(now - lastHeard);
  switch (link.name) {
    case "ended":
      return { connection: link.name };
    case "connected":
      return { connection: link.name, lastHeardSec };
    case "connecting":
      return { connection: link.name, ...attempt(link) };
    case "waiting":
      return {
        connection: link.name,
        ...attempt(link),
        retryInSec: seconds(link.retryAt - now),
        reason: link.reason,
      };
  }

  function attempt(state: Extract<ConnectionState, { name: "connecting" | "waiting" }>): Attempt {
    const { hostKeptUntil: keptUntil } = state;
    const away = keptUntil === undefined ? {} : { hostAwayKeptForSec: Math.max(0, seconds(keptUntil - now)) };
    return { lastHeardSec, attempts: state.attempt, givesUpInSec: seconds(state.givesUpAt - now), ...away };
  }
}
