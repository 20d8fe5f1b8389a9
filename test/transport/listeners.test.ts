import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Room } from "../../src/protocol/host/room.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { Listeners } from "../../src/transport/listeners.ts";
import { startRelay, type Relay } from "../../src/transport/relay-server.ts";
import { rejection } from "../support/rejection.ts";
import { accepts } from "../support/processes.ts";
import { takenPort } from "../session/support.ts";

let relays: Relay[] = [];
let sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  await Promise.all(relays.map((relay) => relay.stop()));
  [relays, sockets] = [[], []];
});

async function freePort(): Promise<number> {
  const { port, free } = await takenPort();
  free();
  return port;
}

async function open(listeners: Listeners, port: number, bind = "127.0.0.1", owner = "a-tunnel") {
  const options = { goal: "goal", hostName: "ana", history: false, idleMs: 60_000, inviteMs: 60_000 };
  const room = new Room(nodePrimitives, options, systemClock.now());
  const rest = { clock: systemClock, sourceHeader: undefined, onNotice: () => undefined };
  const relay = await startRelay({ room, bind, port, listeners, owner, ...rest });
  relays.push(relay);
  return { relay, room };
}

/** The first word of a room, by way of an address; the status where there is none. */
async function challenge(room: Room, port: number, host = "127.0.0.1"): Promise<Buffer | number> {
  const socket = new WebSocket(`ws://${host}:${port}/t/${room.id}`);
  sockets.push(socket);
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("unexpected-response", (request, { statusCode }) => {
      request.destroy();
      resolve(statusCode ?? 0);
    });
    socket.on("message", (message: Buffer) => resolve(message));
  });
}

describe("rooms that are to have the same port", () => {
  it("share it, each by its own path and with its own proof", async () => {
    const listeners = new Listeners();
    const port = await freePort();
    const [one, other] = await Promise.all([open(listeners, port), open(listeners, port)]);
    expect([one.relay.port, other.relay.port, listeners.ports]).toEqual([port, port, [port]]);
    for (const { room, relay } of [one, other]) {
      // M1 names the room.
      const m1 = await challenge(room, port);
      expect(Buffer.isBuffer(m1) && m1.subarray(2, 18).toString("base64url")).toBe(room.id);
      const answer = await fetch(`http://127.0.0.1:${port}${relay.proof.path}`);
      expect([answer.status, await answer.text()]).toEqual([404, relay.proof.answer]);
    }
    const stranger = await fetch(`http://127.0.0.1:${port}/t/${one.room.id}`);
    expect([stranger.status, await stranger.text()]).toEqual([404, "not found\n"]);
  });

  it.skipIf(process.platform === "win32")(
    "have a descriptor by which a process that inherits it keeps the port, as long as they are open",
    async () => {
      const { relay } = await open(new Listeners(), 0);
      const { port, descriptor = -1 } = relay;
      const keeper = spawn("/bin/sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", descriptor] });
      await once(keeper, "spawn");
      await relay.stop();
      expect(relay.descriptor).toBeUndefined();
      expect(await accepts(port)).toBe(true);
      keeper.kill();
      await once(keeper, "exit");
      expect(await accepts(port)).toBe(false);
    },
  );

  it("go on when one of them is closed; the last one frees the port", async () => {
    const listeners = new Listeners();
    const port = await freePort();
    const [one, other] = [await open(listeners, port), await open(listeners, port)];
    await challenge(one.room, port);
    await challenge(other.room, port);
    await one.relay.stop();
    expect(await challenge(one.room, port)).toBe(404);
    expect(await challenge(other.room, port)).toBeInstanceOf(Buffer);
    expect(sockets.map(({ readyState }) => readyState === WebSocket.OPEN)).toEqual([
      false,
      true,
      false,
      true,
    ]);
    await other.relay.stop();
    expect([await accepts(port), listeners.ports]).toEqual([false, []]);
    // And it can be had again, also while the last one is being closed.
    const third = await open(listeners, port);
    const closing = third.relay.stop();
    const fourth = await open(listeners, port);
    await closing;
    expect(await challenge(fourth.room, port)).toBeInstanceOf(Buffer);
  });

  it.skipIf(process.platform === "darwin")(
    "are reached only through the address that is meant for each (where there is a second loopback address)",
    async () => {
      const listeners = new Listeners();
      const port = await freePort();
      const wide = await open(listeners, port, "0.0.0.0");
      const narrow = await open(listeners, port, "127.0.0.1");
      // Both are addresses of this machine; only one of them is that of the second room.
      expect(await challenge(wide.room, port, "127.0.0.2")).toBeInstanceOf(Buffer);
      expect(await challenge(narrow.room, port, "127.0.0.1")).toBeInstanceOf(Buffer);
      expect(await challenge(narrow.room, port, "127.0.0.2")).toBe(404);
      const proof = await fetch(`http://127.0.0.2:${port}${narrow.relay.proof.path}`);
      expect(await proof.text()).toBe("not found\n");
    },
  );

  it("say that it is our own tunnel which holds it, where that is open at a narrower address", async () => {
    const listeners = new Listeners();
    const port = await freePort();
    await open(listeners, port, "127.0.0.1", "4aa2b35796a7");
    const error = await rejection(open(listeners, port, "0.0.0.0"));
    expect(error).toMatchObject({
      code: "port-in-use-here",
      detail: `port ${port}, at 127.0.0.1 for the tunnel 4aa2b35796a7`,
    });
  });

  it("say so where another program holds it, and share no port that was not asked for", async () => {
    const listeners = new Listeners();
    const program = createServer().listen(0, "127.0.0.1");
    await once(program, "listening");
    const { port } = program.address() as AddressInfo;
    expect(await rejection(open(listeners, port))).toMatchObject({ code: "port-in-use" });
    program.close();
    const [one, other] = [await open(listeners, 0), await open(listeners, 0)];
    expect(one.relay.port).not.toBe(other.relay.port);
  });
});
