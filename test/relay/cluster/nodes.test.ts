import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { openAuthority } from "../../../src/relay/auth/open.ts";
import type { Relay } from "../../../src/relay/node/relay.ts";
import { RELAY_LIMITS } from "../../../src/relay/limits/limits.ts";
import { atEnd, echoed, echoRoom, guest, hostOf, roomId, tcpServer, upgrade } from "../support.ts";
import { nodesOf, pair, peerPort } from "./support.ts";

/** A service whose answers say which one it is. @returns its name, as visitors write it */
async function service(relay: Relay | number, label: string, host = hostOf(relay)): Promise<string> {
  const server = createServer((request, response) => {
    let size = 0;
    request.on("data", (chunk: Buffer) => (size += chunk.length));
    request.on("end", () => response.end(`${label} ${request.url ?? ""} ${size}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => server.close());
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  // The label of the key: the same for a service that moves.
  const tunnel = await host(address.port, { kind: "http", label: "service", subdomain: undefined });
  return new URL(tunnel.url).hostname;
}

/** One address that leads to one node at a time: a key belongs to the address of the relay. */
async function frontOf(target: () => number): Promise<number> {
  return tcpServer((socket) => {
    const on = connect({ port: target(), host: "127.0.0.1", allowHalfOpen: true });
    on.on("error", () => socket.destroy());
    socket.on("close", () => on.destroy());
    socket.pipe(on).pipe(socket);
  });
}

const OPEN = { domain: "localhost", authority: openAuthority(true) };

test("a guest reaches a room by any node, and the bytes are the room's", async () => {
  const [one, other] = pair(await nodesOf(2));
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
  const relays = await nodesOf(2);
  for (const { port } of relays) expect(await upgrade(port, `/t/${roomId()}`)).toMatchObject({ status: 404 });
});

test("requests on one connection go to the nodes of their names, one by one", async () => {
  const [one, other] = pair(await nodesOf(2, OPEN));
  const names = [await service(one, "first"), await service(other, "second")];
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
  const [one] = pair(await nodesOf(2));
  const port = await peerPort(one);
  for (const said of ["GET /t/x HTTP/1.1\r\nHost: x\r\n\r\n", `${"A".repeat(43)} {"version":1}\n`, "\n"]) {
    const socket = connect(port, "127.0.0.1", () => socket.write(said));
    let read = "";
    socket.on("data", (chunk: Buffer) => (read += chunk.toString()));
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    expect(read).toBe("");
  }
});

test("a host that moves to another node takes its guests with it", async () => {
  const [one, other] = pair(await nodesOf(2));
  const room = await echoRoom();
  const name = roomId();
  let target = one.port;
  const front = await frontOf(() => target);
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

test("a request on a kept connection follows its service to another node", async () => {
  const relays = await nodesOf(3, OPEN);
  const [one, other] = pair(relays);
  const entry = relays[2];
  if (entry === undefined) throw new Error("too few nodes");
  let target = one.port;
  const host = hostOf(await frontOf(() => target));
  const name = await service(0, "before", host);
  const socket = connect(entry.port, "127.0.0.1");
  atEnd(() => socket.destroy());
  let read = "";
  socket.on("data", (chunk: Buffer) => (read += chunk.toString("latin1")));
  const ask = async (path: string, expected: string): Promise<void> => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    await expect.poll(() => read.includes(`${expected} ${path} 0`) || read.slice(-300)).toBe(true);
  };
  await ask("/1", "before");
  target = other.port;
  expect(await service(0, "after", host)).toBe(name);
  await ask("/2", "after");
  expect(one.hosts.size).toBe(0);
});

test("a node serves a claim under its epoch alone, and only as long as it holds it", async () => {
  const [one, other] = pair(await nodesOf(2));
  let target = one.port;
  const host = hostOf(await frontOf(() => target));
  const room = await echoRoom();
  const name = { kind: "room", name: roomId() } as const;
  await host(room.port, { kind: "room", room: name.name });
  const claim = await other.context.claims.find(name);
  if (claim === undefined) throw new Error("not found");
  const reach = async (epoch: number): Promise<boolean> => {
    const connection = await other.context.elsewhere?.reach({ ...claim, epoch });
    connection?.destroy();
    return connection !== undefined;
  };
  expect(await reach(claim.epoch)).toBe(true);
  for (const epoch of [claim.epoch - 1, claim.epoch + 1]) expect(await reach(epoch)).toBe(false);
  target = other.port;
  await host(room.port, { kind: "room", room: name.name });
  expect(await reach(claim.epoch)).toBe(false);
});

test("nodes of two versions work side by side as long as they have one in common", async () => {
  const versions = [[1], [1, 2], [2, 3]];
  const relays = await nodesOf(3, {}, (index) => ({ versions: versions[index] ?? [] }));
  const room = await echoRoom();
  const reaches = async (from: number, to: number): Promise<boolean> => {
    const [entry, owner] = [relays[from], relays[to]];
    if (entry === undefined || owner === undefined) throw new Error("no node");
    const name = roomId();
    await hostOf(owner)(room.port, { kind: "room", room: name });
    const claim = await entry.context.claims.find({ kind: "room", name });
    const connection = claim === undefined ? undefined : await entry.context.elsewhere?.reach(claim);
    connection?.destroy();
    return connection !== undefined;
  };
  expect(await reaches(0, 1)).toBe(true);
  expect(await reaches(1, 0)).toBe(true);
  expect(await reaches(1, 2)).toBe(true);
  expect(await reaches(2, 1)).toBe(true);
  // They have none in common: neither misreads the other.
  expect(await reaches(0, 2)).toBe(false);
});

test("limits of a source count its tunnels at all nodes", async () => {
  const limits = { ...RELAY_LIMITS, forgetfulMs: 0, tunnelsPerSource: 4 };
  const [one, other] = pair(await nodesOf(2, { limits }));
  const room = await echoRoom();
  const open = (relay: Relay): Promise<unknown> => hostOf(relay)(room.port, { kind: "room", room: roomId() });
  for (const relay of [one, other, one, other]) await open(relay);
  // What a node has opened is known to the others in a moment.
  for (const { hosts } of [one, other]) await expect.poll(() => hosts.perSource.others("127.0.0.1")).toBe(2);
  expect(other.hosts.perSource.take("127.0.0.1", 4)).toBeUndefined();
  expect(one.hosts.perSource.take("127.0.0.1", 4)).toBeUndefined();
});
