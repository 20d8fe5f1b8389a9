import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { SERVICE } from "../../src/protocol/base/limits.ts";
import type { StreamSocket } from "../../src/services/connection/stream-socket.ts";
import { SERVICES_LIMITS } from "../../src/services/limits.ts";
import { Places } from "../../src/services/taker/places.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

/** A connection as its place sees it. */
class Connection extends EventEmitter {
  stalledAt: number | undefined;
  code: string | undefined;
  state: "waiting" | "in" | "given up" = "waiting";

  resetWith(code: string): void {
    this.code = code;
    this.emit("close");
  }
}

function scene(role: "host" | "member" = "host") {
  const clock = new FakeClock();
  const places = new Places(clock, role);
  const come = (count: number): Connection[] =>
    Array.from({ length: count }, () => {
      const one = new Connection();
      places.ask(
        one as unknown as StreamSocket,
        () => (one.state = "in"),
        () => (one.state = "given up"),
      );
      return one;
    });
  const inside = (all: readonly Connection[]): number => all.filter(({ state }) => state === "in").length;
  return { clock, places, come, inside };
}

describe("the places of connections that are taken", () => {
  it("are so many, and are given on in order", async () => {
    const { clock, places, come, inside } = scene();
    const all = come(SERVICE.maxTaken + 3);
    await clock.advance(1_000);
    expect([inside(all), places.waiting]).toEqual([SERVICE.maxTaken, 3]);
    all[5]?.emit("close");
    await clock.advance(200);
    expect(all[SERVICE.maxTaken]?.state).toBe("in");
    expect(all[SERVICE.maxTaken + 1]?.state).toBe("waiting");
    await clock.advance(SERVICES_LIMITS.queueMs);
    expect(all.slice(-2).map(({ state }) => state)).toEqual(["given up", "given up"]);
    places.end();
  });

  it("are asked for by a member no faster than its host reads", async () => {
    const { clock, places, come, inside } = scene("member");
    let opened = 0;
    const all: Connection[] = [];
    for (let ms = 0; ms < 10_000; ms += 100) {
      all.push(...come(10));
      await clock.advance(100);
      opened += inside(all);
      for (const one of all.splice(0)) one.emit("close");
    }
    expect(opened).toBeLessThanOrEqual(SERVICES_LIMITS.openBurst + 11 * SERVICES_LIMITS.opensPerSecond);
    places.end();
  });

  it("are taken from one on which nothing is read, where another one waits", async () => {
    const { clock, places, come, inside } = scene();
    const all = come(SERVICE.maxTaken);
    await clock.advance(1_000);
    for (const one of all) one.stalledAt = clock.now();
    const [late] = come(1);
    await clock.advance(SERVICES_LIMITS.stallMs - 1_000);
    expect(late?.state).not.toBe("in");
    const [next] = come(1);
    await clock.advance(2_000);
    expect(next?.state).toBe("in");
    expect(all.filter(({ code }) => code === "busy").length).toBeGreaterThan(0);
    expect(inside(all)).toBe(SERVICE.maxTaken);
    places.end();
  });

  it("are waited for by so many, and no more", () => {
    const { places, come } = scene();
    const all = come(SERVICE.maxTaken + SERVICES_LIMITS.maxQueued + 60);
    expect(all.filter(({ state }) => state === "given up").length).toBeGreaterThan(0);
    expect(places.waiting).toBeLessThanOrEqual(SERVICES_LIMITS.maxQueued);
    places.end();
    expect(all.some(({ state }) => state === "waiting")).toBe(false);
  });
});
