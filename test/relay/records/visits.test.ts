import { describe, expect, it } from "vitest";
import { Records, RECORDS } from "../../../src/relay/records/visits.ts";
import type { RelayEvent } from "../../../src/relay/events.ts";

const opened = (name: string, tokenId = "a"): RelayEvent => ({
  type: "registered",
  kind: "http",
  name,
  epoch: 1,
  tokenId,
  source: "s",
});
const over = (name: string, why: "released" | "evicted" | "cut" = "released"): RelayEvent => ({
  type: "unregistered",
  kind: "http",
  name,
  epoch: 1,
  tokenId: "a",
  why,
  lastedMs: 1,
});
const visited = (name: string, path = "/"): RelayEvent => ({
  type: "request",
  name,
  method: "GET",
  path,
  status: 200,
  end: "done",
  bytesIn: 0,
  bytesOut: 0,
  lastedMs: 5,
  source: "192.0.2.1",
});

const records = (): Records =>
  new Records(
    () => 1_000,
    (source) => `~${source}`,
  );
const http = (name: string) => ({ kind: "http", name }) as const;
const visitsOf = (all: Records, name: string): number => all.of(http(name))?.visits.length ?? -1;

describe("the records of visits", () => {
  it("hold what came to tunnels that are known, and nothing of other names", () => {
    const all = records();
    all.take(visited("stranger"));
    expect(all.of(http("stranger"))).toBeUndefined();
    all.take(opened("shop"));
    all.take(visited("shop", "/a"));
    expect(all.of(http("shop"))?.visits).toEqual([
      {
        id: 1,
        at: 995,
        lastedMs: 5,
        type: "request",
        request: { method: "GET", path: "/a", status: 200 },
        end: "done",
        bytesIn: 0,
        bytesOut: 0,
        source: "~192.0.2.1",
      },
    ]);
  });

  it("keep the last ones of each tunnel", () => {
    const all = records();
    all.take(opened("shop"));
    for (let index = 0; index < RECORDS.visitsPerTunnel + 7; index += 1)
      all.take(visited("shop", `/${index}`));
    expect(visitsOf(all, "shop")).toBe(RECORDS.visitsPerTunnel);
    expect(all.of(http("shop"))?.visits[0]?.request?.path).toBe("/7");
  });

  it("keep so many in all, and forget those of the quietest tunnel first", () => {
    const all = records();
    const tunnels = RECORDS.visits / RECORDS.visitsPerTunnel + 2;
    for (let tunnel = 0; tunnel < tunnels; tunnel += 1) {
      all.take(opened(`t${tunnel}`));
      for (let index = 0; index < RECORDS.visitsPerTunnel; index += 1) all.take(visited(`t${tunnel}`));
    }
    const sum = [...all.all].reduce((total, { visits }) => total + visits.length, 0);
    expect(sum).toBe(RECORDS.visits);
    expect([visitsOf(all, "t0"), visitsOf(all, "t1"), visitsOf(all, "t2")]).toEqual([
      0,
      0,
      RECORDS.visitsPerTunnel,
    ]);
  });

  it("go on being readable for a bounded number of tunnels that are over", () => {
    const all = records();
    all.take(opened("open"));
    for (let index = 0; index < RECORDS.endedTunnels + 5; index += 1) {
      all.take(opened(`t${index}`));
      all.take(visited(`t${index}`));
      all.take(over(`t${index}`));
    }
    expect([...all.all]).toHaveLength(RECORDS.endedTunnels + 1);
    expect([visitsOf(all, "t4"), visitsOf(all, "t5"), visitsOf(all, "open")]).toEqual([-1, 1, 0]);
  });

  it("of a successor are those of the one it has evicted, unless it has another token", () => {
    const all = records();
    all.take(opened("shop"));
    all.take(visited("shop"));
    all.take(opened("shop"));
    all.take(over("shop", "evicted"));
    expect(visitsOf(all, "shop")).toBe(1);
    all.take(over("shop", "cut"));
    all.take(opened("shop", "b"));
    expect([visitsOf(all, "shop"), all.of(http("shop"))?.tokenId]).toEqual([0, "b"]);
  });

  it("hold a short piece of a long path", () => {
    const all = records();
    all.take(opened("shop"));
    all.take(visited("shop", `/${"x".repeat(10_000)}`));
    expect(all.of(http("shop"))?.visits[0]?.request?.path).toHaveLength(RECORDS.pathChars);
  });
});
