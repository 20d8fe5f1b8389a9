import { describe, expect, it } from "vitest";
import { must } from "../../src/errors/must.ts";
import type { Guest } from "../support/wire.ts";
import { Chance } from "../support/random.ts";
import { FAST, Neighbourhood, p95, type Line } from "./support/seats.ts";
import { openAndStop, STRATEGIES, stopAnswered, type Strategy } from "./support/strategies.ts";

const victimOf = ({ honest }: Neighbourhood): Guest => must(honest[0], "a victim");

/** The 95th percentile of all that the honest ones hear of each other, while two seats do this at the first of them, and before. */
function beside(
  strategies: readonly Strategy[],
  seed: number,
): { base: number; found: number; room: Neighbourhood } {
  const room = new Neighbourhood({ honest: [FAST, FAST, FAST], seats: strategies.length, seed });
  room.run(4_000, room.talk);
  const base = p95(room.delays());
  room.run(6_000, (elapsed) => {
    for (const [at, strategy] of strategies.entries())
      strategy.act(must(room.seats[at], "a seat"), victimOf(room), elapsed);
    room.talk(elapsed);
  });
  // Whatever they did, they did it in the room, and with as much as the host lets them.
  expect(room.alarms.filter(({ code }) => code !== "member-slow")).toEqual([]);
  return { base, found: p95(room.delays()), room };
}

describe("work that one member causes at another", () => {
  it.each([2, 4])(
    "[E1] [S5] %i seats that open and stop in turn at a file take none of the time of whoever offered it",
    (count) => {
      const room = new Neighbourhood({ honest: [FAST, FAST, FAST], seats: count });
      const victim = victimOf(room);
      room.run(5_000, room.talk);
      const base = p95(room.delays());
      room.run(8_000, (elapsed) => {
        for (const seat of room.seats) openAndStop(seat, victim);
        room.talk(elapsed);
      });
      expect(p95(room.delays(victim))).toBeLessThan(3 * base);
      expect(room.connected()).toContain("honest 0");
    },
    60_000,
  );

  it("[E1] [S3] one seat that grants much and stops at each answer, five frames a second, takes none of it", () => {
    const room = new Neighbourhood({ honest: [FAST, FAST, FAST], seats: 1 });
    const victim = victimOf(room);
    const seat = must(room.seats[0], "a seat");
    room.run(5_000, room.talk);
    const base = p95(room.delays());
    room.run(10_000, (elapsed) => {
      if (elapsed % 400 === 0) seat.open(victim.member.self, 2 ** 40);
      stopAnswered(seat);
      room.talk(elapsed);
    });
    expect(p95(room.delays(victim))).toBeLessThan(3 * base);
  }, 60_000);

  it("[E3] one seat that drains 46 KB a second while three speak loses it within a minute, and the host is told whose it is", () => {
    const room = new Neighbourhood({ honest: [FAST, FAST, FAST, FAST], seats: 1 });
    const seat = must(room.seats[0], "a seat");
    const quiet = must(room.honest[3], "a fourth");
    const name = room.nameOf(seat.id);
    room.run(5_000, room.talk);
    const base = p95(room.delays());
    seat.drainBytesPerSec = 46_000;
    let said = 0;
    const speak = (elapsed: number): void => {
      if (elapsed % 60 > 0) return;
      for (const guest of room.honest.slice(0, 3))
        if (guest.member.unplaced < 3 && room.say(guest, 60_000)) said += 1;
    };
    room.run(42_000, (elapsed) => {
      speak(elapsed);
      if (elapsed % 500 === 0) room.say(quiet);
    });
    // Whoever says little is not held up by it at any time.
    expect(p95(room.delays(quiet))).toBeLessThan(3 * base);
    expect(room.names()).not.toContain(name);
    expect(room.alarms.map(({ code, member }) => [code, member])).toEqual([["member-slow", name]]);
    const before = said;
    room.run(2_000, speak);
    // As fast as bytes may come (E1), and not one in five seconds.
    expect(said - before).toBeGreaterThan(30);
    expect(room.connected()).toEqual(["ana", "honest 0", "honest 1", "honest 2", "honest 3"]);
  }, 120_000);
});

/** All that are honest and only badly off: 280 kbit/s, two seconds away, and cut now and then. */
const SLOW: Line = { bytesPerSec: 35_000, delayMs: 100 };
const FAR: Line = { bytesPerSec: 1_000_000, delayMs: 1_000 };

describe("a fair room", () => {
  it.each(STRATEGIES.map((one, at) => [one.name, one, at] as const))(
    "[E1] [E3] [E4] is as quick as before beside two members of whom each %s",
    (_name, one, at) => {
      const { base, found, room } = beside([one, one], at);
      expect(found).toBeLessThan(3 * base);
      for (const honest of ["ana", "honest 0", "honest 1", "honest 2"])
        expect(room.connected()).toContain(honest);
    },
    60_000,
  );

  const chance = new Chance(Number(process.env["FAIRNESS_SEED"] ?? 14));
  const pairs = Array.from({ length: Number(process.env["FAIRNESS_PAIRS"] ?? 6) }, () => {
    const [one, other] = [chance.pick(STRATEGIES), chance.pick(STRATEGIES)];
    return [one.name, other.name, [one, other], chance.below(1_000)] as const;
  });
  it.each(pairs)(
    "[E1] [E3] [E4] is as quick as before beside one that %s and one that %s",
    (_one, _other, strategies, seed) => {
      const { base, found, room } = beside(strategies, seed);
      expect(found).toBeLessThan(3 * base);
      for (const honest of ["ana", "honest 0", "honest 1", "honest 2"])
        expect(room.connected()).toContain(honest);
    },
    60_000,
  );

  it("[E1] [E3] keeps everybody who is only slow, far away or cut now and then, and raises no alarm", () => {
    const room = new Neighbourhood({ honest: [FAST, FAST, SLOW, FAR, FAST], seats: 0 });
    const [first, , , , cut] = room.honest;
    let burst = 0;
    room.run(40_000, (elapsed) => {
      room.talk(elapsed);
      // A burst of an agent that has much to say, and long texts now and then.
      if (elapsed < 2_000 && first !== undefined)
        for (; burst < elapsed / 2; burst += 1) room.say(first, 200);
      if (elapsed % 5_000 === 0) room.say("host", 60_000);
      if (elapsed % 7_000 === 3_000 && cut !== undefined) room.world.cut(cut);
    });
    room.run(60_000);
    expect(room.alarms).toEqual([]);
    expect(room.connected()).toEqual(["ana", "honest 0", "honest 1", "honest 2", "honest 3", "honest 4"]);
    expect(new Set(room.honest.map(({ member }) => member.lastSeq)).size).toBe(1);
  }, 60_000);
});
