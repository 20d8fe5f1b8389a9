import { describe, expect, it } from "vitest";
import { Asks } from "../../../src/oversight/asks/asks.ts";
import { Inbound, MAX_WAITING_IN } from "../../../src/oversight/lanes/inbound.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";

function lane() {
  const clock = new FakeClock();
  const asks = new Asks({ clock, primitives: nodePrimitives });
  const mode = { isHeld: false, isPaused: false };
  const delivered: string[] = [];
  const withheld: [entry: string, state: string][] = [];
  const inbound = new Inbound<string>({
    tunnelId: "t",
    asks,
    isHeld: () => mode.isHeld,
    isPaused: () => mode.isPaused,
    deliver: (entry) => void delivered.push(entry),
    withhold: (entry, { state }) => void withheld.push([entry, state]),
  });
  const hear = (entry: string, from = "b"): void => {
    const isAsked = from !== "a";
    const subject = { kind: "incoming", seq: 1, fromName: from, text: entry } as const;
    inbound.heard({ entry, question: isAsked ? { subject, causer: { member: from } } : undefined });
  };
  const decide = (id: number, verdict: "approve" | "refuse"): void => {
    const ask = asks.find(id);
    if (ask === undefined) throw new Error("no ask");
    asks.decide(id, ask.digest, { verdict }, { path: "watch" });
  };
  return { clock, asks, mode, delivered, withheld, inbound, hear, decide };
}

describe("the way in", () => {
  it("passes everything on at once where nobody wants to be asked", () => {
    const { hear, delivered, inbound } = lane();
    hear("one");
    hear("two", "a");
    expect(delivered).toEqual(["one", "two"]);
    expect(inbound.waiting).toBe(0);
  });

  it("H15: keeps the order, own words and changes of the room included", () => {
    const { hear, delivered, mode, decide, withheld } = lane();
    mode.isHeld = true;
    for (const [entry, from] of [["one"], ["mine", "a"], ["two"], ["three"]] as const) hear(entry, from);
    decide(2, "approve");
    expect(delivered).toEqual([]);
    decide(1, "approve");
    expect(delivered).toEqual(["one", "mine", "two"]);
    decide(3, "refuse");
    expect(withheld).toEqual([["three", "refused"]]);
  });

  it("lets everything go when nobody wants to be asked any more, but what waits for a decision", () => {
    const { hear, delivered, mode, inbound, asks } = lane();
    mode.isHeld = true;
    for (let at = 0; at < 20; at += 1) hear(`${at}`);
    mode.isHeld = false;
    inbound.look();
    expect(delivered).toEqual([]);
    for (const { id, digest } of asks.waiting)
      asks.decide(id, digest, { verdict: "approve" }, { path: "watch" });
    expect(delivered).toHaveLength(20);
  });

  it("H25: a pause stops delivery at once and keeps everything", () => {
    const { hear, delivered, mode, inbound } = lane();
    mode.isPaused = true;
    hear("one");
    hear("two", "a");
    expect(delivered).toEqual([]);
    mode.isPaused = false;
    inbound.look();
    expect(delivered).toEqual(["one", "two"]);
  });

  it("H11: what nobody decided about in time is not delivered, and told as that", async () => {
    const { hear, withheld, mode, clock } = lane();
    mode.isHeld = true;
    hear("one");
    await clock.advance(24 * 60 * 60_000);
    expect(withheld).toEqual([["one", "expired"]]);
  });

  it("at the end delivers what nobody had to decide about, and nothing that waits for it", () => {
    const { hear, delivered, withheld, mode, inbound } = lane();
    mode.isHeld = true;
    for (let at = 0; at < 12; at += 1) hear(`${at}`);
    hear("mine", "a");
    inbound.end();
    expect(delivered).toEqual(["mine"]);
    expect(withheld.map(([, state]) => state)).toEqual(Array<string>(12).fill("withdrawn"));
  });

  it("H30, P14: a flood makes a few asks, and memory is bounded", () => {
    const { hear, asks, mode, inbound, withheld, decide } = lane();
    mode.isHeld = true;
    for (let at = 0; at < 10_000; at += 1) hear(`${at}`);
    expect(asks.waiting).toHaveLength(8);
    expect(inbound.waiting).toBe(MAX_WAITING_IN);
    // What a person is reading stays where it is: the oldest of the others go.
    expect(asks.waiting.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(withheld.slice(0, 2)).toEqual([
      ["8", "too-many"],
      ["9", "too-many"],
    ]);
    const [first] = asks.waiting;
    decide(first?.id ?? 0, "approve");
    expect(asks.waiting).toHaveLength(8);
  });
});
