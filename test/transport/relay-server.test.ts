import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, type ClientOptions } from "ws";
import { PRE_AUTH } from "../../src/protocol/base/limits.ts";
import { formatLink, parseLink } from "../../src/protocol/handshake/invite-link.ts";
import { Guest } from "../../src/protocol/guest/guest.ts";
import { Room } from "../../src/protocol/host/room.ts";
import { CLOSE_CODE } from "../../src/protocol/link/wire.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { createLookup } from "../../src/net/resolve.ts";
import { loadDial, GuestSocket, type GuestNotice } from "../../src/transport/guest-socket.ts";
import { startRelay, type Relay, type RoomNotice } from "../../src/transport/relay-server.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { accepts, until } from "../support/processes.ts";

let clock: FakeClock;
let room: Room;
let relay: Relay;
let notices: RoomNotice[];
let url: string;
let sockets: (WebSocket | Socket)[];
let guests: GuestSocket[];

async function start(sourceHeader?: string): Promise<void> {
  const options = {
    goal: "goal",
    hostName: "ana",
    history: false,
    idleMs: 30 * 60_000,
    inviteMs: 10 * 60_000,
  };
  room = new Room(nodePrimitives, options, clock.now());
  const onNotice = (notice: RoomNotice): void => void notices.push(notice);
  relay = await startRelay({ room, clock, bind: "127.0.0.1", port: 0, sourceHeader, onNotice });
  url = `ws://127.0.0.1:${relay.port}/t/${room.id}`;
}

beforeEach(() => {
  clock = new FakeClock();
  [notices, sockets, guests] = [[], [], []];
});
afterEach(async () => {
  await Promise.all(guests.map((guest) => guest.stop()));
  for (const socket of sockets) {
    if ("terminate" in socket) socket.terminate();
    else socket.destroy();
  }
  await relay.stop();
});

