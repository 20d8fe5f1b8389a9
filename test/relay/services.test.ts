import { createServer, request, type IncomingMessage, type RequestListener } from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { StaticAuthority } from "../../src/relay/auth/static.ts";
import { newToken, type TokenEntry } from "../../src/relay/auth/tokens.ts";
import { RELAY_LIMITS } from "../../src/relay/limits/limits.ts";
import type { Relay, RelayOptions } from "../../src/relay/node/relay.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { until } from "../support/processes.ts";
import { aRelay, atEnd, folder, hostOf } from "./support.ts";

/** A relay with tokens for services. */
async function withToken(
  about: Partial<TokenEntry> = {},
  options: Partial<RelayOptions> = {},
): Promise<{ relay: Relay; token: string; authority: StaticAuthority }> {
  const { token, entry } = newToken({ label: "test", kinds: ["room", "http", "tcp"], ...about }, Date.now());
  const authority = new StaticAuthority([entry], systemClock);
  const relay = await aRelay({ authority, domain: "tunnel.test", state: folder(), ...options });
  return { relay, token, authority };
}

async function service(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly response: IncomingMessage;
}

function visit(
  port: number,
  host: string,
  options: {
    path?: string;
    method?: string;
    headers?: Record<string, string | string[]>;
    body?: Buffer | string;
  } = {},
): Promise<Answer> {
  const { path = "/", method = "GET", headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port, path, method, agent: false, headers: { Host: host, ...headers } },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (chunk: Buffer) => parts.push(chunk));
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString(), response }),
        );
        response.once("error", reject);
      },
    );
    asked.once("error", reject);
    asked.end(body);
  });
}

/** Bytes as they are, and all that comes back until the connection ends or `until` is there. */
function raw(port: number, text: string, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    let heard = "";
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (until !== undefined && heard.includes(until)) socket.destroy();
    });
    socket.once("error", reject).once("close", () => resolve(heard));
  });
}

const http = (subdomain?: string, label = "port-1") => ({ kind: "http", label, subdomain }) as const;

