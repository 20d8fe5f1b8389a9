import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { concat, type Bytes } from "../../src/protocol/base/bytes.ts";
import { SERVICE } from "../../src/protocol/base/limits.ts";
import type { StreamEnd, StreamNews } from "../../src/protocol/link/service.ts";
import { ConnectionSealer, type Way } from "../../src/protocol/services/connection.ts";
import { decodePortRequest, encodePortRequest, PORT_SERVICE } from "../../src/protocol/services/stream.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { StreamSocket } from "../../src/services/connection/stream-socket.ts";
import type { Handler } from "../../src/services/owner/handler.ts";
import type { Listening } from "../../src/services/taker/listener.ts";
import { until } from "../support/processes.ts";
import { closing, dial, echo, later, never, rest, room, share, type Side } from "./scene.ts";

const CREDIT = 262_144;

/** Streams that a member opens with bytes of its own making. */
function asks(
  taker: Side,
  owner: Side,
  request: Bytes,
): { stream: StreamEnd | undefined; news: StreamNews[] } {
  const news: StreamNews[] = [];
  const who = owner.session.self;
  const stream = taker.session.services.open(
    { who, service: PORT_SERVICE, request, credit: CREDIT },
    (one) => {
      news.push(one);
    },
  );
  return { stream, news };
}

async function answerOf(taker: Side, owner: Side, request: Bytes): Promise<string> {
  const { news } = asks(taker, owner, request);
  await until("it is answered", () => news.length > 0);
  const [first] = news;
  return first?.t === "reset" ? first.code : (first?.t ?? "");
}

async function offered(to?: readonly string[]) {
  const sides = await room(["ben", "cid"]);
  const { ana, ben } = sides;
  const shared = await share(ana, ben, { target: await echo(), ...(to === undefined ? {} : { to }) });
  const offer = ana.services.owner.offers[0]?.offer;
  if (offer === undefined) throw new Error("nothing is offered");
  const ends = { taker: ben.session.self, owner: ana.session.self };
  const request = (change: { key?: Bytes; id?: Bytes; salt?: Bytes } = {}, between = ends): Bytes =>
    encodePortRequest(nodePrimitives, { key: change.key ?? offer.key }, between, {
      ask: "connect",
      service: change.id ?? offer.id,
      salt: change.salt ?? randomBytes(32),
      origin: "",
    });
  return { ...sides, ...shared, offer, request, ends };
}

async function stillServes(listening: Listening): Promise<void> {
  const socket = await dial(listening);
  socket.end("still");
  expect(String(await rest(socket))).toBe("still");
}

describe("a hostile taker", () => {
  it("[X3] gets nowhere with a request that is none, is forged, or was used before", async () => {
    const { ana, ben, cid, listening, request, ends } = await offered(["ben"]);
    const good = request();
    expect(await answerOf(ben, ana, new Uint8Array(0))).toBe("refused");
    expect(await answerOf(ben, ana, randomBytes(81))).toMatch(/^(?:refused|unknown)$/);
    expect(await answerOf(ben, ana, concat(Uint8Array.of(2), good.subarray(1)))).toBe("refused");
    expect(await answerOf(ben, ana, concat(good, new Uint8Array(SERVICE.maxOriginBytes + 1)))).toBe(
      "refused",
    );
    expect(await answerOf(ben, ana, request({ id: randomBytes(16) }))).toBe("unknown");
    expect(await answerOf(ben, ana, request({ key: randomBytes(32) }))).toBe("unknown");
    // Of one for whom it is not, although it knows all of it.
    expect(await answerOf(cid, ana, request({}, { ...ends, taker: cid.session.self }))).toBe("unknown");
    expect(await answerOf(cid, ana, good)).toBe("unknown");
    expect(await answerOf(ben, ana, good)).toBe("accept");
    expect(await answerOf(ben, ana, good)).toBe("refused");
    await stillServes(listening);
  });

  it("[X4] cannot speak in chunks that it did not seal in their order", async () => {
    const { ana, ben, listening, offer, request } = await offered();
    for (const send of [
      (stream: StreamEnd) => stream.send(randomBytes(100)),
      (stream: StreamEnd) => stream.sendSealed({ bytes: randomBytes(256 - 21) }),
      (stream: StreamEnd) => stream.end(),
      (stream: StreamEnd, sealer: ConnectionSealer) => {
        sealer.seal(Buffer.from("lost"));
        return stream.sendSealed(sealer.seal(Buffer.from("next")));
      },
      (stream: StreamEnd, sealer: ConnectionSealer) => stream.sendSealed(sealer.seal(new Uint8Array(0))),
      (stream: StreamEnd, _right: ConnectionSealer, other: ConnectionSealer) =>
        stream.sendSealed(other.seal(Buffer.from("the other way"))),
    ]) {
      const own = randomBytes(32);
      const { stream, news } = asks(ben, ana, request({ salt: own }));
      await until("it is accepted", () => news[0]?.t === "accept");
      const [first] = news;
      if (stream === undefined || first?.t !== "accept") throw new Error("not accepted");
      const sealer = (way: Way) =>
        new ConnectionSealer(nodePrimitives, { offer, salts: [own, first.response] }, way);
      send(stream, sealer("to-owner"), sealer("to-taker"));
      await until("it is cut", () => news.some((one) => one.t === "reset"));
      expect(news.find((one) => one.t === "reset")).toEqual({ t: "reset", code: "refused" });
    }
    await until("nothing is left", () => ana.services.owner.offers[0]?.connections.size === 0);
    await stillServes(listening);
  });

  it.each([
    "",
    "http://evil.example",
    "http://127.0.0.1:80\r\nX: y",
    "https://127.0.0.1:80",
    "http://127.0.0.1:80/x",
  ])("[X3] cannot have the service told that it is seen at %j", async (origin) => {
    const { ana, ben } = await room(["ben"]);
    const page = createServer((_request, response) => response.end("page"));
    page.listen(0, "127.0.0.1");
    await once(page, "listening");
    later(() => void page.close());
    const { port } = page.address() as AddressInfo;
    await share(ana, ben, { target: port, kind: "http" });
    const offer = ana.services.owner.offers[0]?.offer;
    if (offer === undefined) throw new Error("nothing is offered");
    const ends = { taker: ben.session.self, owner: ana.session.self };
    const asked = { ask: "connect", service: offer.id, salt: randomBytes(32), origin } as const;
    expect(await answerOf(ben, ana, encodePortRequest(nodePrimitives, offer, ends, asked))).toBe("refused");
  });
});

