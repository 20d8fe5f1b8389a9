import { describe, expect, it } from "vitest";
import { must } from "../../src/errors/must.ts";
import type { Guest } from "../support/wire.ts";
import { FAST, Neighbourhood, p95, type Seat } from "./support/seats.ts";

const victimOf = ({ honest }: Neighbourhood): Guest => must(honest[0], "a victim");

/** Opens and stops streams at the victim, as fast as it is read. */
function openAndStop(seat: Seat, victim: Guest, credit = 1_000_000): void {
  while (seat.backlog < 100) {
    const stream = seat.open(victim.member.self, credit);
    seat.stream({ t: "reset", stream, code: "cancelled" });
  }
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
      for (const { t, stream } of seat.heard.splice(0))
        if (t === "accept") seat.stream({ t: "reset", stream, code: "cancelled" });
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
    expect(said - before).toBeGreaterThan(50);
    expect(room.connected()).toEqual(["ana", "honest 0", "honest 1", "honest 2", "honest 3"]);
  }, 120_000);
});