describe("an HTTP service at a relay", () => {
  it("is at NAME.DOMAIN with all that the visitor sent, field for field, and the visitor's address", async () => {
    const { relay, token } = await withToken();
    const seen: IncomingMessage[] = [];
    const port = await service((incoming, response) => {
      seen.push(incoming);
      incoming.resume().once("end", () => {
        response.writeHead(201, "Made", ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Case", "\u00e9"]);
        response.end(Buffer.from("hello"));
      });
    });
    const tunnel = await hostOf(relay, { token })(port, http("demo"));
    expect(tunnel.url).toBe(`ws://demo.tunnel.test:${relay.port}`);
    const answer = await visit(relay.port, `demo.tunnel.test:${relay.port}`, {
      path: "/a%2f//..;x?b=%20",
      method: "POST",
      headers: { "X-Twice": ["1", "2"], "Tunnel-Source": "203.0.113.9", Connection: "X-Gone", "X-Gone": "1" },
      body: "body",
    });
    expect(answer).toMatchObject({ status: 201, body: "hello" });
    expect(answer.response.statusMessage).toBe("Made");
    expect(answer.response.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(answer.response.headers["x-case"]).toBe("\u00e9");
    expect(answer.response.headers["x-robots-tag"]).toBe("noindex");
    const [first] = seen;
    expect(first?.url).toBe("/a%2f//..;x?b=%20");
    expect(first?.headers.host).toBe(`demo.tunnel.test:${relay.port}`);
    expect(first?.rawHeaders.filter((_, at, all) => all[at - 1] === "X-Twice")).toEqual(["1", "2"]);
    expect(first?.headers["tunnel-source"]).toBe("127.0.0.1");
    expect(first?.headers["x-gone"]).toBeUndefined();
    expect(first?.headers.via).toMatch(/^1\.1 relay-[0-9a-f]{12}$/);
  });

  it("has bytes above 0x7f in fields passed as they came, both ways, with a body and without", async () => {
    const { relay, token } = await withToken();
    const port = await service((incoming, response) => {
      const word = String(incoming.headers["x-word"]);
      response.writeHead(200, ["X-Hex", Buffer.from(word, "latin1").toString("hex"), "X-Word", word]);
      incoming.resume().once("end", () => response.end(Buffer.from(incoming.method === "GET" ? "" : "body")));
    });
    await hostOf(relay, { token })(port, http("demo"));
    const head = `Host: demo.tunnel.test:${relay.port}\r\nConnection: close\r\nX-Word: \u00e9\u00ff\u0080\r\n`;
    for (const text of [
      `GET / HTTP/1.1\r\n${head}\r\n`,
      `POST / HTTP/1.1\r\n${head}Content-Length: 2\r\n\r\n\u00c3\u00a9`,
    ]) {
      const heard = await raw(relay.port, text);
      expect(heard).toContain("X-Hex: e9ff80\r\n");
      expect(heard).toContain("X-Word: \u00e9\u00ff\u0080\r\n");
    }
  });

  it("streams both ways: an event comes before the next is made, and an upload is read as it is sent", async () => {
    const { relay, token } = await withToken();
    let finish: () => void = () => undefined;
    let received = 0;
    const port = await service((incoming, response) => {
      incoming.on("data", (chunk: Buffer) => (received += chunk.length));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      finish = () => response.end("data: 2\n\n");
    });
    await hostOf(relay, { token })(port, http("demo"));
    const heard: string[] = [];
    const asked = request({
      host: "127.0.0.1",
      port: relay.port,
      method: "POST",
      agent: false,
      headers: { Host: "demo.tunnel.test", "Transfer-Encoding": "chunked" },
    });
    const done = new Promise<void>((resolve) =>
      asked.once("response", (response) => {
        response.on("data", (chunk: Buffer) => heard.push(chunk.toString())).once("end", resolve);
      }),
    );
    asked.write("first");
    await until("the first part is there", () => received === 5 && heard.join("") === "data: 1\n\n");
    asked.end("second");
    await until("the second part is there", () => received === 11);
    finish();
    await done;
    expect(heard.join("")).toBe("data: 1\n\ndata: 2\n\n");
  });

  it("passes interim responses, trailers, HEAD and 304 as they are", async () => {
    const { relay, token } = await withToken();
    const port = await service((incoming, response) => {
      if (incoming.url === "/head") return void response.writeHead(200, { "content-length": "77" }).end();
      if (incoming.url === "/304") return void response.writeHead(304, { etag: '"x"' }).end();
      response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      response.writeHead(200, { trailer: "X-Sum", "transfer-encoding": "chunked" });
      response.write("body");
      response.addTrailers({ "X-Sum": "abc" });
      response.end();
    });
    await hostOf(relay, { token })(port, http("demo"));
    const head = "Host: demo.tunnel.test\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n";
    const whole = await raw(relay.port, `GET / HTTP/1.1\r\n${head}`);
    expect(whole).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload\r\n/i);
    expect(whole).toContain("\r\n4\r\nbody\r\n0\r\nX-Sum: abc\r\n\r\n");
    expect(
      (await visit(relay.port, "demo.tunnel.test", { path: "/head", method: "HEAD" })).response.headers[
        "content-length"
      ],
    ).toBe("77");
    expect((await visit(relay.port, "demo.tunnel.test", { path: "/304" })).status).toBe(304);
  });

  it("passes Expect: 100-continue on, and the service decides", async () => {
    const { relay, token } = await withToken();
    const port = await service(() => undefined);
    // Node's server says 100 by itself where nobody listens for it.
    const decided = createServer();
    decided.on("checkContinue", (incoming: IncomingMessage, response) => {
      if (incoming.url === "/no") return void response.writeHead(417).end();
      response.writeContinue();
      incoming.resume().once("end", () => response.end("taken"));
    });
    await new Promise<void>((resolve) => decided.listen(0, "127.0.0.1", resolve));
    atEnd(() => decided.close());
    const address = decided.address();
    await hostOf(relay, { token })(
      typeof address === "object" && address !== null ? address.port : port,
      http("demo"),
    );
    const head =
      "Host: demo.tunnel.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
    expect(await raw(relay.port, `POST /no HTTP/1.1\r\n${head}`)).toMatch(/^HTTP\/1\.1 417 /);
    const socket = connect(relay.port, "127.0.0.1", () => socket.write(`POST /yes HTTP/1.1\r\n${head}`));
    let heard = "";
    socket.on("data", (chunk: Buffer) => {
      if (heard === "") socket.write("body");
      heard += chunk.toString();
    });
    await new Promise((resolve) => socket.once("close", resolve));
    expect(heard).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*taken/);
  });

  it("carries WebSockets with their subprotocol, and ends them with their host", async () => {
    const { relay, token } = await withToken();
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "chat" });
    await new Promise((resolve) => server.once("listening", resolve));
    atEnd(() => server.close());
    server.on("connection", (socket) =>
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })),
    );
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    const tunnel = await hostOf(relay, { token })(address.port, http("demo"));
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/live`, ["chat"], {
      headers: { Host: "demo.tunnel.test" },
    });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    expect(socket.protocol).toBe("chat");
    const big = Buffer.alloc(300_000, 7);
    socket.send(big);
    const back = await new Promise<Buffer>((resolve) =>
      socket.once("message", (data: Buffer) => resolve(data)),
    );
    expect(back.equals(big)).toBe(true);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await tunnel.stop();
    await closed;
  });

  it("serves requests for different names on one connection, each by its own host", async () => {
    const { relay, token } = await withToken();
    const open = hostOf(relay, { token });
    const [a, b] = await Promise.all(
      ["a", "b"].map((word) => service((_, response) => void response.end(`I am ${word}`))),
    );
    await open(a ?? 0, http("aaa", "a"));
    await open(b ?? 0, http("bbb", "b"));
    const one = (name: string, close = ""): string =>
      `GET / HTTP/1.1\r\nHost: ${name}.tunnel.test\r\n${close}\r\n`;
    const heard = await raw(relay.port, one("aaa") + one("bbb") + one("aaa", "Connection: close\r\n"));
    expect([...heard.matchAll(/I am (\w)/g)].map(([, word]) => word)).toEqual(["a", "b", "a"]);
  });

  it("never lets a name be read two ways, nor anything but the whole suffix count", async () => {
    const { relay, token } = await withToken();
    const port = await service((_, response) => void response.end("secret"));
    await hostOf(relay, { token })(port, http("demo"));
    const ask = (lines: string): Promise<string> =>
      raw(relay.port, `GET / HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`);
    expect(await ask("Host: demo.tunnel.test\r\n")).toContain("secret");
    expect(await ask("Host: DEMO.Tunnel.Test.\r\n")).toMatch(/^HTTP\/1\.1 (200|421)/);
    for (const host of [
      "demo.evil.test",
      "demo",
      "demo.tunnel.test.evil",
      "x.demo.tunnel.test",
      "tunnel.test",
      "demo.tunnel.tes",
    ]) {
      const heard = await ask(`Host: ${host}\r\n`);
      expect(heard, host).toMatch(/^HTTP\/1\.1 (404|400)/);
      expect(heard, host).not.toContain("secret");
    }
    expect(await ask("Host: demo.tunnel.test\r\nHost: other.tunnel.test\r\n")).toMatch(/^HTTP\/1\.1 400/);
    expect(await ask("")).toMatch(/^HTTP\/1\.1 400/);
    const smuggled = "Host: demo.tunnel.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    expect(await ask(smuggled)).toMatch(/^HTTP\/1\.1 400/);
    expect(await ask("Host: demo.tunnel.test\r\nTransfer-Encoding: gzip, chunked\r\n")).toMatch(
      /^HTTP\/1\.1 (400|501)/,
    );
  });

  it("says the same of a name that never was and one that was given up: 404; and 503 of one whose host is away", async () => {
    const quick = { ...RELAY_LIMITS, forgetfulMs: 0, held: { ...RELAY_LIMITS.held, ms: 200 } };
    const { relay, token } = await withToken({}, { limits: quick });
    const port = await service((_, response) => void response.end("here"));
    const tunnel = await hostOf(relay, { token })(port, http("demo"));
    const never = await visit(relay.port, "never.tunnel.test");
    expect(never.status).toBe(404);
    expect(never.response.headers["x-tunnel-answer"]).toBe("no-such-name");
    relay.hosts.get({ kind: "http", name: "demo" })?.close("too-many", 1_500);
    await until("it is away", () => tunnel.health().state === "degraded");
    const away = await visit(relay.port, "demo.tunnel.test");
    expect(away.status).toBe(503);
    expect(away.response.headers["retry-after"]).toBe("2");
    await until("it is back", async () => (await visit(relay.port, "demo.tunnel.test")).body === "here");
    await tunnel.stop();
    await until("it is given up", async () => (await visit(relay.port, "demo.tunnel.test")).status === 404);
    expect((await visit(relay.port, "demo.tunnel.test")).body).toBe(never.body);
  });

  it("tells a cut response from a whole one, and the host of a visitor who has left", async () => {
    const { relay, token } = await withToken();
    let isLeft = false;
    const port = await service((incoming, response) => {
      response.write("part");
      if (incoming.url === "/cut") setTimeout(() => response.destroy(), 50);
      response.once("close", () => (isLeft = true));
    });
    await hostOf(relay, { token })(port, http("demo"));
    await expect(visit(relay.port, "demo.tunnel.test", { path: "/cut" })).rejects.toMatchObject({
      code: "ECONNRESET",
    });
    isLeft = false;
    const asked = request({
      host: "127.0.0.1",
      port: relay.port,
      agent: false,
      headers: { Host: "demo.tunnel.test" },
    });
    asked.on("error", () => undefined);
    asked.once("response", (response) => response.once("data", () => asked.destroy()));
    asked.end();
    await until("the host has heard", () => isLeft);
  });

  it("answers 502 where the service behind the host is not there", async () => {
    const { relay, token } = await withToken();
    await hostOf(relay, { token })(1, http("demo"));
    expect((await visit(relay.port, "demo.tunnel.test")).status).toBe(502);
  });

  it("bounds bodies as the token says, before and while they come", async () => {
    const { relay, token } = await withToken({ limits: { requestBytes: 1_000, responseBytes: 2_000 } });
    const port = await service((incoming, response) => {
      incoming.resume();
      if (incoming.url === "/long") return void response.end(Buffer.alloc(3_000));
      if (incoming.url === "/drip") {
        response.write(Buffer.alloc(1_500));
        return void setTimeout(() => response.end(Buffer.alloc(1_500)), 50);
      }
      incoming.once("end", () => response.end("ok"));
    });
    await hostOf(relay, { token })(port, http("demo"));
    const ask = (path: string, body?: Buffer, headers = {}) =>
      visit(relay.port, "demo.tunnel.test", {
        path,
        method: "POST",
        ...(body === undefined ? {} : { body }),
        headers,
      });
    expect((await ask("/", Buffer.alloc(1_000))).status).toBe(200);
    expect((await ask("/", Buffer.alloc(1_001))).status).toBe(413);
    expect((await ask("/", Buffer.alloc(5_000), { "Transfer-Encoding": "chunked" })).status).toBe(413);
    expect((await ask("/long")).status).toBe(502);
    await expect(ask("/drip")).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("lets other requests of the tunnel go on while one visitor does not read", async () => {
    const { relay, token } = await withToken({ limits: { responseBytes: 0 } });
    const port = await service((incoming, response) => {
      if (incoming.url !== "/flood") return void response.end("quick");
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", more);
      more();
    });
    await hostOf(relay, { token })(port, http("demo"));
    const slow = connect(relay.port, "127.0.0.1", () =>
      slow.write("GET /flood HTTP/1.1\r\nHost: demo.tunnel.test\r\n\r\n"),
    );
    slow.pause();
    atEnd(() => slow.destroy());
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let at = 0; at < 20; at += 1)
      expect((await visit(relay.port, "demo.tunnel.test")).body).toBe("quick");
  });
});

describe("a name", () => {
  const port = 1;

  it("needs a token, and one that allows it", async () => {
    const open = await aRelay({ domain: "tunnel.test" });
    await expect(hostOf(open)(port, http("demo"))).rejects.toMatchObject({
      code: "relay-token",
      detail: "token-missing",
    });
    const { relay, token } = await withToken({ names: ["pr-*", "exact"] });
    await expect(hostOf(relay, { token: "tmr_wrong" })(port, http("pr-1"))).rejects.toMatchObject({
      code: "relay-token",
    });
    const host = hostOf(relay, { token });
    await expect(host(port, http("other"))).rejects.toMatchObject({
      code: "relay-name",
      detail: "name-not-allowed",
    });
    await expect(host(port, http("xn--pr"))).rejects.toMatchObject({ detail: "name-invalid" });
    await expect(host(port, http("-pr"))).rejects.toMatchObject({ detail: "name-invalid" });
    expect((await host(port, http("pr-1"))).url).toContain("//pr-1.tunnel.test");
    expect((await host(port, http("exact"))).url).toContain("//exact.tunnel.test");
    const all = await withToken();
    await expect(hostOf(all.relay, { token: all.token })(port, http("www"))).rejects.toMatchObject({
      detail: "name-reserved",
    });
  });

  it("is random without a wish, and the same again for the same service of the same project", async () => {
    const { relay, token } = await withToken();
    const home = folder();
    const first = await hostOf(relay, { token, home })(port, http(undefined, "port-3000"));
    const other = await hostOf(relay, { token, home })(port, http(undefined, "port-4000"));
    expect(first.url).toMatch(/\/\/k[0-9a-f]{20}\.tunnel\.test:/);
    expect(other.url).not.toBe(first.url);
    await first.stop();
    const again = await hostOf(relay, { token, home })(port, http(undefined, "port-3000"));
    expect(again.url).toBe(first.url);
  });

  it("stays its key's over a restart of the relay with a memory, whoever comes first", async () => {
    const state = folder();
    const { relay, token, authority } = await withToken({}, { state });
    const tunnel = await hostOf(relay, { token })(port, http("demo"));
    await tunnel.stop();
    await relay.close();
    const second = await aRelay({ authority, domain: "tunnel.test", state, port: relay.port });
    await expect(hostOf(second, { token })(port, http("demo"))).rejects.toMatchObject({
      detail: "name-taken",
    });
  });

  it("is one of so many that a token may hold, those of services that have ended included, over a restart, too", async () => {
    const state = folder();
    const { relay, token, authority } = await withToken({ limits: { names: 2 } }, { state });
    const [home, elsewhere] = [folder(), folder()];
    for (const name of ["one", "two"]) await (await hostOf(relay, { token, home })(port, http(name))).stop();
    const third = (at: Relay): Promise<unknown> =>
      hostOf(at, { token, home: elsewhere })(port, http("three"));
    await expect(third(relay)).rejects.toMatchObject({ code: "relay-names", detail: "names-used-up" });
    // What is its own goes on, and a name made of a key is none that anybody else could want.
    await hostOf(relay, { token, home })(port, http("two"));
    await hostOf(relay, { token, home })(port, http(undefined, "port-1"));
    await relay.close();
    const second = await aRelay({ authority, domain: "tunnel.test", state });
    await expect(third(second)).rejects.toMatchObject({ detail: "names-used-up" });
    // Another token has places of its own.
    const other = newToken({ label: "other" }, Date.now());
    authority.replace([...authority.tokens, other.entry]);
    const tunnel = await hostOf(second, { token: other.token, home: elsewhere })(port, http("three"));
    expect(tunnel.url).toMatch(/\/\/three\.tunnel\.test:/);
  });

  it("is made of its key where the relay has no memory, and the result says so", async () => {
    const { relay, token } = await withToken({}, { state: undefined });
    const home = folder();
    const tunnel = await hostOf(relay, { token, home })(port, http("demo"));
    expect(tunnel.url).toMatch(/\/\/k[0-9a-f]{20}\.tunnel\.test:/);
    expect(tunnel.description).toContain("keeps no names");
  });

  it("moves to the newest process with its key; the old one is told, stays away, and its end touches nothing", async () => {
    const { relay, token } = await withToken();
    const home = folder();
    const [one, two] = await Promise.all(
      ["one", "two"].map((word) => service((_, response) => void response.end(word))),
    );
    const first = await hostOf(relay, { token, home })(one ?? 0, http("demo"));
    const second = await hostOf(relay, { token, home })(two ?? 0, http("demo"));
    const lost = await new Promise((resolve) => first.onDown(resolve));
    expect(lost).toMatchObject({ code: "relay-evicted" });
    expect((await visit(relay.port, "demo.tunnel.test")).body).toBe("two");
    await first.stop();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await visit(relay.port, "demo.tunnel.test")).body).toBe("two");
    expect(second.health().state).toBe("up");
  });

  it("is closed when its token is revoked", async () => {
    const { relay, token, authority } = await withToken();
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise((resolve) => server.once("listening", resolve));
    atEnd(() => server.close());
    const address = server.address();
    const tunnel = await hostOf(relay, { token })(
      typeof address === "object" && address !== null ? address.port : 0,
      http("demo"),
    );
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/`, { headers: { Host: "demo.tunnel.test" } });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    authority.replace([]);
    const lost = await new Promise((resolve) => tunnel.onDown(resolve));
    expect(lost).toMatchObject({ code: "relay-token", detail: "token-invalid" });
    // Who is there does not stay there either.
    await closed;
  });
});
