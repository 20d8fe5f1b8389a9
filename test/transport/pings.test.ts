import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { createLookup } from "../../src/net/resolve.ts";
import { loadDial } from "../../src/transport/guest-socket.ts";
import { answerPings, sendBounded, SOCKET_OPTIONS } from "../../src/transport/sockets.ts";
import { until } from "../support/processes.ts";

const stops: (() => void)[] = [];
const lookup = createLookup({ doh: false });
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A server's end of a WebSocket, as the relay has it, and the client's. */
async function pair(): Promise<{ near: WebSocket; far: WebSocket }> {
  const server = createServer();
  const upgrader = new WebSocketServer({ server, ...SOCKET_OPTIONS });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = new Promise<WebSocket>((resolve) => upgrader.once("connection", resolve));
  const far = new WebSocket(`ws://127.0.0.1:${port}`);
  const near = await accepted;
  await until("it is open", () => far.readyState === far.OPEN);
  stops.push(() => {
    far.terminate();
    near.terminate();
    server.close();
  });
  return { near, far };
}

describe("WebSocket pings", () => {
  it("[E2] are answered with what they carry", async () => {
    const { near, far } = await pair();
    answerPings(near);
    far.ping("edge");
    const [data] = await once(far, "pong");
    expect(String(data)).toBe("edge");
  });

  it("[E2] that come together have one answer, to the latest", async () => {
    const { near, far } = await pair();
    answerPings(near);
    const pongs: string[] = [];
    far.on("pong", (data) => pongs.push(String(data)));
    const count = 5_000;
    let pings = 0;
    near.on("ping", () => (pings += 1));
    for (let sent = 1; sent <= count; sent += 1) far.ping(String(sent));
    await until("the last is answered", () => pongs.at(-1) === String(count));
    expect(pings).toBe(count);
    expect(pongs.length).toBeLessThan(count / 10);
  });

  it("[E2] are not answered any more when the answers are not read", async () => {
    const socket = Object.assign(new EventEmitter(), {
      OPEN: 1,
      readyState: 1,
      bufferedAmount: 0,
      pong: vi.fn(),
    });
    answerPings(socket as unknown as WebSocket);
    for (const [bufferedAmount, readyState, answers] of [
      [64 * 1_024 - 1, 1, 1],
      [64 * 1_024, 1, 1],
      [0, 2, 1],
      [0, 1, 2],
    ] as const) {
      Object.assign(socket, { bufferedAmount, readyState });
      socket.emit("ping", Buffer.from("edge"));
      await new Promise((resolve) => setImmediate(resolve));
      expect(socket.pong).toHaveBeenCalledTimes(answers);
    }
  });
});

describe("the masks of a member", () => {
  it("are zero for sealed messages, and never what a server could foresee for the answer to its ping", async () => {
    const server = createServer();
    const upgrader = new WebSocketServer({ server, ...SOCKET_OPTIONS });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    // Copies: ws takes the mask off in place.
    const bytes: Buffer[] = [];
    server.on("upgrade", (_request, socket) =>
      socket.prependListener("data", (data: Buffer) => bytes.push(Buffer.from(data))),
    );
    const accepted = new Promise<WebSocket>((resolve) => upgrader.once("connection", resolve));
    const dial = await loadDial();
    const member = dial(`ws://127.0.0.1:${port}`, lookup);
    stops.push(() => {
      member.terminate();
      server.close();
      upgrader.close();
    });
    const near = await accepted;
    await until("it is open", () => member.readyState === member.OPEN);
    answerPings(member);
    // Chosen by whoever is on the other side, and not to appear on the wire as it is.
    const chosen = "GET /script.js HTTP/1.1";
    for (let turn = 0; turn < 20; turn += 1) {
      near.ping(chosen);
      await once(near, "pong");
      sendBounded(member, new Uint8Array(100).fill(7));
      await once(near, "message");
    }
    const frames = Buffer.concat(bytes);
    expect(frames.includes(chosen)).toBe(false);
    const masks = new Set<string>();
    for (let at = 0; at < frames.length; at += 6 + ((frames[at + 1] ?? 0) & 0x7f)) {
      const mask = frames.subarray(at + 2, at + 6).toString("hex");
      if (((frames[at] ?? 0) & 0x0f) === 0xa) masks.add(mask);
      else expect(mask).toBe("00000000");
    }
    expect(masks.size).toBe(20);
    expect(masks.has("00000000")).toBe(false);
  });
});

describe("a message longer than any may be", () => {
  it("[W2] [R3] is not taken, and the WebSocket says so with 1009; one as long as may be is", async () => {
    const { near, far } = await pair();
    const came: number[] = [];
    const faults: Error[] = [];
    near.on("message", (data: Buffer) => came.push(data.length));
    near.on("error", (error) => faults.push(error));
    far.send(new Uint8Array(131_072));
    await until("it is there", () => came.length === 1);
    far.send(new Uint8Array(131_073));
    const [code] = (await once(far, "close")) as [number];
    expect([came, faults.length, code]).toEqual([[131_072], 1, 1009]);
  });
});
