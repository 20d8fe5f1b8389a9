import { createServer, type Server } from "node:http";
import type { ClientHttp2Session, Http2Stream, ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { openStreams, takeStreams } from "../../src/uplink/line/http2.ts";
import { Line, LINE_OPTIONS } from "../../src/uplink/line/line.ts";

const CUTS = 1_000;
const AT_ONCE = 8;
const chunk = Buffer.alloc(30_000, 1);

let server: Server;
const upgrader = new WebSocketServer({ noServer: true, ...LINE_OPTIONS });
const arrivals: ((end: { socket: WebSocket; raw: Socket }) => void)[] = [];

beforeAll(async () => {
  server = createServer();
  server.on("upgrade", (request, raw: Socket, head) =>
    upgrader.handleUpgrade(request, raw, head, (socket) => arrivals.shift()?.({ socket, raw })),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => server.close());

interface Pair {
  readonly relay: ClientHttp2Session;
  readonly host: ServerHttp2Session;
  readonly cut: readonly (() => void)[];
  readonly ended: Promise<unknown>;
}

/** Both ends of one line, with HTTP/2 over it. */
async function pair(): Promise<Pair> {
  const arrived = new Promise<{ socket: WebSocket; raw: Socket }>((resolve) => arrivals.push(resolve));
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, LINE_OPTIONS);
  const { socket, raw } = await arrived;
  let closed = 0;
  let allClosed: (value: unknown) => void = () => undefined;
  const ended = new Promise((resolve) => (allClosed = resolve));
  const events = {
    onText: () => undefined,
    onClose: () => {
      closed += 1;
      if (closed === 2) allClosed(undefined);
    },
  };
  const hostLine = new Line(client, Date.now, events);
  const relayLine = new Line(socket, Date.now, events);
  const host = takeStreams(hostLine, 100);
  const relay = openStreams(relayLine, () => undefined);
  const cut = [
    () => raw.destroy(),
    () => raw.resetAndDestroy(),
    () => client.terminate(),
    () => socket.terminate(),
    () => socket.close(),
    () => hostLine.stream.destroy(),
    () => relayLine.stream.end(),
    () => relay.destroy(),
    () => host.close(),
  ];
  return { relay, host, cut, ended };
}

/** Writes for ever, whether it is read or not. */
function flood(stream: Http2Stream): void {
  stream.on("error", () => undefined);
  const more = (): void => {
    if (stream.destroyed) return;
    for (let written = 0; written < 8; written += 1) stream.write(chunk);
    setImmediate(more);
  };
  more();
}

it(`survives ${CUTS} cuts of a line under writes in both directions`, { timeout: 240_000 }, async () => {
  let done = 0;
  let bytes = 0;
  const one = async (): Promise<void> => {
    while (done < CUTS) {
      done += 1;
      const { relay, host, cut, ended } = await pair();
      host.on("stream", (stream) => {
        stream.respond({ ":status": 200 });
        stream.on("data", (data: Buffer) => (bytes += data.length));
        flood(stream);
      });
      for (let at = 0; at < 4; at += 1) {
        const stream = relay.request({ ":method": "CONNECT", ":authority": "service" });
        stream.on("data", (data: Buffer) => (bytes += data.length));
        flood(stream);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
      cut[done % cut.length]?.();
      await Promise.race([
        ended,
        new Promise((_, reject) =>
          setTimeout(() => reject(new Error(`not ended by ${done % cut.length}`)), 20_000).unref(),
        ),
      ]);
      expect(relay.destroyed && host.destroyed).toBe(true);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  expect(bytes).toBeGreaterThan(CUTS * chunk.length);
});
