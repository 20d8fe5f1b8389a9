import { afterEach, describe, expect, it } from "vitest";
import { LINK } from "../../src/protocol/base/limits.ts";
import { joinRequest } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import type { Direction, Ending } from "../support/proxy.ts";
import { Chance } from "../support/random.ts";
import {
  cleanUp,
  expectAllHeard,
  joined,
  opened,
  proxy,
  sessions,
  settled,
  turning,
  Voice,
} from "./support.ts";

afterEach(cleanUp);

interface Cut {
  readonly direction: Direction;
  readonly bytes: number;
  readonly ending: Ending;
}

/** A join of which the first connections are cut, each in its way; what follows is a conversation like any other. */
async function expectIn(cuts: readonly Cut[]): Promise<void> {
  const clock = new FakeClock();
  const wire = await proxy();
  const { host, joinLinks } = await opened(clock, { wire });
  wire.onCrossing = (crossing) => {
    const cut = cuts[wire.total - 1];
    if (cut !== undefined) crossing.cutAfter(cut.direction, cut.bytes, cut.ending);
  };
  const guest = await joined(clock, joinLinks[0]);
  const [ana, ben] = [new Voice(host), new Voice(guest)];
  ana.say(100);
  ben.say(100);
  await turning(clock, "both have heard the other", () => ana.of("ben").length + ben.of("ana").length === 2, {
    each: () => [ana, ben].forEach((one) => one.listen()),
  });
  expectAllHeard(ana, "ana", ben);
  expectAllHeard(ben, "ben", ana);
  expect(wire.total).toBeGreaterThan(cuts.length);
  expect(host.presence().map(({ name }) => name)).toEqual(["ana", "ben"]);
  // The code is that of the pairing, the same on both sides, however often it took to get there.
  expect(guest.safetyCode).toBe(host.presence()[1]?.safetyCode);
}

const ENDINGS: readonly Ending[] = ["fin", "reset"];

describe.each(ENDINGS)("a join whose connection is cut on its way (%s) tries again by itself", (ending) => {
  it.each([
    ["in the host's answer to the WebSocket request", "toGuest", 60],
    ["in the WebSocket request", "toHost", 90],
  ] as const)("%s", (_, direction, bytes) => expectIn([{ direction, bytes, ending }]));

  it.each([
    ["before M1 has come", "toGuest", 129],
    ["in M1", "toGuest", 150],
    ["before M2 has arrived", "toHost", 180],
    ["in M2", "toHost", 250],
    ["after M2, before M3", "toGuest", 181],
    ["in M3", "toGuest", 200],
    ["before M4 has arrived", "toHost", 332],
    ["in M4", "toHost", 500],
    ["after M4, before M5", "toGuest", 237],
    ["in M5", "toGuest", 900],
    ["after M5, before its own arrival was told", "toGuest", 1_265],
    ["in the first event", "toGuest", 1_400],
  ] as const)("%s, four times in a row", (_, direction, bytes) =>
    expectIn(Array.from({ length: 4 }, () => ({ direction, bytes, ending }))),
  );
});

it.each(Array.from({ length: 30 }, (_, seed) => seed))(
  "[N1] however the way into the room was cut, both get the code of the one pairing there is (seed %i)",
  async (seed) => {
    const chance = new Chance(seed);
    const cuts = Array.from({ length: 1 + chance.below(6) }, (): Cut => {
      const direction = chance.pick<Direction>(["toHost", "toGuest"]);
      // From the end of the WebSocket handshake to where its own arrival would have been told.
      const bytes = direction === "toHost" ? 178 + chance.below(418) : 129 + chance.below(1_396);
      return { direction, bytes, ending: chance.pick(ENDINGS) };
    });
    await expectIn(cuts);
  },
);

it("[I5] an invite whose guest was cut off after its claim, and gave up, is good for the next one at once", async () => {
  const clock = new FakeClock();
  const wire = await proxy();
  const { host, joinLinks } = await opened(clock, { wire });
  const [joinLink = ""] = joinLinks;
  const abort = new AbortController();
  wire.onCrossing = (crossing) => {
    // M2 has arrived, and of M4 only a part.
    if (wire.total === 1) crossing.cutAfter("toHost", 400);
    else crossing.cut();
  };
  const joining = sessions(clock).join(joinRequest(joinLink, abort.signal));
  joining.catch(() => undefined);
  await turning(clock, "it was cut off", () => wire.newest?.wasCut === true && wire.open.length === 0);
  abort.abort();
  await expect(joining).rejects.toMatchObject({ code: "cancelled" });
  wire.onCrossing = () => undefined;
  await joined(clock, joinLink, "carol");
  expect(host.presence().map(({ name }) => name)).toEqual(["ana", "carol"]);
});

describe("a link whose host is in an outage in which dials hang", () => {
  it("[D9] leads in as soon as that is over, though the dials that were under way still hang", async () => {
    const clock = new FakeClock();
    const wire = await proxy();
    const { host, joinLinks } = await opened(clock, { wire });
    wire.onCrossing = (crossing) => crossing.stall();
    const joining = sessions(clock).join(joinRequest(joinLinks[0]));
    await clock.advance(20_000);
    expect(wire.total).toBeGreaterThan(3);
    wire.onCrossing = () => undefined;
    const start = clock.now();
    await settled(clock, "the guest has joined", joining);
    expect(clock.now() - start).toBeLessThanOrEqual(LINK.staggerMs + LINK.backoffMaxMs + 500);
    expect(host.presence()).toHaveLength(2);
  });

  it.each([
    ["takes no WebSocket request", 0, "host-unreachable", 25_000],
    ["says nothing after it", 129, "handshake-timeout", 40_000],
  ] as const)("is told as such when it lasts (an address that %s)", async (_, bytes, code, ms) => {
    const clock = new FakeClock();
    const wire = await proxy();
    const { host, joinLinks } = await opened(clock, { wire });
    wire.onCrossing = (crossing) => {
      if (bytes === 0) crossing.stall();
      else crossing.toGuest.stopAfter(bytes, () => crossing.stall());
    };
    const start = clock.now();
    const joining = sessions(clock).join(joinRequest(joinLinks[0]));
    await expect(settled(clock, "joining is over", joining)).rejects.toMatchObject({ code });
    expect(clock.now() - start).toBeGreaterThanOrEqual(ms);
    expect(clock.now() - start).toBeLessThanOrEqual(ms + 1_500);
    expect(host.pendingInvites()).toHaveLength(1);
  });
});
