import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ClusterClaims } from "../../src/relay/cluster/cluster-claims.ts";
import { EngineAway } from "../../src/relay/cluster/engine.ts";
import { NatsEngine } from "../../src/relay/cluster/nats/nats-engine.ts";
import { parseServers, type ClusterServers } from "../../src/relay/cluster/nats/servers.ts";
import { claimsContract } from "../relay/claims/contract.ts";
import { openClaims } from "../relay/cluster/open-claims.ts";
import { NatsCluster } from "./nats.ts";

function serversOf(cluster: NatsCluster): ClusterServers {
  const servers = parseServers(cluster.url);
  if (servers === undefined) throw new Error("no servers");
  return servers;
}

const random = (): string => randomBytes(9).toString("base64url");

describe.each([1, 3])("an engine of %i nats-server", (count) => {
  let cluster: NatsCluster;
  const ends: { node: string; claims: ClusterClaims }[] = [];
  const troubles: string[] = [];
  const engines: NatsEngine[] = [];

  beforeAll(async () => {
    cluster = await NatsCluster.start(count);
    for (const node of ["a", "b", "c"]) {
      const servers = serversOf(cluster);
      const engine = await NatsEngine.open({ servers, name: node, onTrouble: (what) => troubles.push(what) });
      engines.push(engine);
      const claims = await openClaims(node, engine);
      ends.push({ node, claims });
    }
  });

  afterAll(async () => {
    for (const { claims } of ends) await claims.close();
    await cluster.stop();
  });

  claimsContract(async () => ({ ends }));

  test("it says how many copies there are, where they are too few", () => {
    expect(troubles).toHaveLength(count === 1 ? 3 : 0);
  });

  test("a bucket writes on conditions alone, and removes exactly one revision", async () => {
    const bucket = engines[0]?.claims;
    if (bucket === undefined) throw new Error("no engine");
    const key = `test.${random()}`;
    expect(await bucket.get(key)).toBeUndefined();
    const first = await bucket.put(key, "one", 0);
    if (first === undefined) throw new Error("not written");
    expect(await bucket.put(key, "other", 0)).toBeUndefined();
    const second = await bucket.put(key, "two", first);
    expect(second).toBeGreaterThan(first);
    expect(await bucket.remove(key, first)).toBe(false);
    expect(await bucket.get(key)).toMatchObject({ key, value: "two", revision: second });
    expect(await bucket.keys(key.slice(0, 4))).toContain(key);
    expect(await bucket.next("test", second ?? 0)).toMatchObject({ key, revision: second });
    expect(await bucket.remove(key, second ?? 0)).toBe(true);
    expect(await bucket.get(key)).toBeUndefined();
    expect(await bucket.next("test", second ?? 0)).toBeUndefined();
    expect(await bucket.put(key, "three", second ?? 0)).toBeUndefined();
    expect(await bucket.put(key, "three", 0)).toBeGreaterThan(second ?? 0);
  });
});

test("a server without JetStream is refused with what is missing", async () => {
  const cluster = await NatsCluster.start(1, []);
  const opened = NatsEngine.open({ servers: serversOf(cluster), name: "x", onTrouble: () => undefined });
  await expect(opened).rejects.toMatchObject({ code: "cluster-unusable" });
  await cluster.stop();
  const gone = NatsEngine.open({ servers: serversOf(cluster), name: "x", onTrouble: () => undefined });
  await expect(gone).rejects.toMatchObject({ code: "cluster-unreachable" });
});

test("a server that is too old is refused with its version and what is needed", async () => {
  const told = {
    server_id: "x",
    version: "2.8.4",
    proto: 1,
    max_payload: 1_048_576,
    headers: true,
    jetstream: true,
  };
  const old = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify(told)}\r\n`);
    socket.on("data", (piece: Buffer) => void (piece.includes("PING") && socket.write("PONG\r\n")));
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => old.listen(0, "127.0.0.1", resolve));
  const address = old.address();
  const servers = parseServers(`nats://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
  if (servers === undefined) throw new Error("no servers");
  const opened = NatsEngine.open({ servers, name: "x", onTrouble: () => undefined });
  await expect(opened).rejects.toThrow(/2\.8\.4 is too old: 2\.9 or newer/);
  old.close();
});

test("while the engine is away nothing is written, and it comes back by itself", async () => {
  const cluster = await NatsCluster.start(1);
  const engine = await NatsEngine.open({
    servers: serversOf(cluster),
    name: "x",
    onTrouble: () => undefined,
  });
  const changes: boolean[] = [];
  engine.onConnection((isConnected) => changes.push(isConnected));
  const revision = await engine.claims.put("test.kept", "1", 0);
  await cluster.servers[0]?.kill();
  await expect(engine.claims.get("test.kept")).rejects.toBeInstanceOf(EngineAway);
  expect(engine.isConnected).toBe(false);
  await cluster.servers[0]?.start();
  await expect.poll(() => engine.isConnected, { timeout: 10_000 }).toBe(true);
  await expect
    .poll(() => engine.claims.get("test.kept").catch(() => undefined), { timeout: 10_000 })
    .toMatchObject({ revision });
  expect(changes).toEqual([false, true]);
  await engine.close();
  await cluster.stop();
});
