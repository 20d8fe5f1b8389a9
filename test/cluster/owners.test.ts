import { setTimeout as after } from "node:timers/promises";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { echoed, echoRoom, hostOf, roomId, upgrade } from "../relay/support.ts";
import { Fleet, type FleetNode } from "./fleet.ts";
import { NatsCluster } from "./nats.ts";
import { servedByTheFormer, servedIn } from "./served.ts";

let cluster: NatsCluster;
let fleet: Fleet;
let home = "";

beforeAll(async () => {
  cluster = await NatsCluster.start(3);
  fleet = await Fleet.start(cluster, 3);
  home = mkdtempSync(path.join(tmpdir(), "owners-test-"));
  host = hostOf(fleet.balancer.port, { home });
});
afterAll(async () => {
  await fleet.end();
  await cluster.stop();
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});
beforeEach(() => fleet.ready());

/** Whether a guest who comes to that node gets its own bytes back within so long. */
async function isServed(port: number, room: string, withinMs = 4_000): Promise<boolean> {
  const visit = async (): Promise<boolean> => {
    const result = await upgrade(port, `/t/${room}`).catch(() => undefined);
    if (result === undefined || !("socket" in result)) return false;
    const { socket } = result;
    const bytes = Buffer.from("here?");
    const isWhole = await echoed(socket, bytes).then(
      (back) => back.equals(bytes),
      () => false,
    );
    socket.destroy();
    return isWhole;
  };
  return Promise.race([visit(), after(withinMs, false)]);
}

/** @returns milliseconds until a guest is served by one of these nodes */
async function untilServed(nodes: readonly FleetNode[], room: string, limitMs: number): Promise<number> {
  const begun = Date.now();
  for (let turn = 0; Date.now() - begun < limitMs; turn += 1) {
    const node = nodes[turn % nodes.length];
    if (node !== undefined && (await isServed(node.relay.port, room, 1_000))) return Date.now() - begun;
    await after(20);
  }
  throw new Error(`nobody was served within ${limitMs} ms`);
}

/** One key: whoever opens a room again takes it from the host before. */
let host: ReturnType<typeof hostOf>;

async function open(room: string): Promise<void> {
  const { port } = await echoRoom();
  await host(port, { kind: "room", room });
}

/** The node at which the host of a room is, by the logs. */
async function ownerOf(room: string): Promise<FleetNode> {
  // Lines are gathered for a moment.
  await after(100);
  const registered = fleet.nodes.flatMap((node) =>
    [...node.relay.stdout.matchAll(/^.*"event":"registered".*$/gm)].flatMap(([line]) =>
      line.includes(room) ? [{ node, epoch: Number(/"epoch":(\d+)/.exec(line)?.[1]) }] : [],
    ),
  );
  const newest = registered.toSorted((one, two) => two.epoch - one.epoch)[0];
  if (newest === undefined) throw new Error("nobody holds it");
  return newest.node;
}

describe.each(["reset", "stall"] as const)("a node that is cut off from all others by a %s", (how) => {
  test("sends its hosts away: guests are served by another node", async () => {
    const room = roomId();
    await open(room);
    const owner = await ownerOf(room);
    const others = fleet.nodes.filter((node) => node !== owner);
    expect(await untilServed(others, room, 5_000)).toBeLessThan(2_000);
    fleet.partition(owner, how);
    try {
      const ms = await untilServed(others, room, 15_000);
      // Silence is noticed by beats that do not come, so up to three seconds later than a reset.
      expect(ms).toBeLessThan(how === "reset" ? 3_000 : 6_000);
      // It does not lead guests to what it cannot prove.
      expect(await isServed(owner.relay.port, room, 1_000)).toBe(false);
    } finally {
      // The tests behind this one need all nodes.
      fleet.heal();
    }
    await fleet.ready();
    expect(await untilServed([owner], room, 8_000)).toBeLessThan(8_000);
  });
});

test("while the engine is away, guests and hosts that are known are served by every node", async () => {
  const room = roomId();
  await open(room);
  for (const node of fleet.nodes) expect(await untilServed([node], room, 8_000)).toBeLessThan(8_000);
  await Promise.all(cluster.servers.map((server) => server.kill()));
  const begun = Date.now();
  let tries = 0;
  const missed: string[] = [];
  while (Date.now() - begun < 8_000) {
    for (const node of fleet.nodes) {
      tries += 1;
      const at = Date.now();
      if (!(await isServed(node.relay.port, room)))
        missed.push(`try ${tries} after ${at - begun} ms for ${Date.now() - at} ms`);
    }
    await after(200);
  }
  expect(tries).toBeGreaterThan(10);
  expect(missed).toEqual([]);
  await Promise.all(cluster.servers.map((server) => server.start()));
  await fleet.ready();
  for (const node of fleet.nodes) expect(await isServed(node.relay.port, room)).toBe(true);
});

test("no two owners of a name are ever served at once", async () => {
  const room = roomId();
  const over = new AbortController();
  const visitors = fleet.nodes.map(async ({ relay }) => {
    let served = 0;
    while (!over.signal.aborted) {
      if (await isServed(relay.port, room)) served += 1;
      await after(15);
    }
    return served;
  });
  let claims = 0;
  const hosts = (async () => {
    while (!over.signal.aborted) {
      // The newest proof wins: each host is followed by the next one, at whatever node.
      await Promise.race([open(room), after(5_000)]).then(
        () => (claims += 1),
        () => undefined,
      );
      await after(300);
    }
  })();
  for (let round = 0; round < 3; round += 1) {
    const [killed, paused, cut] = [fleet.at(round), fleet.at(round + 1), fleet.at(round + 2)];
    await after(1_500);
    await killed.relay.end("SIGKILL");
    await after(700);
    await killed.relay.restart();
    await after(1_000);
    // Longer than a lease: it goes on in the middle of what it was doing.
    paused.relay.signal("SIGSTOP");
    await after(3_500);
    paused.relay.signal("SIGCONT");
    await after(1_000);
    fleet.partition(cut, round % 2 === 0 ? "stall" : "reset");
    await after(4_000);
    fleet.heal();
    await cluster.servers[round]?.kill();
    await after(1_500);
    await cluster.servers[round]?.start();
  }
  over.abort();
  await hosts;
  const counts = await Promise.all(visitors);
  await after(100);
  const served = servedIn(fleet.logs).filter(({ name }) => name === room);
  expect(claims).toBeGreaterThan(10);
  expect(Math.min(...counts)).toBeGreaterThan(20);
  expect(new Set(served.map(({ epoch }) => epoch)).size).toBeGreaterThan(5);
  expect(new Set(served.map(({ run }) => run)).size).toBeGreaterThan(2);
  expect(servedByTheFormer(served)).toEqual([]);
});
