import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { PRE_AUTH } from "../../../src/protocol/base/limits.ts";
import { Room } from "../../../src/protocol/host/room.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { startRelay, type Relay } from "../../../src/transport/relay-server.ts";

/** The answers of the host's port to strangers, over real sockets on the loopback. */
describe("the host's port", () => {
  let relay: Relay;
  let room: Room;

  beforeEach(async () => {
    const options = { goal: "g", hostName: "ana", idleMs: 60_000, history: false, inviteMs: 60_000 };
    room = new Room(nodePrimitives, options, Date.now());
    relay = await startRelay({
      room,
      clock: systemClock,
      bind: "127.0.0.1",
      port: 0,
      sourceHeader: undefined,
      onNotice: () => undefined,
    });
  });
  afterEach(() => relay.stop());

  async function fetchPlain(
    method: string,
    path: string,
  ): Promise<{ status: number | undefined; body: string }> {
    const asked = request({ host: "127.0.0.1", port: relay.port, method, path, agent: false }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    let body = "";
    for await (const chunk of response) body += String(chunk);
    return { status: response.statusCode, body };
  }

  /** The status with which an upgrade is refused; 101 when it is not. */
  async function dial(path: string, headers: Record<string, string> = {}): Promise<number | undefined> {
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}${path}`, { headers });
    const answer = await new Promise<number | undefined>((resolve) => {
      socket.once("open", () => resolve(101));
      socket.once("unexpected-response", (_request, response) => resolve(response.statusCode));
      socket.once("error", () => undefined);
    });
    socket.terminate();
    return answer;
  }

  it("[L4] answers every plain request with the same 404, the room's own path included", async () => {
    const answers = [
      await fetchPlain("GET", "/"),
      await fetchPlain("GET", `/t/${room.id}`),
      await fetchPlain("POST", `/t/${room.id}?x=1`),
      await fetchPlain("GET", "/favicon.ico"),
    ];
    for (const answer of answers) expect(answer).toEqual({ status: 404, body: "not found\n" });
  });

  it("[A1] upgrades the room's path for those who send no Origin, and nothing else", async () => {
    expect(await dial(`/t/${room.id}`)).toBe(101);
    expect(await dial(`/t/${room.id}`, { origin: "https://evil.example" })).toBe(403);
    expect(await dial("/t/AAAAAAAAAAAAAAAAAAAAAA")).toBe(404);
    expect(await dial(`/t/${room.id}/`)).toBe(404);
  });

  it("[A1] cuts a socket that sends more than 4 KiB before it is a member, in whatever form", async () => {
    const socket = connect(relay.port, "127.0.0.1");
    const closed = once(socket, "close");
    socket.on("error", () => undefined);
    socket.write(
      `GET /t/${room.id} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    await once(socket, "data");
    // Pings with an empty mask and 100 bytes each: no message at all, as far as the protocol is concerned.
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 100, 0, 0, 0, 0]), Buffer.alloc(100)]);
    for (let sent = 0; sent <= PRE_AUTH.maxTotalBytes; sent += ping.length) socket.write(ping);
    socket.resume();
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});
