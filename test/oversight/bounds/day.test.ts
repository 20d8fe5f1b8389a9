import { describe, expect, it } from "vitest";
import type { Entry } from "../../../src/protocol/room/log.ts";
import { memberIdFromText } from "../../session/support.ts";
import { DEFAULT_LIMITS } from "../../../src/oversight/bounds/budgets.ts";
import { Overseer } from "../../../src/oversight/overseer.ts";
import { Supervision } from "../../../src/oversight/supervision.ts";
import { nodePrimitives as primitives } from "../../../src/runtime/primitives.ts";
import { handClock } from "../../cli/support.ts";
import * as conversations from "./conversations.ts";
import type { Line } from "./conversations.ts";
import * as days from "./days.ts";

/** Long enough for any of it to be a day. */
const EVERY_MS = 20_000;

/** What member `a` hears and says, through the oversight of its tunnel with the limits that nobody has set. */
function until(lines: readonly Line[], everyMs = EVERY_MS) {
  const clock = handClock();
  const settings = { gates: [], unattended: false, budgets: DEFAULT_LIMITS };
  const overseer = new Overseer({ settings, clock, primitives });
  const warnings: unknown[] = [];
  overseer.onWarning((_, budgets) => void warnings.push(...budgets));
  const ports = {
    deliver: () => undefined,
    onNews: () => undefined,
    revoke: () => undefined,
    tell: () => undefined,
  };
  const supervision = new Supervision<undefined>({ overseer, tunnelId: "t", ports });
  for (const [index, [from, text]] of lines.entries()) {
    clock.advance(everyMs);
    const entry: Entry = {
      kind: "chat",
      seq: index + 1,
      ts: clock.now(),
      from: memberIdFromText(from),
      fromName: from,
      own: from === "a",
      intent: undefined,
      replyTo: undefined,
      to: undefined,
      text,
    };
    supervision.heard(entry);
    if (supervision.stopped !== undefined) return { after: index + 1, why: supervision.stopped, warnings };
  }
  return { after: undefined, why: undefined, warnings };
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const ORDINARY: readonly (readonly [string, (seed: number) => readonly Line[]])[] = [
  ["short requests and answers", (seed) => conversations.tickets(seed)],
  ["a review with long texts", (seed) => days.review(seed)],
  ["Japanese", (seed) => days.japanese(seed)],
  ["Russian", (seed) => days.russian(seed)],
  ["records as JSON", (seed) => days.dumps(seed)],
  ["counting", () => days.counters()],
  ["three agents", (seed) => days.threeAgents(seed)],
  ["a build that is fixed step by step", (seed) => days.fixing(seed)],
];
const LOOPS: readonly (readonly [string, (seed: number) => readonly Line[]])[] = [
  ["retries", (seed) => days.retries(seed)],
  ["questions given back", (seed) => days.mirrors(seed)],
  ["thanks in ever new words", (seed) => days.politeness(seed)],
  ["thanks in Japanese", (seed) => days.japanesePoliteness(seed)],
  ["short thanks", (seed) => conversations.thanks(seed)],
  ["a standoff", () => conversations.standoff()],
  ["a fix that fixes nothing", () => conversations.samefix()],
  ["a triangle", () => conversations.triangle()],
];

describe("the limits that nobody has set (H24)", () => {
  it.each(ORDINARY)("let %s pass, and warn of nothing", (_, conversation) => {
    for (const seed of SEEDS) {
      const lines = conversation(seed);
      expect(lines.length, `seed ${seed}`).toBeGreaterThan(100);
      expect(until(lines), `seed ${seed}`).toMatchObject({ after: undefined, warnings: [] });
    }
  });

  it("let a day of all of these, one after the other, pass", () => {
    const day = ORDINARY.flatMap(([, conversation], at) => conversation(at + 20));
    expect(day.length).toBeGreaterThan(2_000);
    // A working day: what is above four fifths of 3,000 messages would be warned of.
    expect(until(day.slice(0, 2_300), 10_000)).toMatchObject({ after: undefined, warnings: [] });
  });

  it.each(LOOPS)("stop %s within a hundred messages", (_, conversation) => {
    for (const seed of SEEDS) {
      const { after, why } = until(conversation(seed));
      expect(why, `seed ${seed}`).toMatchObject({ reason: "loop" });
      expect(after, `seed ${seed}`).toBeLessThanOrEqual(100);
    }
  });

  it.each(LOOPS)("stop %s after an ordinary morning as well", (_, conversation) => {
    const morning = conversations.tickets(30, 150);
    for (const seed of SEEDS) {
      const { after, why } = until([...morning, ...conversation(seed)]);
      expect(why, `seed ${seed}`).toMatchObject({ reason: "loop" });
      expect((after ?? 0) - morning.length, `seed ${seed}`).toBeLessThanOrEqual(100);
    }
  });
});