/** A service that says to each connection what it likes. */
function junk(say: (socket: StreamSocket) => void): Promise<Handler> {
  return Promise.resolve({
    target: "junk",
    port: undefined,
    warnings: [],
    connect: () => Promise.resolve({ take: say, drop: () => undefined }),
    close: () => Promise.resolve(),
  });
}

/** An owner whose side has no rules of ours. */
async function hostile(kind: "http" | "tcp", say: (socket: StreamSocket) => void) {
  const { ana, ben } = await room(["ben"]);
  const { own } = await ana.services.owner.offer({
    facts: { service: kind, name: "junk" },
    to: undefined,
    handler: await junk(say),
  });
  await until("it is heard of", () => ben.session.serviceOffers.find(own.serviceId) !== undefined);
  const found = await ben.services.connect(own.serviceId, {
    port: undefined,
    timeoutMs: 5_000,
    signal: never,
  });
  if (found === "asked") throw new Error("asked");
  return { ana, ben, own, listening: found.taken.listening };
}

function fetched({ host, port, token }: Listening): Promise<IncomingMessage> {
  const headers = token === undefined ? {} : { [token.field]: token.value };
  return new Promise((resolve, reject) => {
    get({ host, port, path: "/", headers, agent: false }, resolve).once("error", reject);
  });
}

describe("a hostile owner", () => {
  it.each([
    ["no HTTP", "SSH-2.0-x\r\n", 502],
    ["an endless head", `HTTP/1.1 200 OK\r\nX: ${"y".repeat(200_000)}`, 502],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 502],
    ["a socket that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502],
    ["nothing", "", 502],
  ])("that answers with %s is told apart from a service by our own answer", async (_, words, status) => {
    const { listening } = await hostile("http", (socket) => {
      socket.on("error", () => undefined).resume();
      socket.once("data", () => (words === "" ? socket.destroy() : socket.write(words)));
    });
    const answer = await fetched(listening);
    expect([answer.statusCode, answer.headers["x-tunnel-answer"] !== undefined]).toEqual([status, true]);
    answer.resume();
  });

  it("sets no cookie of the door, and says nothing in our name", async () => {
    const { listening } = await hostile("http", (socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () =>
        socket.end(
          "HTTP/1.1 200 OK\r\nX-Tunnel-Answer: no-access\r\nSet-Cookie: tunnel-access-00000000=x\r\nSet-Cookie: own=1\r\nContent-Length: 0\r\n\r\n",
        ),
      );
    });
    const answer = await fetched(listening);
    expect(answer.headers["x-tunnel-answer"]).toBeUndefined();
    expect(answer.headers["set-cookie"]).toEqual(["own=1"]);
    answer.resume();
  });

  it("that sends without end fills no memory, and harms no words", async () => {
    const piece = randomBytes(64 * 1024);
    const { ana, listening } = await hostile("tcp", (socket) => {
      socket.on("error", () => undefined).resume();
      const go = (): void => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", go);
      go();
    });
    const socket = await dial(listening);
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const { bytesOut = 0 } = ana.services.owner.offers[0]?.stats ?? {};
    // The sockets of the system hold most of it.
    expect(bytesOut).toBeLessThan(16 * 1024 * 1024);
    expect(await ana.session.say({ text: "still here" }, {})).toMatchObject({ status: "sent" });
    socket.destroy();
    await closing(socket);
  });

  it("[X4] whose stream ends without a sealed end is told as a reset", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, { target: await echo() });
    // From now on somebody else answers for it: as a host in between could, if it had the key.
    ana.session.services.add({
      name: PORT_SERVICE,
      opened: (stream, request) => {
        expect(decodePortRequest(request)?.ask).toBe("connect");
        stream.accept(randomBytes(32), CREDIT);
        stream.end();
        return () => undefined;
      },
    });
    const socket = await dial(listening);
    const errors: unknown[] = [];
    socket.on("error", (error) => errors.push(error)).resume();
    await closing(socket);
    expect(String(errors)).toContain("ECONNRESET");
  });

  it("[X5] that answers with a code of nobody, or a salt that is none, costs one connection", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, { target: await echo() });
    const answers: ((stream: StreamEnd) => void)[] = [
      (stream) => stream.reset("what"),
      (stream) => stream.accept(randomBytes(31), CREDIT),
      (stream) => stream.accept(new Uint8Array(0), CREDIT),
      (stream) => {
        stream.accept(randomBytes(32), CREDIT);
        stream.sendSealed({ bytes: randomBytes(1_024 - 21) });
      },
    ];
    ana.session.services.add({
      name: PORT_SERVICE,
      opened: (stream) => {
        answers.shift()?.(stream);
        return () => undefined;
      },
    });
    for (let turn = 0; turn < 4; turn += 1) {
      const socket = await dial(listening);
      socket.resume();
      await closing(socket);
    }
    expect(answers).toEqual([]);
    ana.session.services.add(ana.services.owner);
    await stillServes(listening);
  });
});
