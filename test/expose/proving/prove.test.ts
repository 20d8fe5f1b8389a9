import { Agent, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { proveAddress, type Proof, type ProveOptions } from "../../../src/expose/proving/prove.ts";
import { socketProbe, type OpenSocket } from "../../../src/expose/proving/socket.ts";
import { probePath, STREAM_PROBE, type Probes, type ServiceReport } from "../../../src/expose/probes.ts";
import { createHttpsClient, type HttpsGet } from "../../../src/net/https.ts";
import { NO_PROXIES, type ProxyAgents } from "../../../src/net/proxy.ts";
import { trustOf } from "../../../src/net/trust.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { FakeClock, settle } from "../../support/fake-tunnel-clock.ts";
import { LocalServers, selfSigned } from "../../support/local-servers.ts";
import { rejection } from "../../support/rejection.ts";
import { fakeHttps, silence, type FakeAnswer } from "../../support/tunnels/fake-https.ts";

const PROOF = { path: "/.tunnel/here/4711", answer: "it is the gateway" };
const PROBES: Probes = { nonce: "n0nce" };
const NAME = new URL("https://a.example");
const never = new AbortController().signal;

const servers = new LocalServers();
const cleanups: (() => void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  await servers.close();
});

const noSocket: OpenSocket = () => Promise.resolve(false);

/** Events as the gateway sends them, or gathered into one piece. */
async function* events(clock: FakeClock, apartMs: number): AsyncGenerator<Uint8Array> {
  for (let event = 1; event <= STREAM_PROBE.events; event += 1) {
    if (event > 1) await new Promise<void>((resolve) => clock.after(apartMs, resolve));
    yield new TextEncoder().encode(`data: ${event}\n\n`);
  }
}

type Answers = (get: HttpsGet, clock: FakeClock) => FakeAnswer | Promise<FakeAnswer>;

/** The gateway behind an edge that lets everything through. */
const gateway: Answers = ({ url, method = "GET" }, clock) => {
  if (url.pathname === PROOF.path) return { status: 404, body: PROOF.answer };
  if (url.pathname === probePath(PROBES, "stream")) return { body: events(clock, STREAM_PROBE.apartMs) };
  if (url.pathname === probePath(PROBES, "service") && method === "GET")
    return { body: report({ status: 200, server: "vite" }) };
  return { status: 404 };
};

const report = (of: ServiceReport): string => JSON.stringify(of);

/** A proof in a time of its own, against an edge that answers as it is told. */
function prove(answers: Answers, options: Partial<ProveOptions> = {}) {
  const clock = new FakeClock();
  const { client, gets } = fakeHttps((get) => answers(get, clock));
  const asked: string[] = [];
  const told: string[] = [];
  const resolver = (name: string): Promise<string[]> => {
    asked.push(name);
    return Promise.resolve(["192.0.2.1"]);
  };
  const done = proveAddress({
    origin: NAME,
    proof: PROOF,
    probes: PROBES,
    resolver,
    isSkipped: false,
    client,
    openSocket: () => Promise.resolve(true),
    clock,
    signal: never,
    onProgress: ({ message }) => told.push(message),
    ...options,
  });
  done.catch(() => undefined);
  return { clock, gets, done, asked, told };
}

