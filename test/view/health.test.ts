import { expect, test } from "vitest";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { ConnectionState } from "../../src/protocol/guest/guest-io.ts";
import type { PoolHealth } from "../../src/session/host-session.ts";
import { connectionView, healthView, type ConnectionView } from "../../src/view/health.ts";

const NOW = 1_000_000;
const error = new TunnelError("cloudflared-edge-lost");
const shownError = { code: error.code, message: error.message, next: error.next, retryable: error.retryable };

test.each<[string, PoolHealth["active"], object]>([
  ["works", { state: "up" }, { transportHealth: "up" }],
  [
    "works badly",
    { state: "degraded", reason: "edge-lost", sinceMs: NOW - 4_400 },
    { transportHealth: "degraded", transportProblem: { reason: "edge-lost", forSec: 4 } },
  ],
  ["is lost", { state: "down", error }, { transportHealth: "down", transportProblem: { error: shownError } }],
  [
    "is tried again later",
    { state: "waiting", attempts: 2, retryInMs: 8_600, error },
    {
      transportHealth: "waiting",
      transportProblem: { attempts: 2, retryInSec: 9, error: shownError },
    },
  ],
])("an address that %s", (_what, active, shown) => {
  expect(healthView({ active, standby: { state: "off" } }, NOW)).toEqual({
    ...shown,
    standby: { state: "off" },
  });
});

test("an address that is lost leaves nothing for an agent to open: another one comes by itself", () => {
  const lost = new TunnelError("cloudflared-exited");
  const { transportProblem } = healthView(
    { active: { state: "down", error: lost }, standby: { state: "off" } },
    NOW,
  );
  expect(transportProblem).toMatchObject({
    error: { code: "cloudflared-exited", next: expect.stringMatching(/^Wait: /) },
  });
});

test("a spare address that works is ready, and one that does not shows its own state", () => {
  const standbyOf = (health: Extract<PoolHealth["standby"], { state: "ready" }>["health"]): unknown =>
    healthView({ active: { state: "up" }, standby: { state: "ready", url: "wss://spare", health } }, NOW)
      .standby;
  expect(standbyOf({ state: "up" })).toEqual({ state: "ready" });
  expect(standbyOf({ state: "down", error })).toEqual({ state: "down", error: shownError });
});

test.each<[ConnectionState, ConnectionView]>([
  [{ name: "connected" }, { connection: "connected", lastHeardSec: 5 }],
  [
    { name: "connecting", attempt: 3, givesUpAt: NOW + 60_000 },
    { connection: "connecting", lastHeardSec: 5, attempts: 3, givesUpInSec: 60 },
  ],
  [
    { name: "waiting", attempt: 3, givesUpAt: NOW + 60_000, retryAt: NOW - 1, reason: "host-unreachable" },
    {
      connection: "waiting",
      lastHeardSec: 5,
      attempts: 3,
      givesUpInSec: 60,
      retryInSec: 0,
      reason: "host-unreachable",
    },
  ],
  [{ name: "ended", end: { by: "self" } }, { connection: "ended" }],
])("a connection that is $name", (link, shown) => {
  expect(connectionView(link, NOW - 5_000, NOW)).toEqual(shown);
});
