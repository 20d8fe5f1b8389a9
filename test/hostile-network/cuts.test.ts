import { afterEach, expect, it } from "vitest";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import type { Crossing, Direction, Ending, Proxy } from "../support/proxy.ts";
import { Chance } from "../support/random.ts";
import { cleanUp, expectAllHeard, isConnected, pair, pass, proxy, turning, Voice } from "./support.ts";

afterEach(cleanUp);

const CUTS = 200;
const DIRECTIONS: readonly Direction[] = ["toHost", "toGuest"];
const ENDINGS: readonly Ending[] = ["fin", "reset"];
/** Mostly short, as agents talk, with everything up to the longest message among them. */
const SIZES = [
  1, 1, 7, 7, 60, 60, 200, 200, 230, 231, 232, 900, 900, 1_000, 3_000, 4_000, 9_000, 16_384, 65_536,
];
/** What either may be ahead of the other, so that a long stall does not fill an outbox. */
const MAX_AHEAD = 40;

/** The ways in which a connection is lost; each says when it has happened. */
const WAYS: readonly ((crossing: Crossing, chance: Chance) => void)[] = [
  (crossing, chance) => crossing.cut(chance.pick(ENDINGS)),
  (crossing, chance) => crossing.cut(chance.pick(ENDINGS)),
  // In the middle of a record, on its way in one direction.
  (crossing, chance) => {
    const direction = chance.pick(DIRECTIONS);
    const { passed } = crossing[direction];
    crossing.cutAfter(
      direction,
      passed + chance.below(chance.pick([300, 5_000, 70_000])),
      chance.pick(ENDINGS),
    );
  },
  // Half-open: nothing arrives, and nobody is told.
  (crossing) => crossing.stall(),
  (crossing, chance) => crossing.stall(chance.pick(DIRECTIONS)),
];

/** Does to the next connections what the network does to one that is only being made. */
function disturbNext(wire: Proxy, chance: Chance): () => number {
  let disturbed = 0;
  let left = chance.happens(0.3) ? 1 + chance.below(2) : 0;
  wire.onCrossing = (crossing) => {
    if (left === 0) return;
    left -= 1;
    disturbed += 1;
    // Up to here a resume takes about 1,500 bytes one way and 700 the other.
    const direction = chance.pick(DIRECTIONS);
    crossing.cutAfter(direction, chance.below(direction === "toGuest" ? 1_800 : 900), chance.pick(ENDINGS));
  };
  return () => disturbed;
}

it.each([1])(
  "[D1] two hundred cuts in mid-conversation lose nothing, double nothing and keep the order (seed %i)",
  async (seed) => {
    const clock = new FakeClock();
    const chance = new Chance(seed);
    const wire = await proxy();
    const { host, guest } = await pair(clock, wire);
    const [ana, ben] = [new Voice(host), new Voice(guest)];
    const talk = (): void => {
      if (chance.happens(0.15) && ana.said.length - ben.of("ana").length < MAX_AHEAD)
        ana.say(chance.pick(SIZES));
      if (chance.happens(0.15) && ben.said.length - ana.of("ben").length < MAX_AHEAD)
        ben.say(chance.pick(SIZES));
      ana.listen();
      ben.listen();
    };
    let cuts = 0;
    while (cuts < CUTS) {
      const crossings = wire.total;
      const [current] = wire.open.slice(-1);
      await pass(clock, chance.below(20), talk);
      const disturbed = disturbNext(wire, chance);
      if (current !== undefined) chance.pick(WAYS)(current, chance);
      await turning(
        clock,
        "the guest is back on a new connection",
        () => wire.total > crossings && guest.connection.name === "connected" && isConnected(host),
        { each: talk, stepMs: 100 },
      );
      cuts += 1 + disturbed();
    }
    wire.onCrossing = () => undefined;
    const all = (): boolean =>
      ana.of("ben").length === ben.said.length && ben.of("ana").length === ana.said.length;
    await turning(clock, "everything has arrived", all, {
      each: () => [ana, ben].forEach((one) => one.listen()),
    });
    expectAllHeard(ana, "ana", ben);
    expectAllHeard(ben, "ben", ana);
    expect([host.alarms, guest.alarms, guest.unplaced]).toEqual([[], [], 0]);
  },
  120_000,
);