describe("an address that works", () => {
  it("is proved by the gateway's own answer, and its name is asked for by DNS-over-HTTPS alone", async () => {
    const { clock, gets, done, asked, told } = prove(gateway);
    await clock.advance(1_000);
    expect(await done).toEqual<Proof>({
      kind: "proved",
      ms: 0,
      service: { status: 200, server: "vite" },
      streaming: { get: "live", post: "live" },
      websocket: true,
    });
    expect(new Set(asked)).toEqual(new Set(["a.example"]));
    expect(new Set(gets.map(({ address, url }) => `${address} ${url.host}`))).toEqual(
      new Set(["192.0.2.1 a.example"]),
    );
    expect(told).toHaveLength(2);
    expect(clock.waiting).toBe(0);
  });

  it("may need a moment: its name, its edge, somebody else's pages", async () => {
    let visits = 0;
    const early: readonly FakeAnswer[] = [
      { status: 530 },
      { status: 404, body: "no such tunnel" },
      { status: 502, body: PROOF.answer },
      { status: 200, body: PROOF.answer },
      { status: 302, location: "/login" },
    ];
    const { clock, done } = prove((get, clock) => {
      const answer = get.url.pathname === PROOF.path ? early[visits++] : undefined;
      return answer ?? gateway(get, clock);
    });
    await clock.advance(10_000);
    expect(await done).toMatchObject({ kind: "proved", ms: 5_000 });
  });

  it("holds back streams of GET and lets those of POST through", async () => {
    const { clock, done } = prove((get, clock) => {
      const isHeld = get.url.pathname === probePath(PROBES, "stream") && get.method !== "POST";
      return isHeld ? { body: "data: 1\n\ndata: 2\n\ndata: 3\n\n" } : gateway(get, clock);
    });
    await clock.advance(2_000);
    expect(await done).toMatchObject({ streaming: { get: "held", post: "live" } });
  });

  it("once live is live: a line can gather what was sent apart", async () => {
    let streams = 0;
    const { clock, done } = prove((get, clock) => {
      const isStream = get.url.pathname === probePath(PROBES, "stream") && get.method === "GET";
      if (isStream && (streams += 1) === 1) return { body: "data: 1\n\ndata: 2\n\ndata: 3\n\n" };
      return gateway(get, clock);
    });
    await clock.advance(3_000);
    expect(await done).toMatchObject({ streaming: { get: "live" } });
    expect(streams).toBe(2);
  });

  it.each<[string, FakeAnswer | Error]>([
    ["an error of the edge", { status: 502 }],
    ["a stream that ends early", { body: "data: 1\n\n" }],
    ["a stream without end", { body: "data: 1\n\n".repeat(10_000) }],
    ["a broken line", new Error("reset")],
  ])("does not let streams through: %s", async (_, answer) => {
    const { clock, done } = prove((get, clock) => {
      if (get.url.pathname !== probePath(PROBES, "stream")) return gateway(get, clock);
      if (answer instanceof Error) throw answer;
      return answer;
    });
    await clock.advance(30_000);
    expect(await done).toMatchObject({ kind: "proved", streaming: { get: "blocked", post: "blocked" } });
    expect(clock.waiting).toBe(0);
  });

  it("never waits for ever: streams and service that say nothing are given up", async () => {
    const { clock, done } = prove((get, clock) =>
      get.url.pathname === PROOF.path ? gateway(get, clock) : silence(),
    );
    await clock.advance(30_000);
    expect(await done).toMatchObject({
      kind: "proved",
      service: { error: "no answer in time" },
      streaming: { get: "blocked", post: "blocked" },
    });
    expect(clock.waiting).toBe(0);
  });

  it.each<[string, FakeAnswer, object]>([
    ["its error", { body: report({ error: "connection_refused" }) }, { error: "connection_refused" }],
    ["its status", { body: report({ status: 503, server: undefined }) }, { status: 503, server: undefined }],
    ["an edge's page", { status: 502, body: "<h1>502</h1>" }, { error: "HTTP 502 on the way" }],
    ["no JSON", { body: "<h1>200</h1>" }, { error: "no answer in time" }],
  ])("tells of the service: %s", async (_, answer, expected) => {
    const { clock, done } = prove((get, clock) =>
      get.url.pathname === probePath(PROBES, "service") ? answer : gateway(get, clock),
    );
    await clock.advance(2_000);
    const proof = await done;
    expect(proof.kind === "proved" && proof.service).toEqual(expected);
  });

  it("tries a WebSocket twice before it says that none passes", async () => {
    let opened = 0;
    const openSocket: OpenSocket = (url) => {
      opened += 1;
      expect(url.href).toBe(`wss://a.example${probePath(PROBES, "socket")}`);
      return Promise.resolve(opened === 2);
    };
    const { clock, done } = prove(gateway, { openSocket });
    await clock.advance(2_000);
    expect(await done).toMatchObject({ websocket: true });
    const none = prove(gateway, { openSocket: noSocket });
    await none.clock.advance(2_000);
    expect(await none.done).toMatchObject({ websocket: false });
  });
});