/** A stranger: what became of its socket is an HTTP status or a close code. */
function visit(
  options: ClientOptions = {},
  at = url,
): { socket: WebSocket; end: Promise<number | string>; messages: Buffer[] } {
  const socket = new WebSocket(at, options);
  sockets.push(socket);
  const messages: Buffer[] = [];
  socket.on("message", (data: Buffer) => messages.push(data));
  const end = new Promise<number | string>((resolve) => {
    socket.on("unexpected-response", (request, response) => {
      resolve(`HTTP ${response.statusCode}`);
      request.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", (code) => resolve(code));
  });
  return { socket, end, messages };
}

async function visitor(options: ClientOptions = {}): Promise<ReturnType<typeof visit>> {
  const one = visit(options);
  await until("the challenge has come", () => one.messages.length === 1);
  return one;
}

async function pairedGuest(): Promise<{ guest: GuestSocket; heard: GuestNotice[]; member: Guest }> {
  const { key } = relay.run((one, now) => one.mint(now));
  const origin = `ws://127.0.0.1:${relay.port}`;
  const link = parseLink(formatLink({ origin, room: room.id, key, hostKey: room.hostKey }));
  const member = new Guest(nodePrimitives, { link, name: "ben" }, clock.now());
  const heard: GuestNotice[] = [];
  const guest = new GuestSocket({
    member,
    room: room.id,
    clock,
    dial: await loadDial(),
    lookup: createLookup({ doh: false }),
    onNotice: (notice) => void heard.push(notice),
  });
  guests.push(guest);
  await until("the guest is in", () => heard.some(({ type }) => type === "joined"));
  return { guest, heard, member };
}

const heardTexts = (heard: readonly GuestNotice[]): string[] =>
  heard.flatMap((notice) =>
    notice.type === "entry" && notice.entry.kind === "chat" && !notice.entry.own ? [notice.entry.text] : [],
  );

async function raw(text: string, allowHalfOpen = false): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect({ port: relay.port, host: "127.0.0.1", allowHalfOpen });
  sockets.push(socket);
  let received = "";
  socket.on("data", (chunk) => (received += chunk.toString()));
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(text);
  return { socket, received: () => received };
}

const upgrade = (path: string, more = ""): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;

describe("what is not a member's business", () => {
  it.each(["GET", "HEAD", "POST"])("%s of anything is 404, and says nothing", async (method) => {
    await start();
    for (const path of ["/", "/t/", `/t/${room.id}`, "/.well-known/x"]) {
      const answer = await fetch(`http://127.0.0.1:${relay.port}${path}`, { method });
      expect([answer.status, await answer.text()]).toEqual([404, method === "HEAD" ? "" : "not found\n"]);
      expect(answer.headers.get("connection")).toBe("close");
    }
  });

  it("a socket on another path, or with an Origin, is refused before it exists", async () => {
    await start();
    const base = url.slice(0, url.indexOf("/t/"));
    for (const path of ["/", "/t/", `/t/${room.id}/`, `/t/${room.id}?x`, `/t/${room.id.slice(1)}`])
      expect(await visit({}, base + path).end).toBe("HTTP 404");
    for (const origin of ["https://example.com", "null"])
      expect(await visit({ origin }).end).toBe("HTTP 403");
  });

  it("garbage instead of HTTP is hung up on", async () => {
    await start();
    const { socket } = await raw("\u0000\u0001 nonsense\r\n\r\n");
    await once(socket, "close");
  });

  it("a refused visitor that does not hang up is let go all the same", async () => {
    await start();
    const { socket, received } = await raw(upgrade("/wrong"), true);
    await until("it was told", () => received().includes("404"));
    // The server has closed its side completely: what is sent now is answered by a reset.
    await until("it is let go", () => {
      socket.write("still there?");
      return socket.destroyed;
    });
  });
});

describe("before membership", () => {
  beforeEach(() => start());

  it.each([
    ["one frame of 2 MiB", (socket: WebSocket) => socket.send(Buffer.alloc(2 * 1024 * 1024))],
    [
      "many tiny fragments",
      (socket: WebSocket) => {
        for (let at = 0; at < 2_000; at += 1) socket.send(Buffer.alloc(1), { fin: false });
      },
    ],
    [
      "a flood of pings",
      (socket: WebSocket) => {
        for (let at = 0; at < 5_000; at += 1) socket.ping(Buffer.alloc(100));
      },
    ],
  ])("%s is cut", async (_, attack) => {
    const { socket, end, messages } = await visitor();
    attack(socket);
    expect(typeof (await end)).toBe("number");
    expect(messages).toHaveLength(1);
    expect((await visitor()).messages).toHaveLength(1);
  });

  it("a frame that only announces itself as large is cut without being collected", async () => {
    const { socket } = await raw(upgrade(`/t/${room.id}`));
    await once(socket, "data");
    // FIN and binary, masked, 64-bit length of 1 GiB, a mask, and not one byte of it.
    socket.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]));
    await once(socket, "close");
  });

  it("a text frame is a violation", async () => {
    const { socket, end } = await visitor();
    socket.send("hello");
    expect(await end).toBe(CLOSE_CODE.violation);
  });

  it("a wrong proof gets one byte and no second attempt, and many cost the source its admission", async () => {
    for (let failures = 0; failures < PRE_AUTH.failureBurst; failures += 1) {
      const { socket, end, messages } = await visitor();
      socket.send(Buffer.alloc(200, 2));
      expect(await end).toBe(CLOSE_CODE.denied);
      expect(messages[1]).toEqual(Buffer.from([4]));
    }
    expect(await visit().end).toBe("HTTP 429");
    await clock.advance(PRE_AUTH.failureRefillMs);
    expect((await visitor()).messages).toHaveLength(1);
  });

  it("who does not prove anything in time is shown out", async () => {
    const { end } = await visitor();
    await clock.advance(PRE_AUTH.deadlineMs);
    expect(await end).toBe(CLOSE_CODE.late);
  });

  it("one source holds so many sockets, then its own oldest go", async () => {
    const first: ReturnType<typeof visit>[] = [];
    for (let at = 0; at < PRE_AUTH.maxSocketsPerSource; at += 1) first.push(await visitor());
    await visitor();
    expect(await first[0]?.end).toBe(CLOSE_CODE.late);
    expect(first.slice(1).map(({ socket }) => socket.readyState)).toEqual(
      first.slice(1).map(() => WebSocket.OPEN),
    );
  });
});

