import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { echoed, echoRoom, hostOf, roomId, upgrade } from "../relay/support.ts";
import { RelayProcess } from "../support/relay-process.ts";
import { Gate } from "./gate.ts";
import { NatsCluster } from "./nats.ts";

let cluster: NatsCluster;
const nodes: RelayProcess[] = [];
let balancer: Gate;
let address = 0;

beforeAll(async () => {
  cluster = await NatsCluster.start(3);
  for (let index = 0; index < 3; index += 1)
    nodes.push(await RelayProcess.start(["--cluster", cluster.url, "--node-address", "127.0.0.1:0"]));
  balancer = await Gate.open(() => nodes.map(({ port }) => port));
  address = balancer.port;
});

afterAll(async () => {
  balancer.close();
  await Promise.all(nodes.map((node) => node.end("SIGKILL")));
  await cluster.stop();
});

const guests: Socket[] = [];
afterEach(() => {
  for (const socket of guests.splice(0)) socket.destroy();
});

async function enter(port: number, room: string): Promise<Socket | number> {
  const result = await upgrade(port, `/t/${room}`).catch(() => undefined);
  if (result === undefined) return 0;
  if (!("socket" in result)) return result.status;
  guests.push(result.socket);
  return result.socket;
}

const isReady = async (node: RelayProcess): Promise<boolean> =>
  (await fetch(`${node.admin}/readyz`).catch(() => undefined))?.status === 200;

/** @returns milliseconds until a guest has got its bytes back by that port */
async function untilServed(port: number, room: string, limitMs: number): Promise<number> {
  const begun = Date.now();
  while (Date.now() - begun < limitMs) {
    const socket = await Promise.race([
      enter(port, room),
      new Promise<number>((resolve) => setTimeout(() => resolve(0), limitMs - (Date.now() - begun))),
    ]);
    if (typeof socket !== "number") {
      await echoed(socket, Buffer.from("here?"));
      return Date.now() - begun;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no guest came in within ${limitMs} ms`);
}

async function ownerOf(room: string): Promise<RelayProcess> {
  for (const node of nodes) if (await holds(node)) return node;
  throw new Error(`nobody holds ${room}`);
}

async function holds(node: RelayProcess): Promise<boolean> {
  const text = await (await fetch(`${node.admin}/metrics`)).text();
  return /^tunnel_relay_tunnels\{[^}]*kind="room"[^}]*\} [1-9]/m.test(text);
}

test("guests reach a room by every node, and a node that dies is followed within three seconds", async () => {
  const room = await echoRoom();
  const name = roomId();
  await hostOf(address)(room.port, { kind: "room", room: name });
  for (const { port } of nodes) expect(await untilServed(port, name, 5_000)).toBeLessThan(1_500);
  const figures: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const owner = await ownerOf(name);
    await owner.end("SIGKILL");
    const other = nodes.find((node) => node !== owner);
    figures.push(await untilServed(other?.port ?? 0, name, 10_000));
    await owner.restart();
    await expect.poll(() => isReady(owner), { timeout: 10_000 }).toBe(true);
  }
  expect(Math.max(...figures), `a guest was in again after ${figures.join(", ")} ms`).toBeLessThan(3_000);
});

test("sessions go on while the engine is away, and all is well when it is back", async () => {
  const room = await echoRoom();
  const name = roomId();
  await hostOf(address)(room.port, { kind: "room", room: name });
  const sockets: Socket[] = [];
  for (const { port } of nodes) {
    const socket = await enter(port, name);
    if (typeof socket === "number") throw new Error(`the guest got ${socket}`);
    sockets.push(socket);
  }
  // One server less: a new leader at most, and nobody is cut.
  await cluster.servers[0]?.kill();
  for (const socket of sockets) await echoed(socket, Buffer.from("one less"));
  await untilServed(nodes[1]?.port ?? 0, name, 15_000);
  for (const server of cluster.servers) await server.kill();
  for (const node of nodes) await expect.poll(() => isReady(node), { timeout: 10_000 }).toBe(false);
  for (const socket of sockets) await echoed(socket, Buffer.from("none"));
  await Promise.all(cluster.servers.map((server) => server.start()));
  for (const node of nodes) await expect.poll(() => isReady(node), { timeout: 30_000 }).toBe(true);
  for (const socket of sockets) await echoed(socket, Buffer.from("back"));
  for (const { port } of nodes) await untilServed(port, name, 10_000);
  // Nobody was sent away.
  for (const node of nodes) expect(node.stdout).not.toContain('"why":"evicted"');
});
