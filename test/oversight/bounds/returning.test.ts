import { describe, expect, it } from "vitest";
import { Bounds, type KeptBounds, type Said } from "../../../src/oversight/bounds/bounds.ts";
import { DEFAULT_LIMITS, type BudgetLimits } from "../../../src/oversight/bounds/budgets.ts";

/** The bounds of a tunnel whose process ends after each entry: it is as if there were one process only. */

const NOW = 1_700_000_000_000;

function said(seq: number, more: Partial<Said> = {}): Said {
  const text = `step ${seq} of build-${seq}.log`;
  return {
    at: NOW + seq,
    from: "ana",
    isOwn: true,
    to: undefined,
    isHuman: false,
    text,
    bytes: 10,
    isFile: false,
    ...more,
  };
}

/** What a process of this side knows, and its log. */
class Side {
  readonly #limits: BudgetLimits;
  readonly #log: Said[] = [];
  #kept: KeptBounds | undefined;
  bounds: Bounds;

  constructor(limits: Partial<BudgetLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.bounds = this.#begun();
  }

  heard(one: Said): void {
    this.#log.push(one);
    this.bounds.heard(one, this.#log.length);
  }

  restart(): void {
    this.bounds = this.#begun();
    if (this.#kept !== undefined) this.bounds.restore(this.#kept);
    for (const [index, one] of this.#log.entries()) this.bounds.recalled(one, index + 1);
  }

  #begun(): Bounds {
    return new Bounds(this.#limits, (kept) => (this.#kept = kept));
  }
}

describe("bounds after the end of a process (H24)", () => {
  it.each([1, 7, 16, 17, 40])("count what was said, where it ends after every %i entries", (every) => {
    const side = new Side();
    for (let seq = 1; seq <= 100; seq += 1) {
      side.heard(said(seq, { isHuman: seq % 10 === 0, isFile: seq % 25 === 1 }));
      if (seq % every === 0) side.restart();
    }
    side.restart();
    const { messages, bytes, files } = side.bounds.gauges(NOW);
    expect({ messages: messages.used, bytes: bytes.used, files: files.used }).toEqual({
      messages: 90,
      bytes: 900,
      files: 4,
    });
  });

  it("count the minutes from the first message on, and not from the return", () => {
    const side = new Side({ minutes: 60 });
    for (let seq = 1; seq <= 20; seq += 1) side.heard(said(seq));
    side.restart();
    expect(side.bounds.gauges(NOW + 30 * 60_000).minutes.used).toBe(29);
    expect(side.bounds.held(NOW + 61 * 60_000)).toEqual({ reason: "budget", budget: "minutes" });
  });

  it("begin where a person has renewed them, also for the guard against loops", () => {
    const side = new Side({ messages: 1_000 });
    const same = { text: "thank you, that is very kind of you" };
    for (let seq = 1; side.bounds.held(NOW) === undefined; seq += 1) side.heard(said(seq, same));
    expect(side.bounds.held(NOW)).toMatchObject({ reason: "loop" });
    side.bounds.renew(NOW);
    side.restart();
    expect(side.bounds.held(NOW)).toBeUndefined();
    expect(side.bounds.gauges(NOW).messages.used).toBe(0);
    side.heard(said(99));
    side.restart();
    expect(side.bounds.held(NOW)).toBeUndefined();
    expect(side.bounds.gauges(NOW).messages.used).toBe(1);
  });

  it("hold an agent that was held for a loop, whatever others have said meanwhile", () => {
    const side = new Side();
    const same = { text: "thank you, that is very kind of you" };
    for (let seq = 1; side.bounds.held(NOW) === undefined; seq += 1) side.heard(said(seq, same));
    for (let seq = 100; seq < 150; seq += 1) side.heard(said(seq, { from: "ben", isOwn: false }));
    side.restart();
    expect(side.bounds.held(NOW)).toMatchObject({ reason: "loop" });
  });
});
