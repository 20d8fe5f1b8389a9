import { expect, test } from "vitest";
import { Tallies } from "../../../src/relay/cluster/tallies.ts";
import { Counts } from "../../../src/relay/limits/counts.ts";
import { Pace } from "../../../src/relay/limits/pace.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { FakeEngine, FakeServer, type Network } from "./fake-engine.ts";

const NETWORK: Network = { send: (_from, _to, deliver) => deliver() };

function ends(clock: FakeClock, limit: number, perMinute = 120) {
  const server = new FakeServer(() => clock.now());
  return ["a", "b", "c"].map((node) => end(clock, server, node, limit, perMinute));
}

function end(clock: FakeClock, server: FakeServer, node: string, limit: number, perMinute = 120) {
  const engine = new FakeEngine(node, server, NETWORK, clock);
  const tallies = new Tallies({ node, clock, engine, key: Buffer.alloc(32) });
  const [counts, pace] = [new Counts(), new Pace(perMinute, () => clock.now())];
  tallies.share("things", counts, limit);
  tallies.sharePace("attempts", pace);
  return { tallies, counts, pace };
}

test.each([20, 100, 1_024])("a limit of %i holds over three nodes to within a tenth", async (limit) => {
  const clock = new FakeClock();
  const nodes = ends(clock, limit);
  let taken = 0;
  const gives: (() => void)[] = [];
  for (let turn = 0; turn < limit; turn += 1) {
    for (const { counts } of nodes) {
      const give = counts.take("key", limit);
      if (give === undefined) continue;
      taken += 1;
      gives.push(give);
    }
    await clock.advance(10);
  }
  expect(taken).toBeGreaterThanOrEqual(limit * 0.9);
  expect(taken).toBeLessThanOrEqual(limit * 1.1);
  // Who leaves at one node makes place at every other one.
  for (const give of gives) give();
  await clock.advance(50);
  expect(nodes[1]?.counts.take("key", limit)).toBeDefined();
  expect(nodes[1]?.counts.take("other", 1)).toBeDefined();
});

test("what a node has told is forgotten when it says no more", async () => {
  const clock = new FakeClock();
  const [one, other] = ends(clock, 2);
  one?.counts.take("key", 2);
  one?.counts.take("key", 2);
  await clock.advance(30);
  expect(other?.counts.take("key", 2)).toBeUndefined();
  one?.tallies.close();
  await clock.advance(5_000);
  expect(other?.counts.take("key", 2)).toBeDefined();
});

test("one that begins later hears of all within a second", async () => {
  const clock = new FakeClock();
  const server = new FakeServer(() => clock.now());
  const { counts } = end(clock, server, "a", 2);
  counts.take("key", 2);
  counts.take("key", 2);
  await clock.advance(30);
  const late = end(clock, server, "late", 2);
  expect(late.counts.take("key", 2)).toBeDefined();
  await clock.advance(1_100);
  expect(late.counts.take("key", 3)).toBeUndefined();
});

test("attempts at any node count for the pace at all", async () => {
  const clock = new FakeClock();
  const nodes = ends(clock, 10, 30);
  let admitted = 0;
  for (let turn = 0; turn < 60; turn += 1) {
    for (const { pace } of nodes) admitted += Number(pace.admits("source"));
    await clock.advance(25);
  }
  // 1.5 s of 30 a minute more than the 30 at once.
  expect(admitted).toBeGreaterThanOrEqual(28);
  expect(admitted).toBeLessThanOrEqual(34);
});
