import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { performServerHandshake, type ServerHttp2Session } from "node:http2";
import { createServer, request } from "node:http";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import type { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { WebSocket, type ClientOptions } from "ws";
import { StaticAuthority } from "../../src/relay/auth/static.ts";
import { newToken, writeTokens } from "../../src/relay/auth/tokens.ts";
import { RELAY_LIMITS, type RelayLimits } from "../../src/relay/limits/limits.ts";
import type { Relay } from "../../src/relay/node/relay.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { Line } from "../../src/uplink/line/line.ts";
import { proofText } from "../../src/uplink/claim-proof.ts";
import { parseFromRelay, type FromRelay } from "../../src/uplink/messages.ts";
import { residentBytes, until } from "../support/processes.ts";
import { RelayProcess } from "../support/relay-process.ts";
import { aRelay, atEnd, echoed, echoRoom, folder, guest, hostOf, roomId, upgrade } from "./support.ts";

const limits = (some: Partial<RelayLimits>): RelayLimits => ({ ...RELAY_LIMITS, forgetfulMs: 0, ...some });

/** A host that keeps to no rule but those a test wants. */
class RawHost {
  readonly socket: WebSocket;
  readonly heard: FromRelay[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly keys = generateKeyPairSync("ed25519");

  constructor(relay: { readonly port: number }, options: ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${relay.port}/_tunnel/host`, options);
    atEnd(() => this.socket.terminate());
    this.socket.on("error", () => undefined);
    this.socket.on("message", (data: Buffer, isBinary) => {
      const message = isBinary ? undefined : parseFromRelay(data.toString());
      if (message !== undefined) this.heard.push(message);
    });
    this.closed = new Promise((resolve) =>
      this.socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    );
  }

  async hello(): Promise<string> {
    await until("hello", () => this.heard.length > 0 || this.socket.readyState === WebSocket.CLOSED);
    const [first] = this.heard;
    if (first?.type !== "hello") throw new Error("no hello");
    return first.nonce;
  }

  get publicKey(): string {
    return this.keys.publicKey.export({ format: "jwk" }).x ?? "";
  }

  register(claim: {
    nonce: string;
    authority: string;
    kind: "room" | "http";
    name?: string | undefined;
    token?: string;
  }): void {
    const { nonce, authority, kind, name, token } = claim;
    const text = proofText({ nonce, authority, kind, name });
    const signature = sign(null, Buffer.from(text), this.keys.privateKey).toString("base64url");
    this.socket.send(
      JSON.stringify({ type: "register", version: 1, kind, name, key: this.publicKey, signature, token }),
    );
  }
}

describe("a registration", () => {
  it("has to come in time, and in the form of the protocol", { timeout: 20_000 }, async () => {
    const relay = await aRelay();
    const silent = new RawHost(relay);
    const forms = [
      "",
      "{",
      "[]",
      '{"type":"register"}',
      '{"type":"ready"}',
      `{"type":"${"x".repeat(5_000)}"}`,
    ];
    for (const form of forms) {
      const host = new RawHost(relay);
      await host.hello();
      host.socket.send(form);
      expect(await host.closed, form.slice(0, 30)).toEqual({ code: 4004, reason: "broken-rules" });
    }
    const binary = new RawHost(relay);
    await binary.hello();
    binary.socket.send(Buffer.alloc(10));
    expect((await binary.closed).code).toBe(1006);
    const began = Date.now();
    expect(await silent.closed).toMatchObject({ code: 4003, reason: expect.stringMatching(/^too-slow/) });
    expect(Date.now() - began).toBeLessThan(11_000);
  });

  it("is proved for this relay and this connection: no proof can be replayed or carried on from another relay", async () => {
    const relay = await aRelay();
    const authority = `127.0.0.1:${relay.port}`;
    const room = roomId();
    const good = new RawHost(relay);
    good.register({ nonce: await good.hello(), authority, kind: "room", name: room });
    await until("registered", () => good.heard.some(({ type }) => type === "registered"));
    const tries: [string, (nonce: string, old: string) => Parameters<RawHost["register"]>[0]][] = [
      ["another nonce", (_, old) => ({ nonce: old, authority, kind: "room", name: room })],
      ["another relay", (nonce) => ({ nonce, authority: "relay.test", kind: "room", name: room })],
    ];
    const first = good.heard[0];
    const old = first?.type === "hello" ? first.nonce : "";
    for (const [what, claim] of tries) {
      const host = new RawHost(relay);
      Object.assign(host, { keys: good.keys });
      host.register(claim(await host.hello(), old));
      expect(await host.closed, what).toEqual({ code: 4001, reason: "proof-invalid" });
    }
    // A signature for one name does not claim another.
    const other = new RawHost(relay);
    const nonce = await other.hello();
    const text = proofText({ nonce, authority, kind: "room", name: roomId() });
    const signature = sign(null, Buffer.from(text), other.keys.privateKey).toString("base64url");
    const register = {
      type: "register",
      version: 1,
      kind: "room",
      name: roomId(),
      key: other.publicKey,
      signature,
    };
    other.socket.send(JSON.stringify(register));
    expect(await other.closed).toEqual({ code: 4001, reason: "proof-invalid" });
    expect(relay.hosts.size).toBe(1);
  });

  it("evicts nobody but the same key, and its clean-up touches no successor", async () => {
    const relay = await aRelay();
    const authority = `127.0.0.1:${relay.port}`;
    const room = roomId();
    const first = new RawHost(relay);
    first.register({ nonce: await first.hello(), authority, kind: "room", name: room });
    await until("registered", () => relay.hosts.size === 1);
    const stranger = new RawHost(relay);
    stranger.register({ nonce: await stranger.hello(), authority, kind: "room", name: room });
    expect(await stranger.closed).toEqual({ code: 4001, reason: "name-taken" });
    const second = new RawHost(relay);
    Object.assign(second, { keys: first.keys });
    second.register({ nonce: await second.hello(), authority, kind: "room", name: room });
    expect(await first.closed).toEqual({ code: 4002, reason: "evicted" });
    await until("the second is there", () => second.heard.some(({ type }) => type === "registered"));
    const claim = await relay.context.claims.find({ kind: "room", name: room });
    const host = relay.hosts.get({ kind: "room", name: room });
    expect(host?.facts.epoch).toBe(claim?.epoch);
    expect(
      await relay.context.claims.release({ kind: "room", name: room }, (claim?.epoch ?? 1) - 1, "done"),
    ).toBe(false);
    expect(relay.hosts.size).toBe(1);
  });

  it("is not for pages in browsers, and bounded for each source and in all", async () => {
    const relay = await aRelay({ limits: limits({ registrationsPerMinute: 4, unregistered: 3 }) });
    const page = new RawHost(relay, { headers: { Origin: "https://page.example" } });
    expect((await page.closed).code).toBe(1006);
    const hosts = [new RawHost(relay), new RawHost(relay), new RawHost(relay)];
    await Promise.all(hosts.map((host) => host.hello()));
    expect((await new RawHost(relay).closed).code).toBe(4003);
    for (const { socket } of hosts) socket.terminate();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await new RawHost(relay).hello();
    const late = await new RawHost(relay).closed;
    expect(late.code).toBe(4003);
    expect(late.reason).toMatch(/^too-many \d+$/);
  });

  it("tells a host of another version never to come back, and one without a token what is missing", async () => {
    const { token, entry } = newToken({ label: "a" }, Date.now());
    const relay = await aRelay({ authority: new StaticAuthority([entry], systemClock) });
    const authority = `127.0.0.1:${relay.port}`;
    const old = new RawHost(relay);
    await old.hello();
    const nothing = { kind: "room", name: roomId(), key: old.publicKey, signature: "A".repeat(86) };
    old.socket.send(JSON.stringify({ type: "register", version: 99, ...nothing }));
    expect(await old.closed).toEqual({ code: 4004, reason: "wrong-version" });
    const poor = new RawHost(relay);
    poor.register({ nonce: await poor.hello(), authority, kind: "room", name: roomId() });
    expect(await poor.closed).toEqual({ code: 4001, reason: "token-missing" });
    const rich = new RawHost(relay);
    rich.register({ nonce: await rich.hello(), authority, kind: "room", name: roomId(), token });
    await until("it is in", () => relay.hosts.size === 1);
  });
});

/** A neighbour whose tunnel has to go on, whatever a hostile host does. */
interface Neighbour<R> {
  readonly relay: R;
  readonly token: string;
  readonly isServed: () => Promise<boolean>;
}

async function withNeighbour(): Promise<Neighbour<Relay>> {
  const { token, entry } = newToken({ label: "a" }, Date.now());
  const relay = await aRelay({
    authority: new StaticAuthority([entry], systemClock),
    domain: "tunnel.test",
    state: folder(),
  });
  return { relay, token, isServed: await neighbourAt(relay.port, token) };
}

/** The same at a relay in a process of its own, whose memory nobody else uses. */
async function withNeighbourApart(): Promise<Neighbour<RelayProcess>> {
  const { token, entry } = newToken({ label: "a" }, Date.now());
  const state = folder();
  const tokenFile = path.join(state, "tokens.json");
  writeFileSync(tokenFile, writeTokens([entry]));
  const relay = await RelayProcess.start([
    "--domain",
    "tunnel.test",
    "--token-file",
    tokenFile,
    "--state",
    state,
  ]);
  atEnd(() => relay.end());
  return { relay, token, isServed: await neighbourAt(relay.port, token) };
}

async function neighbourAt(relayPort: number, token: string): Promise<() => Promise<boolean>> {
  const server = createServer((_, response) => response.end("neighbour"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await hostOf(relayPort, { token })(port, { kind: "http", label: "n", subdomain: "neighbour" });
  return async () => (await get({ port: relayPort }, "neighbour.tunnel.test")) === 200;
}

function get(relay: { readonly port: number }, host: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request(
      { host: "127.0.0.1", port: relay.port, agent: false, headers: { Host: host } },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    asked.once("error", () => resolve(0)).end();
  });
}

/** A registered service whose HTTP/2 is the test's own. */
async function hostileService(
  relay: { readonly port: number },
  token: string,
): Promise<{ host: RawHost; stream: Duplex }> {
  const host = new RawHost(relay, { maxPayload: 1024 * 1024 });
  host.register({
    nonce: await host.hello(),
    authority: `127.0.0.1:${relay.port}`,
    kind: "http",
    name: "hostile",
    token,
  });
  await until("registered", () => host.heard.some(({ type }) => type === "registered"));
  const line = new Line(host.socket, Date.now, { onText: () => undefined, onClose: () => undefined });
  const { stream } = line;
  stream.on("error", () => undefined);
  return { host, stream };
}

const frame = (type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
};
const SETTINGS = frame(4, 0, 0);

describe("a hostile host of a service", () => {
  const floods: [string, () => Buffer][] = [
    ["settings", () => frame(4, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]))],
    ["pings", () => frame(6, 0, 0, randomBytes(8))],
    ["resets of streams that nobody opened", () => frame(3, 0, 2, Buffer.alloc(4))],
    ["headers without an end", () => frame(1, 0, 1, Buffer.from([0x88]))],
    ["continuations", () => frame(9, 0, 1, Buffer.alloc(16_000, 0x40))],
    ["window updates", () => frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
    ["promises", () => frame(5, 4, 1, Buffer.from([0, 0, 0, 2, 0x88]))],
    ["noise", () => randomBytes(4_000)],
  ];

  it.each(floods)(
    "takes nothing from its neighbour by a flood of %s",
    { timeout: 30_000 },
    async (_name, make) => {
      const { relay, token, isServed } = await withNeighbourApart();
      const { host, stream } = await hostileService(relay, token);
      host.socket.send(JSON.stringify({ type: "ready" }));
      stream.write(SETTINGS);
      void get(relay, "hostile.tunnel.test");
      const before = residentBytes(relay.pid);
      const end = Date.now() + 1_500;
      let sent = 0;
      let looked = 0;
      while (Date.now() < end && host.socket.readyState === WebSocket.OPEN) {
        const many = Buffer.concat(Array.from({ length: 50 }, make));
        if (!stream.destroyed) stream.write(many);
        sent += many.length;
        if (Date.now() - looked > 100) {
          looked = Date.now();
          expect(await isServed()).toBe(true);
        }
        await new Promise((resolve) => setImmediate(resolve));
        if (host.socket.bufferedAmount > 4 * 1024 * 1024)
          await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(sent).toBeGreaterThan(0);
      expect(await isServed()).toBe(true);
      expect(residentBytes(relay.pid) - before).toBeLessThan(200 * 1024 * 1024);
    },
  );

  it("that never answers costs its own visitors their time and nobody else's", async () => {
    const { relay, token, isServed } = await withNeighbour();
    const { host, stream } = await hostileService(relay, token);
    const session: ServerHttp2Session = performServerHandshake(stream);
    session.on("error", () => undefined);
    session.on("stream", (one) => one.on("error", () => undefined));
    host.socket.send(JSON.stringify({ type: "ready" }));
    const waiting = Array.from({ length: 50 }, () => {
      const socket = connect(relay.port, "127.0.0.1", () =>
        socket.write("GET / HTTP/1.1\r\nHost: hostile.tunnel.test\r\n\r\n"),
      );
      socket.on("error", () => undefined);
      atEnd(() => socket.destroy());
      return socket;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (let at = 0; at < 10; at += 1) expect(await isServed()).toBe(true);
    expect(waiting.every(({ destroyed }) => !destroyed)).toBe(true);
  });
});

describe("a hostile guest", () => {
  it("who guesses tickets gets nothing, and one that is fetched twice neither", async () => {
    const relay = await aRelay();
    expect((await upgrade(relay.port, "/_tunnel/guest/x", { "Sec-WebSocket-Key": "a" })).status).toBe(404);
    expect((await upgrade(relay.port, "/_tunnel/guest/", { "Sec-WebSocket-Key": "a" })).status).toBe(404);
    const host = new RawHost(relay);
    const room = roomId();
    host.register({
      nonce: await host.hello(),
      authority: `127.0.0.1:${relay.port}`,
      kind: "room",
      name: room,
    });
    await until("registered", () => host.heard.some(({ type }) => type === "registered"));
    host.socket.send(JSON.stringify({ type: "ready" }));
    await until("ready", () => relay.hosts.all[0]?.isReady === true);
    void upgrade(relay.port, `/t/${room}`).catch(() => undefined);
    await until("a guest is told", () => host.heard.some(({ type }) => type === "guest"));
    const told = host.heard.find(({ type }) => type === "guest");
    const ticket = told?.type === "guest" ? told.ticket : "";
    expect((await upgrade(relay.port, `/_tunnel/guest/${ticket}`, { "Sec-WebSocket-Key": "a" })).status).toBe(
      101,
    );
    expect((await upgrade(relay.port, `/_tunnel/guest/${ticket}`, { "Sec-WebSocket-Key": "a" })).status).toBe(
      404,
    );
  });

  it("cannot fill a room whose host is away, nor the relay with those who wait", async () => {
    const relay = await aRelay({
      limits: limits({ held: { ms: 1_500, all: 50, perTunnel: 5, perSource: 5 } }),
    });
    const { port } = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(relay)(port, { kind: "room", room });
    relay.hosts.get({ kind: "room", name: room })?.close("too-many", 500);
    await until("the host is away", () => tunnel.health().state === "degraded");
    const results = await Promise.all(Array.from({ length: 12 }, () => upgrade(relay.port, `/t/${room}`)));
    const statuses = results.map(({ status }) => status).toSorted((one, other) => one - other);
    expect(statuses).toEqual([101, 101, 101, 101, 101, ...Array.from({ length: 7 }, () => 503)]);
    expect(relay.arrivals.held).toBe(0);
  });

  it("cannot have more places than the tunnel has, and gives its own back", async () => {
    const relay = await aRelay({ limits: limits({ inFlight: 3 }) });
    const { port } = await echoRoom();
    const room = roomId();
    await hostOf(relay)(port, { kind: "room", room });
    const in1 = await Promise.all([1, 2, 3].map(() => guest(relay.port, room)));
    expect((await upgrade(relay.port, `/t/${room}`)).status).toBe(503);
    in1[0]?.destroy();
    await until("a place is free", async () => (await upgrade(relay.port, `/t/${room}`)).status === 101);
  });

  it("who goes while it is held or offered leaves nothing behind", async () => {
    const relay = await aRelay();
    const host = new RawHost(relay);
    const room = roomId();
    host.register({
      nonce: await host.hello(),
      authority: `127.0.0.1:${relay.port}`,
      kind: "room",
      name: room,
    });
    await until("registered", () => relay.hosts.size === 1);
    const visits = Array.from({ length: 10 }, () => {
      const socket = connect(relay.port, "127.0.0.1", () =>
        socket.write(
          `GET /t/${room} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
        ),
      );
      socket.on("error", () => undefined);
      return socket;
    });
    await until("all are held", () => relay.arrivals.held === 10);
    for (const one of visits.slice(0, 5)) one.resetAndDestroy();
    await until("they are gone", () => relay.arrivals.held === 5);
    host.socket.send(JSON.stringify({ type: "ready" }));
    await until("the others are offered", () => relay.hosts.all[0]?.visits.total === 5);
    for (const one of visits) one.resetAndDestroy();
    await until("nothing is left", () => relay.hosts.all[0]?.visits.total === 0);
  });
});