it("three hundred strangers of as many sources hold sockets; those who are paired notice nothing", async () => {
  await start("cf-connecting-ip");
  const { guest, heard } = await pairedGuest();
  const crowd = Array.from({ length: 300 }, (_, at) =>
    visit({ headers: { "cf-connecting-ip": `198.51.100.${at}` } }),
  );
  await Promise.all(crowd.map(({ socket }) => Promise.race([once(socket, "open"), once(socket, "close")])));
  relay.run((one, now) => one.say({ text: "undisturbed?" }, now));
  guest.run((one, now) => one.say({ text: "quite" }, now));
  await until("both were heard", () => heardTexts(heard).length === 1 && room.lastSeq === 3);
  expect(heardTexts(heard)).toEqual(["undisturbed?"]);
  const held = (): number => crowd.filter(({ socket }) => socket.readyState === WebSocket.OPEN).length;
  await until("the rest has been turned away", () => held() <= PRE_AUTH.maxSockets);
  // And a new guest still gets in.
  await pairedGuest();
});

it("the reported source counts only behind the edge", async () => {
  await start();
  const first = await visitor({ headers: { "cf-connecting-ip": "198.51.100.1" } });
  for (let at = 0; at < PRE_AUTH.maxSocketsPerSource; at += 1)
    await visitor({ headers: { "cf-connecting-ip": `198.51.100.${at + 2}` } });
  expect(await first.end).toBe(CLOSE_CODE.late);
});

describe("members", () => {
  it("may send more than a stranger, and a text frame never", async () => {
    await start();
    const { guest } = await pairedGuest();
    const text = "x".repeat(65_536);
    for (let n = 0; n < 3; n += 1) guest.run((one, now) => one.say({ text }, now));
    await until("all have come", () => room.lastSeq === 4);
    expect(notices.filter(({ type }) => type === "alarm")).toEqual([]);
  });

  it("one that reads slowly gets everything in its own time, and is not cut", async () => {
    await start();
    const { heard, member } = await pairedGuest();
    // Only the host's side matters: nothing leaves this thread while it is kept busy.
    const text = "y".repeat(65_536);
    const links = new Set<string>();
    let said = 0;
    while (said < 100) {
      relay.run((one, now) => one.say({ text }, now));
      said += 1;
    }
    await until("it has it all", async () => {
      await clock.advance(50);
      links.add(member.connection.name);
      return heardTexts(heard).length === said;
    });
    expect(links).toEqual(new Set(["connected"]));
    expect(new Set(heardTexts(heard))).toEqual(new Set([text]));
  });
});

describe("stopping", () => {
  it("tells the members, hangs up on everybody, frees the port, and is done once", async () => {
    await start();
    const { heard } = await pairedGuest();
    const stranger = await visitor();
    const idle = await raw("GET / HT");
    const half = await raw(upgrade("/wrong"), true);
    await until("it was told", () => half.received() !== "");
    relay.run((one, now) => one.end("closed", now));
    const { port } = relay;
    const stopping = Promise.all([relay.stop(), relay.stop()]);
    await until("it has stopped", async () => {
      await clock.advance(500);
      return !(await accepts(port));
    });
    expect(await stranger.end).toBe(1000);
    await until("the guest knows", () => heard.some(({ type }) => type === "ended"));
    let done = false;
    void stopping.then(() => (done = true));
    await until("nobody holds it up", async () => {
      await clock.advance(500);
      return done;
    });
    expect(idle.socket.destroyed || idle.socket.readableEnded).toBe(true);
  });
});

describe("the proof of a relay", () => {
  const fetched = async (path: string, method = "GET"): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${relay.port}${path}`, { method });
    return [response.status, await response.text()];
  };

  it("[L4] is given on one path that nobody can guess, and everything else is answered the same", async () => {
    await start();
    const { path, answer } = relay.proof;
    expect(path).toMatch(/^\/[0-9a-f]{64}$/);
    expect(answer).toMatch(/^[0-9a-f]{64}$/);
    expect(await fetched(path)).toEqual([404, answer]);
    for (const other of ["/", `${path}x`, `${path}?x`, path.toUpperCase(), `/t/${room.id}`])
      expect(await fetched(other)).toEqual([404, "not found\n"]);
    const first = relay.proof;
    await relay.stop();
    await start();
    expect(relay.proof.path).not.toBe(first.path);
    expect(relay.proof.answer).not.toBe(first.answer);
  });
});
