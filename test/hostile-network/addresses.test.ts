import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LINK } from "../../src/protocol/base/limits.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import { hostRequest } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import type { Direction, Proxy } from "../support/proxy.ts";
import {
  cleanUp,
  expectAllHeard,
  isConnected,
  joined,
  pass,
  proxiesIn,
  sessions,
  settled,
  turning,
  Voice,
} from "./support.ts";

/** Of the clock: the first wait before dialling again, and the turns in which loopback does its part. */
const SLACK_MS = LINK.backoffFirstMs + 500;
/** Whoever has said something learns by then that nothing comes back, and by then that the next address is to be tried. */
const MOVED_MS = LINK.answerMs + LINK.staggerMs + SLACK_MS;
/** Two addresses in a round, of which the last may take longest, and the longest wait between two rounds. */
const ROUND_MS = 2 * LINK.staggerMs + LINK.backoffMaxMs;
/** No direction is named: both. */
const DEAD: readonly (readonly [string, readonly Direction[]])[] = [
  ["in both directions", []],
  ["to the host", ["toHost"]],
  ["to the guest", ["toGuest"]],
];

let clock: FakeClock;
let wires: Proxy[];
let host: HostSession;
let guest: GuestSession;
let ana: Voice;
let ben: Voice;

beforeEach(async () => {
  clock = new FakeClock();
  wires = [];
  const made = sessions(
    clock,
    { transport: "cloudflared", idleMinutes: 1_440 },
    { cloudflared: proxiesIn(wires) },
  );
  const { hosting, invites } = await settled(clock, "there is a host", made.host(hostRequest()));
  host = hosting;
  guest = await joined(clock, invites[0]?.joinLink);
  [ana, ben] = [new Voice(host), new Voice(guest)];
  await turning(clock, "a spare address is there", () => host.health.standby.state === "ready");
  // The news of it has arrived.
  await pass(clock, 20);
});
afterEach(cleanUp);

/** One of the host's addresses, the primary one first. */
function address(at: number): Proxy {
  const wire = wires[at];
  if (wire === undefined) throw new Error("the host has fewer addresses");
  return wire;
}

/** What an address is that still takes connections, on which nothing arrives any more: those there are, and all to come. */
function swallow(wire: Proxy, directions: readonly Direction[] = []): void {
  for (const crossing of wire.open) crossing.stall(...directions);
  wire.onCrossing = (crossing) => crossing.stall(...directions);
}

function release(wire: Proxy): void {
  wire.onCrossing = () => undefined;
  for (const crossing of wire.open) crossing.flow();
}

const isUp = (): boolean => guest.connection.name === "connected" && isConnected(host);

/** How long it takes until the guest is there. */
async function isBack(condition = isUp): Promise<number> {
  const start = clock.now();
  await turning(clock, "the guest is back", condition);
  return clock.now() - start;
}

/** How long it takes until the guest has come on a new connection through an address. */
function arrival(wire: Proxy): Promise<number> {
  const before = wire.total;
  return isBack(() => wire.total > before && isUp());
}

async function expectNothingLost(): Promise<void> {
  const all = (): boolean =>
    ben.of("ana").length === ana.said.length &&
    ana.of("ben").length === ben.said.length &&
    guest.unplaced === 0;
  const each = (): void => [ana, ben].forEach((one) => one.listen());
  await turning(clock, "everything has arrived", all, { each });
  expectAllHeard(ana, "ana", ben);
  expectAllHeard(ben, "ben", ana);
  expect(host.presence().map(({ name }) => name)).toEqual(["ana", "ben"]);
  expect([host.alarms, guest.alarms]).toEqual([[], []]);
}

describe("an address that still takes connections and lets nothing through", () => {
  it.each(DEAD)(
    "[U3] [D7] %s is left for the spare one as soon as silence and one attempt have shown it",
    async (_, directions) => {
      const [primary, spare] = [address(0), address(1)];
      expect([primary.total, spare.total]).toEqual([1, 0]);
      swallow(primary, directions);
      for (const size of [1, 400, 20_000]) {
        ana.say(size);
        ben.say(size);
      }
      expect(await arrival(spare)).toBeLessThanOrEqual(MOVED_MS);
      // It was tried again, once, before it was left.
      expect([primary.total, spare.total]).toEqual([2, 1]);
      await expectNothingLost();
    },
  );

  it("[U3] is found out by whoever says nothing as well, only later", async () => {
    swallow(address(0));
    expect(await arrival(address(1))).toBeLessThanOrEqual(LINK.pingEveryMs + MOVED_MS);
    ana.say(10);
    ben.say(10);
    await expectNothingLost();
  });

  it("[U3] is not the first to be tried any more once another one has led to the host", async () => {
    const [primary, spare] = [address(0), address(1)];
    swallow(primary);
    ben.say(10);
    await arrival(spare);
    const { total } = primary;
    for (let round = 0; round < 3; round += 1) {
      ana.say(100);
      ben.say(100);
      spare.newest?.cut();
      expect(await arrival(spare)).toBeLessThanOrEqual(SLACK_MS);
    }
    expect(primary.total).toBe(total);
    await expectNothingLost();
  });

  it.each([["primary"], ["spare"]] as const)(
    "[U3] like all the others: whichever comes to life first is found in the round that follows (%s)",
    async (which) => {
      for (const wire of wires) swallow(wire);
      ana.say(300);
      ben.say(300);
      await clock.advance(5 * LINK.answerMs);
      expect(isUp()).toBe(false);
      expect(Math.min(address(0).total, address(1).total)).toBeGreaterThan(0);
      // The attempt that is under way may be the one that gets through.
      release(address(which === "primary" ? 0 : 1));
      expect(await isBack()).toBeLessThanOrEqual(ROUND_MS + SLACK_MS);
      await expectNothingLost();
    },
  );
});