describe("a tunnel with a pace", () => {
  it("is held to its bytes a second, and loses none of them", { timeout: 20_000 }, async () => {
    const relay = await aRelay({ limits: limits({ bytesPerSecond: 400_000 }) });
    const { port } = await echoRoom();
    const room = roomId();
    await hostOf(relay)(port, { kind: "room", room });
    const one = await guest(relay.port, room);
    const bytes = randomBytes(400_000);
    const began = Date.now();
    expect((await echoed(one, bytes)).equals(bytes)).toBe(true);
    // 800,000 bytes, both ways together.
    expect(Date.now() - began).toBeGreaterThan(1_500);
    expect(Date.now() - began).toBeLessThan(6_000);
  });
});

describe("a drain", () => {
  it("tells every host to come back, at different times, and lets what is under way end", async () => {
    const rooms = await aRelay();
    const hosts = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const host = new RawHost(rooms);
        host.register({
          nonce: await host.hello(),
          authority: `127.0.0.1:${rooms.port}`,
          kind: "room",
          name: roomId(),
        });
        await until("registered", () => host.heard.some(({ type }) => type === "registered"));
        return host;
      }),
    );
    const drained = rooms.drain({ backMs: 2_000, graceMs: 300 });
    expect(rooms.isReady).toBe(false);
    await until("all are told", () =>
      hosts.every(({ heard }) => heard.some(({ type }) => type === "going-away")),
    );
    const times = hosts.flatMap(({ heard }) =>
      heard.flatMap((one) => (one.type === "going-away" ? [one.afterMs] : [])),
    );
    expect(new Set(times).size).toBeGreaterThan(6);
    for (const ms of times) expect(ms).toBeLessThanOrEqual(2_000);
    await drained;
    for (const { closed } of hosts) expect((await closed).code).toBe(4003);
  });
});
