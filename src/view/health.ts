import type { LinkState } from "../protocol/guest/guest-io.ts";
import type { PoolHealth } from "../session/hosting.ts";
import { errorView, type Payload } from "../mcp/results/result.ts";
import { seconds } from "./time.ts";

/** How connections are shown to the model: measured, with ages, and with the next attempt where there is one. */

type Health = PoolHealth["active"] | PoolHealth["standby"];

function stateView(health: Health, now: number): Payload {
  switch (health.state) {
    case "up":
    case "off":
    case "stopped":
      return { state: health.state };
    case "degraded":
      return { state: health.state, reason: health.reason, forSec: seconds(now - health.sinceMs) };
    case "down":
      return { state: health.state, error: errorView(health.error) };
    case "opening":
      return { state: health.state, attempts: health.attempts };
    case "waiting": {
      const { state, attempts, retryInMs, error } = health;
      return { state, attempts, retryInSec: seconds(retryInMs), error: errorView(error) };
    }
    case "failed":
      return { state: health.state, attempts: health.attempts, error: errorView(health.error) };
    case "ready": {
      const { state, ...rest } = stateView(health.health, now);
      return state === "up" ? { state: "ready" } : { state, ...rest };
    }
  }
}

/** The public address of a host and its spare one. */
export function healthView({ active, standby }: PoolHealth, now: number): Payload {
  const { state, ...rest } = stateView(active, now);
  return {
    transportHealth: state,
    ...(Object.keys(rest).length === 0 ? {} : { transportProblem: rest }),
    standby: stateView(standby, now),
  };
}

/** A member's connection to its host. */
export function linkView(link: LinkState, sinceHeardMs: number, now: number): Payload {
  const lastHeardSec = seconds(sinceHeardMs);
  const { name } = link;
  if (name === "ended") return { link: name };
  if (name === "connected") return { link: name, lastHeardSec };
  const trying = {
    link: name,
    lastHeardSec,
    attempts: link.attempt,
    givesUpInSec: seconds(link.givesUpAt - now),
  };
  if (name === "connecting") return trying;
  return { ...trying, retryInSec: seconds(link.retryAt - now), reason: link.reason };
}
