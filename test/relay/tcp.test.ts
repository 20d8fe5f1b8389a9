import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { beforeEach, expect, it } from "vitest";
import { StaticAuthority } from "../../src/relay/auth/static.ts";
import { newToken } from "../../src/relay/auth/tokens.ts";
import type { Relay } from "../../src/relay/node/relay.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { until } from "../support/processes.ts";
import { aRelay, atEnd, echoed, folder, hostOf, tcpServer } from "./support.ts";

/** Whether nobody listens on a port. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}

/** Three ports below those that systems give out by themselves; others for each test, so that two runs do not meet. */
let RANGE = { first: 0, last: 0 };
const areFree = async ({ first }: { readonly first: number }): Promise<boolean> =>
  (await Promise.all([first, first + 1, first + 2].map(isFree))).every(Boolean);
beforeEach(async () => {
  do {
    const first = randomInt(20_000, 32_000);
    RANGE = { first, last: first + 2 };
  } while (!(await areFree(RANGE)));
  const range = RANGE;
  // Done last: nothing of a relay is left listening.
  atEnd(() => until("the ports are free again", () => areFree(range)));
});
const tcp = (label: string) => ({ kind: "tcp", label, address: "127.0.0.1" }) as const;

async function relayWithPorts(): Promise<{ relay: Relay; token: string }> {
  const { token, entry } = newToken({ label: "test", kinds: ["tcp"] }, Date.now());
  const authority = new StaticAuthority([entry], systemClock);
  const relay = await aRelay({ authority, tcp: { range: RANGE, bind: "127.0.0.1", shownHost: undefined } });
  return { relay, token };
}

async function dialled(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  atEnd(() => socket.destroy());
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}

it("has a port of the relay's range, and carries bytes both ways with their ends", async () => {
  const { relay, token } = await relayWithPorts();
  let heard = "";
  const port = await tcpServer((socket) => {
    socket.on("data", (chunk) => (heard += chunk.toString()));
    // It answers after the other side has ended: half-closed, as databases and shells do.
    socket.once("end", () => socket.end(`got ${heard}`));
  });
  const { url } = await hostOf(relay, { token })(port, tcp("a"));
  expect(new URL(url).hostname).toBe("127.0.0.1");
  expect([0, 1, 2]).toContain(Number(new URL(url).port) - RANGE.first);
  const socket = await dialled(url);
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk.toString()));
  socket.end("hello");
  await new Promise((resolve) => socket.once("end", resolve));
  expect(answer).toBe("got hello");
});

it("keeps its port over a break of its line, and gives it back at its end", async () => {
  const { relay, token } = await relayWithPorts();
  const port = await tcpServer((socket) => void socket.pipe(socket));
  const home = folder();
  const tunnel = await hostOf(relay, { token, home })(port, tcp("a"));
  const open = await dialled(tunnel.url);
  await echoed(open, Buffer.from("x"));
  const [host] = relay.hosts.all;
  host?.close("too-slow");
  await until("it is back", () => relay.hosts.all[0]?.isReady === true && relay.hosts.all[0] !== host);
  const again = await dialled(tunnel.url);
  expect((await echoed(again, Buffer.from("hello"))).toString()).toBe("hello");
  await tunnel.stop();
  await until("nobody listens", () =>
    dialled(tunnel.url).then(
      () => false,
      () => true,
    ),
  );
});

it("gives each service its own port, and tells one too many to try later", async () => {
  const { relay, token } = await relayWithPorts();
  const host = hostOf(relay, { token });
  const urls = await Promise.all(["a", "b", "c"].map(async (label) => (await host(1, tcp(label))).url));
  expect(new Set(urls).size).toBe(3);
  await expect(host(1, tcp("d"))).rejects.toMatchObject({ code: "relay-busy", detail: "ports-used-up" });
}, 30_000);

it("resets a connection where nobody listens behind the host", async () => {
  const { relay, token } = await relayWithPorts();
  const { url } = await hostOf(relay, { token })(1, tcp("a"));
  const socket = await dialled(url);
  const error = await new Promise((resolve) => socket.once("error", resolve));
  expect(error).toMatchObject({ code: "ECONNRESET" });
});

it("takes another port where a program of the machine has one", async () => {
  const { relay, token } = await relayWithPorts();
  for (const port of [RANGE.first, RANGE.first + 1]) {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => once(server.close(), "close"));
  }
  const port = await tcpServer((socket) => void socket.pipe(socket));
  const { url } = await hostOf(relay, { token })(port, tcp("a"));
  expect(url).toBe(`tcp://127.0.0.1:${RANGE.last}`);
  expect((await echoed(await dialled(url), Buffer.from("x"))).toString()).toBe("x");
});

it("is refused where the relay has no ports", async () => {
  const { token, entry } = newToken({ label: "test", kinds: ["tcp"] }, Date.now());
  const relay = await aRelay({ authority: new StaticAuthority([entry], systemClock) });
  await expect(hostOf(relay, { token })(1, tcp("a"))).rejects.toMatchObject({
    code: "relay-refused",
    detail: "no-ports",
  });
});
