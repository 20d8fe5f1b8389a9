import { must } from "../../../src/errors/must.ts";
import { STREAM } from "../../../src/protocol/base/limits.ts";
import { FRAME } from "../../../src/protocol/record/record.ts";
import type { Guest } from "../../support/wire.ts";
import type { Seat } from "./seats.ts";

/** What a hostile seat does at every step of time, as much as the host reads of it. */
export interface Strategy {
  readonly name: string;
  act(seat: Seat, victim: Guest, elapsed: number): void;
}

const EAGER = 100;
const LARGE = "x".repeat(60_000);

function eagerly(seat: Seat, act: () => void): void {
  while (seat.backlog < EAGER) act();
}

/** Opens and stops streams at the victim, as fast as it is read. */
export function openAndStop(seat: Seat, victim: Guest, credit = 1_000_000): void {
  eagerly(seat, () => {
    const stream = seat.open(victim.member.self, credit);
    seat.stream({ t: "reset", stream, code: "cancelled" });
  });
}

/** Stops each stream that is answered. */
export function stopAnswered(seat: Seat): void {
  for (const { t, stream } of seat.heard.splice(0))
    if (t === "accept") seat.stream({ t: "reset", stream, code: "cancelled" });
}

/** Keeps one stream open at the victim; gives its number. */
function keptOpen(seat: Seat, victim: Guest): number {
  if (seat.lastOpened < 1) seat.open(victim.member.self, 1);
  return seat.lastOpened;
}

export const STRATEGIES: readonly Strategy[] = [
  { name: "opens and stops", act: (seat, victim) => openAndStop(seat, victim) },
  {
    name: "grants without end and stops at each answer",
    act(seat, victim) {
      if (seat.backlog === 0) seat.open(victim.member.self, 2 ** 40);
      stopAnswered(seat);
    },
  },
  {
    name: "grants byte by byte",
    act(seat, victim) {
      const stream = keptOpen(seat, victim);
      eagerly(seat, () => seat.stream({ t: "credit", stream, bytes: 1 }));
    },
  },
  {
    name: "asks for a service that is not there, at length",
    act(seat, victim) {
      const request = new Uint8Array(STREAM.maxRequestBytes);
      eagerly(seat, () => seat.open(victim.member.self, 1, { service: "nothing", request }));
    },
  },
  {
    name: "holds places without granting anything",
    act(seat, victim) {
      if (seat.lastOpened < 2 * STREAM.maxOpened - 1) seat.open(victim.member.self, 1);
    },
  },
  {
    name: "resets what is long over",
    act(seat, victim) {
      const stream = keptOpen(seat, victim);
      eagerly(seat, () => seat.stream({ t: "reset", stream, code: "cancelled" }));
    },
  },
  { name: "says little without end", act: (seat) => eagerly(seat, () => seat.say("x")) },
  { name: "says much without end", act: (seat) => eagerly(seat, () => seat.say(LARGE)) },
  { name: "pings", act: (seat) => eagerly(seat, () => seat.record(FRAME.ping)) },
  { name: "tells how far it has read", act: (seat) => eagerly(seat, () => seat.note()) },
  {
    name: "comes back again and again",
    act(seat, _victim, elapsed) {
      if (elapsed % 50 === 0) seat.comesBack();
    },
  },
  {
    name: "takes in little",
    act(seat) {
      seat.drainBytesPerSec = 46_000;
    },
  },
];

export function strategy(name: string): Strategy {
  return must(
    STRATEGIES.find((one) => one.name === name),
    "a strategy of this name",
  );
}
