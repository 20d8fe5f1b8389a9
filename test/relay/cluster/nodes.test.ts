import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { openAuthority } from "../../../src/relay/auth/open.ts";
import type { Relay, RelayOptions } from "../../../src/relay/node/relay.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { aRelay, atEnd, echoed, echoRoom, guest, hostOf, roomId, tcpServer, upgrade } from "../support.ts";
import { FakeEngine, FakeServer, type Network } from "./fake-engine.ts";

const NETWORK: Network = { send: (_from, _to, deliver) => void setImmediate(deliver) };

/** Nodes of one cluster, on an engine in memory. */
async function nodes(count: number, options: Partial<RelayOptions> = {}): Promise<readonly Relay[]> {
  const server = new FakeServer(() => Date.now());
  const relays: Relay[] = [];
  for (let index = 0; index < count; index += 1) {
    const engine = new FakeEngine(`end${index}`, server, NETWORK, systemClock);
    const cluster = { engine, address: { host: "127.0.0.1", port: 0 }, tls: undefined };
    relays.push(await aRelay({ ...options, cluster }));
  }
  return relays;
}

function pair([one, other]: readonly Relay[]): readonly [Relay, Relay] {
  if (one === undefined || other === undefined) throw new Error("too few nodes");
  return [one, other];
}

test("a guest reaches a room by any node, and the bytes are the room's", async () => {
  const [one, other] = pair(await nodes(2));
  const room = await echoRoom();
  const name = roomId();
  const tunnel = await hostOf(one)(room.port, { kind: "room", room: name });
  expect(tunnel.url).toContain(String(one.port));
  const bytes = Buffer.alloc(300_000, "x");
  for (const relay of [one, other]) {
    const socket = await guest(relay.port, name);
    expect((await echoed(socket, bytes)).equals(bytes)).toBe(true);
  }
  // Who has come is told by a tag, whichever way they came; and no field of ours between nodes is passed on.
  for (const head of room.heads) expect(head.match(/^tunnel-source: /gim)).toHaveLength(1);
});

test("a room that nobody has is unknown at every node", async () => {
  const relays = await nodes(2);
  for (const { port } of relays) expect(await upgrade(port, `/t/${roomId()}`)).toMatchObject({ status: 404 });
});

test("requests on one connection go to the nodes of their names, one by one", async () => {
  const [one, other] = pair(await nodes(2, { domain: "localhost", authority: openAuthority(true) }));
  const open = async (relay: Relay, label: string): Promise<string> => {
    const server = createServer((request, response) => {
      let size = 0;
      request.on("data", (chunk: Buffer) => (size += chunk.length));
      request.on("end", () => response.end(`${label} ${request.url ?? ""} ${size}`));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    atEnd(() => server.close());
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    const tunnel = await hostOf(relay)(address.port, { kind: "http", label, subdomain: undefined });
    return new URL(tunnel.url).hostname;
  };
  const names = [await open(one, "first"), await open(other, "second")];
  const socket = connect(one.port, "127.0.0.1");
  atEnd(() => socket.destroy());
  let read = "";
  socket.on("data", (chunk: Buffer) => (read += chunk.toString("latin1")));
  for (let index = 0; index < 6; index += 1) {
    const body = "b".repeat(1_000 * index);
    socket.write(
      `POST /r${index} HTTP/1.1\r\nHost: ${names[index % 2] ?? ""}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const expected = `${index % 2 === 0 ? "first" : "second"} /r${index} ${body.length}`;
    await expect.poll(() => read.includes(expected) || read.slice(-300), { timeout: 5_000 }).toBe(true);
  }
});

test("nobody but a node is served at the address for nodes", async () => {
  const [one] = pair(await nodes(2));
  const facts = await one.nodes?.all();
  const address = facts?.find(({ node }) => node === one.context.node)?.facts.address ?? "";
  for (const said of ["GET /t/x HTTP/1.1\r\nHost: x\r\n\r\n", `${"A".repeat(43)} {"version":1}\n`, "\n"]) {
    const socket = connect(Number(address.split(":")[1]), "127.0.0.1", () => socket.write(said));
    let read = "";
    socket.on("data", (chunk: Buffer) => (read += chunk.toString()));
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    expect(read).toBe("");
  }
});

test("a host that moves to another node takes its guests with it", async () => {
  const [one, other] = pair(await nodes(2));
  const room = await echoRoom();
  const name = roomId();
  // One address for all, as a load balancer has it: a key belongs to the address of the relay.
  let target = one.port;
  const front = await tcpServer((socket) => {
    const on = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    on.on("error", () => socket.destroy());
    socket.on("close", () => on.destroy());
    socket.pipe(on).pipe(socket);
  });
  const host = hostOf(front);
  await host(room.port, { kind: "room", room: name });
  expect(one.hosts.size).toBe(1);
  target = other.port;
  await host(room.port, { kind: "room", room: name });
  expect(one.hosts.size).toBe(0);
  expect(other.hosts.size).toBe(1);
  for (const { port } of [one, other]) {
    const socket = await guest(port, name);
    expect((await echoed(socket, Buffer.from("hello"))).toString()).toBe("hello");
  }
});