describe("an address that does not", () => {
  it.each<[string, Answers, RegExp]>([
    ["an error page", () => ({ status: 530, body: "1033" }), /HTTP 530/],
    ["a login page", () => ({ status: 302, location: "/login" }), /HTTP 302/],
    [
      "a page that says what ours says, as a success",
      () => ({ status: 200, body: PROOF.answer }),
      /HTTP 200/,
    ],
    ["another gateway", () => ({ status: 404, body: "it is another" }), /HTTP 404/],
    ["an endless page", () => ({ status: 404, body: PROOF.answer.padEnd(100_000) }), /HTTP 404/],
    [
      "a broken line",
      () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNRESET" })),
      /nothing answers there \(ECONNRESET\)/,
    ],
    ["silence", silence, /nothing answers there/],
  ])("is given up after half a minute: %s", async (_, answers, why) => {
    const { clock, done } = prove(answers);
    await clock.advance(29_000);
    await settle();
    await clock.advance(8_000);
    const error = await rejection(done);
    expect(error).toMatchObject({ code: "expose-unproved", detail: expect.stringMatching(why) as string });
    expect(clock.waiting).toBe(0);
  });

  it("has no address", async () => {
    const { clock, done, gets } = prove(gateway, { resolver: () => Promise.resolve([]) });
    await clock.advance(40_000);
    expect(await rejection(done)).toMatchObject({ detail: "its name has no address yet" });
    expect(gets).toEqual([]);
  });

  it("is no longer waited for when the call is cancelled", async () => {
    const abort = new AbortController();
    const { clock, done } = prove(() => ({ status: 530 }), { signal: abort.signal });
    await clock.advance(3_000);
    abort.abort();
    await settle();
    expect(await rejection(done)).toMatchObject({ code: "cancelled" });
    expect(clock.waiting).toBe(0);
  });

  it("a cancelled call ends during the probes as well", async () => {
    const abort = new AbortController();
    const { clock, done } = prove(
      (get, clock) => (get.url.pathname === PROOF.path ? gateway(get, clock) : silence()),
      { signal: abort.signal },
    );
    await clock.advance(100);
    abort.abort();
    await settle();
    expect(await rejection(done)).toMatchObject({ code: "cancelled" });
    expect(clock.waiting).toBe(0);
  });
});

describe("an address that nobody is to visit", () => {
  it("is unchecked, and says why", async () => {
    const skipped = prove(gateway, { isSkipped: true });
    expect(await skipped.done).toEqual({ kind: "unchecked", why: "TUNNEL_SKIP_REACHABILITY_CHECK is set" });
    const off = prove(gateway, { resolver: undefined });
    expect(await off.done).toEqual({ kind: "unchecked", why: "TUNNEL_DOH is off" });
    expect([...skipped.gets, ...off.gets]).toEqual([]);
  });

  it("without DNS-over-HTTPS an address in numbers can be visited all the same", async () => {
    for (const origin of ["https://192.0.2.7:8443", "https://[2001:db8::1]"]) {
      const { clock, done } = prove(gateway, { resolver: undefined, origin: new URL(origin) });
      await clock.advance(2_000);
      expect(await done).toMatchObject({ kind: "proved" });
    }
  });
});

/** The gateway's probes on a real server, without the gateway. */
function standIn(request: IncomingMessage, response: ServerResponse): void {
  const { url, method } = request;
  if (url === PROOF.path) response.writeHead(404).end(PROOF.answer);
  else if (url === probePath(PROBES, "service")) response.end(report({ status: 418, server: undefined }));
  else if (url === probePath(PROBES, "stream")) {
    response.writeHead(200, { "content-type": "text/event-stream", "x-method": method }).flushHeaders();
    let event = 0;
    const timer = setInterval(() => {
      response.write(`data: ${(event += 1)}\n\n`);
      if (event < STREAM_PROBE.events) return;
      clearInterval(timer);
      response.end();
    }, STREAM_PROBE.apartMs);
  } else response.writeHead(404).end();
}

const direct = socketProbe({ proxies: NO_PROXIES, trust: trustOf({}) });

