import { describe, expect, it } from "vitest";
import { Watchers } from "../../src/control/watchers.ts";

function watchersAt(start: number) {
  const time = { now: start };
  const watchers = new Watchers({ now: () => time.now, after: () => () => undefined });
  return { time, watchers };
}

const ALIVE = new AbortController().signal;

describe("programs that watch", () => {
  it("are there while a question waits, however long", () => {
    const { time, watchers } = watchersAt(0);
    watchers.begin(undefined, ALIVE);
    time.now += 10 * 60_000;
    expect(watchers.has("1d")).toBe(true);
  });

  it("are there between two questions, as long as they rest after a line", () => {
    const { time, watchers } = watchersAt(0);
    watchers.begin(undefined, ALIVE)();
    time.now += 17_000;
    expect(watchers.has("1d")).toBe(true);
    time.now += 4_000;
    expect(watchers.has("1d")).toBe(false);
  });

  it("are gone at once with their connection", () => {
    const { watchers } = watchersAt(0);
    const gone = new AbortController();
    const ended = watchers.begin(undefined, gone.signal);
    gone.abort();
    ended();
    expect(watchers.has("1d")).toBe(false);
  });

  it("watch the one tunnel that they name, or all", () => {
    const { watchers } = watchersAt(0);
    watchers.begin("1d", ALIVE);
    expect([watchers.has("1d"), watchers.has("2e")]).toEqual([true, false]);
    watchers.begin(undefined, ALIVE);
    expect(watchers.has("2e")).toBe(true);
  });
});
