import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Emitter } from "../../src/runtime/emitter.ts";
import { every, settled, wait } from "../../src/runtime/wait.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

describe("waiting", () => {
  function scene() {
    const clock = new FakeClock();
    const controller = new AbortController();
    const emitter = new Emitter<void>();
    const { signal } = controller;
    const waiting = wait(clock, 1_000, { signal, until: (wake) => emitter.subscribe(wake) });
    const leftovers = (): number => clock.waiting + getEventListeners(signal, "abort").length;
    return { clock, controller, emitter, waiting, leftovers };
  }

  it("ends when the time is up, and not before", async () => {
    const { clock, waiting, leftovers } = scene();
    let ended: string | undefined;
    void waiting.then((how) => (ended = how));
    await clock.advance(999);
    expect(ended).toBeUndefined();
    await clock.advance(1);
    expect([ended, leftovers()]).toEqual(["timeout", 0]);
  });

  it("ends early by what it waits for, or by its signal, and leaves nothing behind", async () => {
    const woken = scene();
    woken.emitter.emit();
    woken.emitter.emit();
    expect([await woken.waiting, woken.leftovers()]).toEqual(["woken", 0]);

    const aborted = scene();
    aborted.controller.abort();
    expect([await aborted.waiting, aborted.leftovers()]).toEqual(["aborted", 0]);
  });

  it("does not wait at all without time, or when it is aborted already", async () => {
    const clock = new FakeClock();
    const until = (): (() => void) => {
      throw new Error("nothing is to be waited for");
    };
    expect(await wait(clock, 0, { until })).toBe("timeout");
    expect(await wait(clock, -1, { until })).toBe("timeout");
    expect(await wait(clock, 1, { until, signal: AbortSignal.abort() })).toBe("aborted");
    expect(clock.waiting).toBe(0);
  });

  it("ends with a promise, however that ends", async () => {
    const clock = new FakeClock();
    expect(await wait(clock, 1_000, { until: settled(Promise.resolve()) })).toBe("woken");
    expect(await wait(clock, 1_000, { until: settled(Promise.reject(new Error("no"))) })).toBe("woken");
    expect(clock.waiting).toBe(0);
  });
});

describe("a beat", () => {
  it("comes after each interval until it is stopped, also from within", async () => {
    const clock = new FakeClock();
    const beats: number[] = [];
    const start = clock.now();
    const stop = every(clock, 100, () => {
      beats.push(clock.now() - start);
      if (beats.length === 3) stop();
    });
    await clock.advance(99);
    expect(beats).toEqual([]);
    await clock.advance(1_000);
    expect(beats).toEqual([100, 200, 300]);
    expect(clock.waiting).toBe(0);
  });
});