describe("on the wire", () => {
  function withSockets(server: ReturnType<typeof createServer>, word: string): void {
    const sockets = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (one) => {
        one.send(word);
        one.close(1000);
      }),
    );
    cleanups.push(() => sockets.close());
  }

  async function origin(word = "ok"): Promise<URL> {
    const server = createServer(standIn);
    withSockets(server, word);
    return new URL(`http://127.0.0.1:${await servers.listen(server, "127.0.0.1", 0)}`);
  }

  const real = { proof: PROOF, probes: PROBES, isSkipped: false, clock: systemClock, signal: never } as const;
  const noClient = (): Promise<never> => Promise.reject(new Error("not asked"));

  it("an address without TLS is visited as it is", async () => {
    const proof = await proveAddress({
      ...real,
      origin: await origin(),
      resolver: undefined,
      client: noClient,
      openSocket: direct,
    });
    expect(proof).toMatchObject({
      kind: "proved",
      service: { status: 418, server: undefined },
      streaming: { get: "live", post: "live" },
      websocket: true,
    });
  });

  it("a public name is dialled at the address that DNS-over-HTTPS gave, under its own name", async () => {
    const seen = new Set<string | undefined>();
    const port = await servers.https((request, response) => {
      seen.add(request.headers.host);
      standIn(request, response);
    });
    const trust = trustOf({ SSL_CERT_FILE: "/cert" }, [], (file) => {
      if (file !== "/cert") throw new Error("no bundle");
      return selfSigned().cert;
    });
    const client = createHttpsClient({ proxies: NO_PROXIES, trust });
    const asked: string[] = [];
    const proof = await proveAddress({
      ...real,
      origin: new URL(`https://far.example:${port}`),
      resolver: (name) => {
        asked.push(name);
        return Promise.resolve(["127.0.0.1"]);
      },
      client,
      openSocket: socketProbe({ proxies: NO_PROXIES, trust }),
    });
    expect(proof).toMatchObject({ kind: "proved", service: { status: 418 }, websocket: false });
    expect(seen).toEqual(new Set([`far.example:${port}`]));
    expect(new Set(asked)).toEqual(new Set(["far.example"]));
  });

  it.each([
    ["another word", "no"],
    ["a long one", "ok".repeat(2_000)],
  ])("a WebSocket that brings %s is none of ours", async (_, word) => {
    const url = new URL(probePath(PROBES, "socket"), await origin(word));
    url.protocol = "ws:";
    expect(await direct(url, { resolver: undefined, signal: never })).toBe(false);
  });

  it("a WebSocket that is refused, silent or cancelled is none", async () => {
    const plain = createServer((_, response) => response.writeHead(426).end());
    const refusing = await servers.listen(plain, "127.0.0.1", 0);
    const silent = await servers.tcp(() => undefined);
    const open = (port: number, signal: AbortSignal): Promise<boolean> =>
      direct(new URL(`ws://127.0.0.1:${port}/`), { resolver: undefined, signal });
    expect(await open(refusing, never)).toBe(false);
    expect(await open(await servers.freePort(), never)).toBe(false);
    expect(await open(silent, AbortSignal.timeout(100))).toBe(false);
    expect(await open(silent, AbortSignal.abort())).toBe(false);
  });

  it("a WebSocket is dialled at the address that DNS-over-HTTPS gave, and goes through a proxy unresolved", async () => {
    const asked: string[] = [];
    const resolver = (name: string): Promise<string[]> => {
      asked.push(name);
      return Promise.resolve(["127.0.0.1"]);
    };
    const url = new URL(probePath(PROBES, "socket"), await origin());
    url.protocol = "ws:";
    url.hostname = "far.example";
    expect(await direct(url, { resolver, signal: never })).toBe(true);
    expect(asked).toEqual(["far.example"]);
    const through: string[] = [];
    class Recording extends Agent {
      override createConnection(
        ...[options, done]: Parameters<Agent["createConnection"]>
      ): ReturnType<Agent["createConnection"]> {
        through.push(String(options.host));
        return super.createConnection({ ...options, host: "127.0.0.1" }, done);
      }
    }
    const proxies: ProxyAgents = () => new Recording();
    const proxied = socketProbe({ proxies, trust: trustOf({}) });
    expect(await proxied(url, { resolver, signal: never })).toBe(true);
    expect([asked, through]).toEqual([["far.example"], ["far.example"]]);
  });
});
