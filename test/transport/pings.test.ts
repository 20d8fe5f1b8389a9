import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { answerPings, SOCKET_OPTIONS } from "../../src/transport/sockets.ts";
import { until } from "../support/processes.ts";

const stops: (() => void)[] = [];
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

  it("[E2] are not answered any more when the answers are not read", async () => {
    const { near, far } = await pair();
    answerPings(near);
    far.pause();
    let pings = 0;
    near.on("ping", () => (pings += 1));
    const payload = Buffer.alloc(125);
    // More answers than the buffers of both kernels and the limit hold together.
    const count = 200_000;
    for (let sent = 0; sent < count; sent += 1) {
      far.ping(payload);
      if (sent % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until("all have arrived", () => pings === count, 30_000);
    expect(near.bufferedAmount).toBeGreaterThan(0);
    expect(near.bufferedAmount).toBeLessThan(128 * 1_024);
  });
});
