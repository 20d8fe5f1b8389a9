import { describe, expect, it } from "vitest";
import { Bounds } from "../../../src/oversight/bounds/bounds.ts";
import { DEFAULT_LIMITS, type BudgetLimits } from "../../../src/oversight/bounds/budgets.ts";
import * as conversations from "./conversations.ts";
import type { Line } from "./conversations.ts";

const unbounded: BudgetLimits = { messages: Infinity, bytes: Infinity, files: Infinity, minutes: Infinity };

/** Those two talk to each other alone. */
const PAIR: Readonly<Record<string, readonly string[]>> = { a: ["b"], b: ["a"] };

interface Options {
  readonly limits?: BudgetLimits;
  readonly everyMs?: number;
  readonly to?: (line: Line) => readonly string[] | undefined;
}

/** Says the lines in a room, as member `a` hears them, until it has to stop. @returns the number of messages until then */
function until(lines: readonly Line[], { limits = unbounded, everyMs = 1_000, to }: Options = {}) {
  const bounds = new Bounds(limits);
  let at = 0;
  for (const [index, line] of lines.entries()) {
    at += everyMs;
    const [from, text] = line;
    bounds.heard({
      at,
      from,
      isOwn: from === "a",
      to: to?.(line),
      isHuman: false,
      text,
      bytes: text.length,
      isFile: false,
    });
    if (bounds.held(at) !== undefined) return { after: index + 1, why: bounds.held(at), bounds, at };
  }
  return { after: undefined, why: undefined, bounds, at };
}

describe("the loop guard (H24)", () => {
  it.each([
    ["prose", conversations.prose()],
    ["short requests with short answers", conversations.tickets(1)],
    ["the same with other numbers", conversations.tickets(2, 1_000)],
    ["steps of a long job", conversations.progress()],
    ["a game of short moves", conversations.moves(3)],
  ])("lets an ordinary day of %s pass", (_, lines) => {
    expect(lines.length).toBeGreaterThan(50);
    expect(until(lines).why).toBeUndefined();
  });

  it.each([
    ["thanks for thanks", conversations.thanks(1), 80],
    ["a standoff", conversations.standoff(), 20],
    ["a fix that fixes nothing", conversations.samefix(), 20],
    ["a triangle that no pair of it sees", conversations.triangle(), 20],
  ])("stops %s", (_, lines, most) => {
    const { after, why } = until(lines);
    expect(why).toMatchObject({ reason: "loop" });
    expect(after).toBeLessThanOrEqual(most);
  });

  it("sees a pair that repeats itself while others have news", () => {
    const loop = conversations.standoff(60);
    const news = conversations.tickets(5, 200);
    const mixed = loop.flatMap((line, at): Line[] => {
      const others = news
        .slice(at * 3, at * 3 + 3)
        .map(([from, text]): Line => [from === "a" ? "c" : "d", text]);
      return [line, ...others];
    });
    const to = ([from]: Line): readonly string[] | undefined => PAIR[from];
    expect(until(mixed, { to }).why).toMatchObject({ reason: "loop" });
    expect(
      until(
        mixed.filter(([from]) => from === "c" || from === "d"),
        { to },
      ).why,
    ).toBeUndefined();
  });

  it("holds until a person of this side acts, and notices the same loop again", () => {
    const { bounds, at } = until(conversations.standoff());
    const say = (text: string, isHuman: boolean): void =>
      void bounds.heard({
        at,
        from: "b",
        isOwn: false,
        to: undefined,
        isHuman,
        text,
        bytes: text.length,
        isFile: false,
      });
    say("Something quite new: build 4711 is green now.", false);
    say("I am the person here, go on.", true);
    expect(bounds.held(at)).toMatchObject({ reason: "loop" });
    bounds.renew(at);
    expect(bounds.held(at)).toBeUndefined();
    for (const [from, text] of conversations.standoff(20))
      bounds.heard({
        at,
        from,
        isOwn: from === "a",
        to: undefined,
        isHuman: false,
        text,
        bytes: text.length,
        isFile: false,
      });
    expect(bounds.held(at)).toMatchObject({ reason: "loop" });
  });

  it("takes a file for news, and a person's words for nothing of the agents'", () => {
    const bounds = new Bounds(unbounded);
    for (let at = 0; at < 100; at += 1) {
      bounds.heard({
        at,
        from: "a",
        isOwn: true,
        to: undefined,
        isHuman: false,
        text: "log.txt",
        bytes: 9,
        isFile: true,
      });
      bounds.heard({
        at,
        from: "b",
        isOwn: false,
        to: undefined,
        isHuman: true,
        text: "go on",
        bytes: 5,
        isFile: false,
      });
    }
    expect(bounds.held(100)).toBeUndefined();
    expect(bounds.gauges(100)).toMatchObject({ messages: { used: 100 }, files: { used: 100 } });
  });

  it("costs little for a message that is made to cost much", () => {
    const bounds = new Bounds(unbounded);
    const long = Array.from({ length: 30_000 }, (_, at) => String.fromCodePoint(0x4e00 + (at % 20_000))).join(
      " ",
    );
    for (const text of [long, "x".repeat(65_536), "\u{1F600}".repeat(16_000)])
      for (let at = 0; at < 20; at += 1)
        bounds.heard({
          at,
          from: "b",
          isOwn: false,
          to: undefined,
          isHuman: false,
          text,
          bytes: text.length,
          isFile: false,
        });
    expect(bounds.held(20)).toBeDefined();
  });
});

