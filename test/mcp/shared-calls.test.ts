import { describe, expect, it } from "vitest";
import { SharedCalls, type Caller, type Outcome } from "../../src/mcp/calls/shared-calls.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

/** Calls on a clock that stands still, with runs that a test ends. */
class Bench {
  readonly clock = new FakeClock();
  readonly calls = new SharedCalls(this.clock);
  readonly runs: { readonly caller: Caller; readonly end: (outcome?: Partial<Outcome>) => void }[] = [];
  readonly told: string[] = [];
  readonly #aborts = new Map<number, AbortController>();
  #id = 0;

  call(key: string, keeps = true): { id: number; answer: Promise<unknown> } {
    this.#id += 1;
    const id = this.#id;
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    const caller = {
      id,
      signal: abort.signal,
      progress: (message: string) => void this.told.push(`${id} ${message}`),
    };
    const run = (one: Caller): Promise<Outcome> =>
      new Promise((resolve) => {
        const outcome = { answer: () => ({ content: [] }), holds: () => true };
        this.runs.push({ caller: one, end: (more = {}) => resolve({ ...outcome, ...more }) });
      });
    const answer = this.calls.call(key, caller, { keeps, run }).then(({ repeatOf }) => repeatOf ?? "own");
    return { id, answer };
  }

  cancel(id: number): void {
    this.#aborts.get(id)?.abort();
  }

  /** Lets promises settle. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }
}

describe("a call that is made twice", () => {
  it("shares the run of the first one while that goes on, and names it", async () => {
    const bench = new Bench();
    const answers = [bench.call("say x"), bench.call("say x"), bench.call("say x")].map(
      ({ answer }) => answer,
    );
    await bench.settle();
    expect(bench.runs).toHaveLength(1);
    bench.runs[0]?.end();
    expect(await Promise.all(answers)).toEqual(["own", 1, 1]);
  });

  it("gets the answer of the first one for less than a second after it", async () => {
    const bench = new Bench();
    const first = bench.call("say x");
    await bench.settle();
    bench.runs[0]?.end();
    await first.answer;
    await bench.clock.advance(999);
    expect(await bench.call("say x").answer).toBe(1);
    // A repeat does not make it last longer.
    await bench.clock.advance(1);
    const later = bench.call("say x");
    await bench.settle();
    expect(bench.runs).toHaveLength(2);
    bench.runs[1]?.end();
    expect(await later.answer).toBe("own");
  });

  it("has a run of its own where an argument differs", async () => {
    const bench = new Bench();
    bench.call("say x");
    bench.call("say y");
    await bench.settle();
    expect(bench.runs).toHaveLength(2);
  });

  it.each<[string, boolean, Partial<Outcome>]>([
    ["the first one failed, or its tunnel is another one by now", true, { holds: () => false }],
    ["only the wait is shared", false, {}],
  ])("has a run of its own after the answer where %s", async (_what, keeps, outcome) => {
    const bench = new Bench();
    const answers = [bench.call("x", keeps), bench.call("x", keeps)].map(({ answer }) => answer);
    await bench.settle();
    bench.runs[0]?.end(outcome);
    expect(await Promise.all(answers)).toEqual(["own", 1]);
    bench.call("x", keeps);
    await bench.settle();
    expect(bench.runs).toHaveLength(2);
  });

  it("hears of progress, as the first one does", async () => {
    const bench = new Bench();
    const first = bench.call("x");
    bench.call("x");
    await bench.settle();
    bench.runs[0]?.caller.progress("half");
    bench.cancel(first.id);
    bench.runs[0]?.caller.progress("done");
    expect(bench.told).toEqual(["1 half", "2 half", "2 done"]);
  });
});

describe("a run with several callers", () => {
  it.each([
    ["the first", 1],
    ["the second", 2],
  ])("goes on when %s is cancelled, and is cancelled with the last", async (_which, id) => {
    const bench = new Bench();
    const calls = [bench.call("x"), bench.call("x")];
    await bench.settle();
    const signal = bench.runs[0]?.caller.signal;
    bench.cancel(id);
    expect(signal?.aborted).toBe(false);
    bench.cancel(3 - id);
    expect(signal?.aborted).toBe(true);
    // The same call again does not end with those.
    const again = bench.call("x");
    await bench.settle();
    expect(bench.runs).toHaveLength(2);
    bench.runs.forEach(({ end }) => end());
    expect(await Promise.all([...calls, again].map(({ answer }) => answer))).toEqual(["own", 1, "own"]);
  });

  it("counts as given up, also after its answer, when all of them are", async () => {
    const bench = new Bench();
    const calls = [bench.call("x"), bench.call("x")];
    await bench.settle();
    bench.runs[0]?.end();
    await Promise.all(calls.map(({ answer }) => answer));
    expect(bench.calls.gaveUp(1)).toBeUndefined();
    expect(bench.calls.gaveUp(1)).toBeUndefined();
    // The id of the run is that of the call which began it.
    expect(bench.calls.gaveUp(2)).toBe(1);
    expect(bench.calls.gaveUp("alone")).toBe("alone");
  });
});

it("answers are not kept for ever, nor without bound", async () => {
  const bench = new Bench();
  for (let n = 0; n < 300; n += 1) {
    const { answer } = bench.call(`say ${n}`);
    await bench.settle();
    bench.runs.at(-1)?.end();
    await answer;
  }
  expect(await bench.call("say 299").answer).toBe(300);
  bench.call("say 0");
  await bench.settle();
  expect(bench.runs).toHaveLength(301);
});
