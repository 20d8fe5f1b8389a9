import { once } from "node:events";
import { connect } from "node:net";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Room } from "../../src/protocol/host/room.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { startRelay, type Relay } from "../../src/transport/relay-server.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { anyBytes, mutated, oddText, seeded } from "../hostile-peers/support/input.ts";

const clock = new FakeClock();
const options = { goal: "goal", hostName: "ana", history: false, idleMs: 30 * 60_000, inviteMs: 10 * 60_000 };
const room = new Room(nodePrimitives, options, clock.now());
let relay: Relay;

beforeAll(async () => {
  const notice = (): void => undefined;
  relay = await startRelay({
    room,
    clock,
    bind: "127.0.0.1",
    port: 0,
    sourceHeader: "cf-connecting-ip",
    onNotice: notice,
  });
});
afterAll(() => relay.stop());

const PATH = `/t/${room.id}`;
const request = (path: string, headers: Readonly<Record<string, string>> = {}): Buffer => {
  const all = {
    Host: "x",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
};

/** Sends it all, closes its side, and gives what came back. */
async function exchange(bytes: Uint8Array): Promise<Buffer> {
  const socket = connect({ port: relay.port, host: "127.0.0.1" });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk)).on("error", () => socket.destroy());
  const closed = once(socket, "close");
  socket.end(bytes);
  await closed;
  return Buffer.concat(chunks);
}

/** It is still there, and asks a newcomer for its proof. */
async function expectAlive(): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${relay.port}${PATH}`, {
    headers: { "cf-connecting-ip": `192.0.2.${turn % 250}` },
  });
  turn += 1;
  const messages: Buffer[] = [];
  socket.on("message", (data: Buffer) => messages.push(data));
  await once(socket, "message");
  socket.terminate();
  await once(socket, "close");
  expect(messages[0]).toHaveLength(50);
}
let turn = 0;

const name = fc.constantFrom("Origin", "Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key");
const header = fc.oneof(
  name,
  fc.constantFrom(
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Protocol",
    "Cf-Connecting-Ip",
    "Transfer-Encoding",
  ),
);
const headers = fc.dictionary(
  header,
  oddText.map((text) => text.slice(0, 9_000)),
);
const path = fc.oneof(
  fc.constant(PATH),
  fc.constantFrom(
    "/",
    "*",
    `${PATH}/`,
    `${PATH}?x`,
    `//x${PATH}`,
    `http://x${PATH}`,
    `/t/../${PATH}`,
    `/${"t".repeat(9_000)}`,
  ),
  oddText.map(
    (text) =>
      `/${Buffer.from(text)
        .toString("latin1")
        .replaceAll(/[^!-~]/g, "%")}`,
  ),
);
/** WebSocket frames that are none, too long, not masked, reserved or fragmented, behind a right request. */
const frames = fc
  .array(
    fc.oneof(
      anyBytes(60),
      fc.tuple(fc.nat(255), fc.nat(255), anyBytes(40)).map(([a, b, rest]) => Uint8Array.of(a, b, ...rest)),
    ),
  )
  .map((parts) => Buffer.concat([request(PATH), ...parts]));

it("[A1] [L4] the port outlives any bytes that are sent to it, and answers with HTTP or not at all", async () => {
  const bytes = fc.oneof(
    anyBytes(),
    fc.tuple(path, headers).map(([one, more]) => request(one, more)),
    mutated(new Uint8Array(request(PATH))),
    frames,
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const answer = (await exchange(sent)).toString("latin1");
      if (answer === "") return;
      expect(answer).toMatch(/^HTTP\/1\.1 (?:101|400|403|404|405|417|426|429|431) /);
      // At most the way in, a challenge, a denial and a goodbye, whatever was asked for.
      expect(answer.length).toBeLessThan(400);
      if (answer.startsWith("HTTP/1.1 101")) expect(Buffer.from(sent).includes(PATH)).toBe(true);
    }),
    seeded(71, 150),
  );
  await expectAlive();
  expect(room.presence(clock.now())).toHaveLength(1);
});

it("[A1] no socket that is no member's may send more than 4 KiB in all, in whatever shape", async () => {
  for (const chunk of [
    Buffer.alloc(5_000, 0x89),
    Buffer.alloc(200_000),
    Buffer.from("8200".repeat(2_500), "hex"),
  ]) {
    const answer = await exchange(Buffer.concat([request(PATH), chunk]));
    expect(answer.length).toBeLessThan(1_000);
    await expectAlive();
  }
});
