import { setTimeout as after } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { closeAgents } from "../support/agent.ts";
import { expectDelivered } from "../support/conversation.ts";
import { Fleet, isReady } from "./fleet.ts";
import { NatsCluster } from "./nats.ts";
import { servedByTheFormer, servedIn } from "./served.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await closeAgents();
  for (const end of ends.splice(0).toReversed()) await end();
});

const WORDS = 110;

/** Troubles one after the other, as long as anybody talks. @returns how often each has come to its end */
async function storm(cluster: NatsCluster, fleet: Fleet, signal: AbortSignal): Promise<Map<string, number>> {
  const count = new Map<string, number>();
  const done = (what: string): void => void count.set(what, (count.get(what) ?? 0) + 1);
  const killNode = async (index: number): Promise<void> => {
    const { relay } = fleet.at(index);
    await relay.end("SIGKILL");
    await after(300);
    await relay.restart();
  };
  for (let round = 0; !signal.aborted; round += 1) {
    await killNode(round);
    done("node killed");
    await after(2_000);
    const server = cluster.servers[round % cluster.servers.length];
    await server?.kill();
    await after(1_500);
    await server?.start();
    done("engine server killed");
    await killNode(round + 1);
    await after(2_000);
    fleet.partition(fleet.at(round + 2), round % 2 === 0 ? "reset" : "stall");
    await after(4_000);
    fleet.heal();
    done("node partitioned");
    await after(1_500);
    await Promise.all(cluster.servers.map((one) => one.kill()));
    await after(2_500);
    await Promise.all(cluster.servers.map((one) => one.start()));
    done("engine away");
    expect(await fleet.at(round).relay.end("SIGTERM")).toBe(0);
    await fleet.at(round).relay.restart();
    done("node drained");
    await after(2_000);
  }
  return count;
}

const LIMIT = { timeout: 240_000 };

test(
  "a room over three nodes loses, doubles and reorders nothing, whatever is killed or cut",
  LIMIT,
  async () => {
    const cluster = await NatsCluster.start(3);
    ends.push(() => cluster.stop());
    const fleet = await Fleet.start(cluster, 3);
    ends.push(() => fleet.end());
    const count = await expectDelivered(fleet.url, (signal) => storm(cluster, fleet, signal), {
      words: WORDS,
      pauseMs: 250,
    });
    // It was a storm.
    for (const what of [
      "node killed",
      "engine server killed",
      "node partitioned",
      "engine away",
      "node drained",
    ])
      expect(count.get(what), what).toBeGreaterThanOrEqual(1);
    for (const { relay } of fleet.nodes) expect(await isReady(relay)).toBe(true);
    const served = servedIn(fleet.logs);
    expect(served.length).toBeGreaterThan(3);
    expect(servedByTheFormer(served)).toEqual([]);
  },
);