describe("budgets (H24)", () => {
  const limits: BudgetLimits = { messages: 10, bytes: 1_000, files: 3, minutes: 60 };
  const say = (bounds: Bounds, at: number, from: string, extra: { bytes?: number; isFile?: boolean } = {}) =>
    bounds.heard({
      at,
      from,
      isOwn: from === "a",
      to: undefined,
      isHuman: false,
      text: `message ${at}`,
      bytes: extra.bytes ?? 10,
      isFile: extra.isFile ?? false,
    });

  it("counts messages of the whole room, warns once at four fifths, and holds at the limit", () => {
    const bounds = new Bounds(limits);
    const warnings = Array.from({ length: 9 }, (_, at) => say(bounds, at, at % 2 === 0 ? "b" : "c"));
    expect(warnings.flat()).toEqual(["messages"]);
    expect(warnings[7]).toEqual(["messages"]);
    expect(bounds.held(9)).toBeUndefined();
    say(bounds, 9, "a");
    expect(bounds.held(9)).toEqual({ reason: "budget", budget: "messages" });
  });

  it("counts bytes and files of this side's agent alone", () => {
    const bounds = new Bounds(limits);
    say(bounds, 1, "b", { bytes: 5_000, isFile: true });
    expect(bounds.gauges(1)).toMatchObject({ bytes: { used: 0 }, files: { used: 0 } });
    say(bounds, 2, "a", { bytes: 999, isFile: true });
    expect(bounds.held(2)).toBeUndefined();
    say(bounds, 3, "a", { bytes: 1 });
    expect(bounds.held(3)).toEqual({ reason: "budget", budget: "bytes" });
  });

  it("counts minutes from the first message, and from a person's release", () => {
    const bounds = new Bounds(limits);
    expect(bounds.held(10_000_000)).toBeUndefined();
    say(bounds, 10_000_000, "b");
    expect(bounds.held(10_000_000 + 59 * 60_000)).toBeUndefined();
    const later = 10_000_000 + 60 * 60_000;
    expect(bounds.held(later)).toEqual({ reason: "budget", budget: "minutes" });
    bounds.renew(later);
    expect(bounds.held(later)).toBeUndefined();
    expect(bounds.gauges(later)).toEqual({
      messages: { used: 0, limit: 10 },
      bytes: { used: 0, limit: 1_000 },
      files: { used: 0, limit: 3 },
      minutes: { used: 0, limit: 60 },
    });
  });

  it("has defaults that ten hours of one message every twenty seconds do not meet", () => {
    const lines = conversations.tickets(7, 900);
    expect(until(lines, { limits: DEFAULT_LIMITS, everyMs: 20_000 }).why).toBeUndefined();
  });
});
