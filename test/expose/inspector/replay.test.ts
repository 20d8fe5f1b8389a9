import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createSocketServer, type AddressInfo, type Server } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { Inspector } from "../../../src/expose/inspector/inspector.ts";
import { replay, type Replayed } from "../../../src/expose/inspector/replay/replay.ts";
import type { ReplayInput } from "../../../src/expose/inspector/replay/input.ts";
import type { Upstream } from "../../../src/expose/upstream.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { rejection } from "../../support/rejection.ts";
import { report } from "./recorded.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if ("closeAllConnections" in server && typeof server.closeAllConnections === "function")
      server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function upstreamOf(server: Server): Promise<Upstream> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { scheme: "http", address: "127.0.0.1", port, host: `localhost:${port}` };
}

const service = (listener: RequestListener): Promise<Upstream> => upstreamOf(createServer(listener));

/** Answers whatever comes with these bytes, and closes. */
const raw = (answer: string): Promise<Upstream> =>
  upstreamOf(
    createSocketServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(answer));
    }),
  );

const inspectorWith = (): Inspector => new Inspector({ clock: systemClock, keepsBodies: true });
const limits = { timeMs: 5_000, responseBytes: 1024 ** 2 };

function again(
  inspector: Inspector,
  upstream: Upstream,
  input: Partial<ReplayInput> = {},
  more: { readonly signal?: AbortSignal; readonly timeMs?: number } = {},
): Promise<Replayed> {
  const { signal = new AbortController().signal, timeMs = limits.timeMs } = more;
  return replay(
    { id: 1, ...input },
    { inspector, upstream, clock: systemClock, signal, limits: { ...limits, timeMs } },
  );
}

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

async function seenIn(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return {
    method: request.method,
    url: request.url,
    rawHeaders: request.rawHeaders,
    body: Buffer.concat(chunks),
  };
}

/** A service that takes down what comes. */
async function recording(): Promise<{ upstream: Upstream; seen: Seen[] }> {
  const seen: Seen[] = [];
  const upstream = await service((request, response) => {
    void seenIn(request).then((one) => {
      seen.push(one);
      return response.end("ok");
    });
  });
  return { upstream, seen };
}

describe("a webhook that failed", () => {
  const SECRET = "whsec";
  const payload = Buffer.from([
    ...Buffer.from('{"amount": 10.0 ,"name":"'),
    0xff,
    0xfe,
    ...Buffer.from('"}\r\n'),
  ]);
  const signature = createHmac("sha256", SECRET).update(payload).digest("hex");

  it("is replayed byte for byte, so that its signature verifies, and the difference shows that it passes now", async () => {
    const inspector = inspectorWith();
    report(inspector, {
      request: {
        method: "POST",
        target: "/hooks//pay%2f?a=1&a=2",
        fields: [
          "Host",
          "app.example",
          "Content-Type",
          "application/json",
          "Content-Length",
          String(payload.length),
          "X-Signature",
          signature,
        ],
      },
      body: payload,
      status: 500,
      fields: ["Content-Type", "application/json"],
      answer: '{"ok":false,"error":"boom"}',
    });
    const upstream = await service((request, response) => {
      void seenIn(request).then(({ body, url }) => {
        const own = createHmac("sha256", SECRET).update(body).digest();
        const isTrue = timingSafeEqual(own, Buffer.from(String(request.headers["x-signature"]), "hex"));
        response.writeHead(isTrue ? 200 : 401, { "content-type": "application/json" });
        return response.end(JSON.stringify({ ok: isTrue, url }));
      });
    });
    const { original, replay: second, difference } = await again(inspector, upstream);
    expect(original.id).toBe(1);
    expect(second).toMatchObject({
      id: 2,
      decided: { replayOf: 1 },
      source: undefined,
      end: { how: "complete" },
    });
    expect(difference.status).toEqual({ before: 500, after: 200 });
    expect(difference.body).toEqual({
      kind: "json",
      more: false,
      changes: [
        { pointer: "/ok", before: "false", after: "true" },
        { pointer: "/error", before: '"boom"', after: undefined },
        { pointer: "/url", before: undefined, after: '"/hooks//pay%2f?a=1&a=2"' },
      ],
    });
    expect(inspector.get(2)).toBe(second);
    expect(inspector.total).toBe(1);
  });
});

describe("what a replay sends", () => {
  it("makes Host, framing and hop-by-hop fields anew, and keeps the rest as it stood", async () => {
    const { upstream, seen } = await recording();
    const inspector = inspectorWith();
    report(inspector, {
      request: {
        method: "PUT",
        target: "/a",
        fields: [
          "Host",
          "app.example",
          "Connection",
          "keep-alive, X-Drop",
          "X-Drop",
          "1",
          "TE",
          "trailers",
          "Transfer-Encoding",
          "chunked",
          "Trailer",
          "X-T",
          "Expect",
          "100-continue",
          "Keep-Alive",
          "timeout=5",
          "X-Forwarded-For",
          "6.6.6.6",
          "Forwarded",
          "for=6.6.6.6",
          "X-Twice",
          "1",
          "x-TWICE",
          "2",
          "X-Latin",
          "caf\u00e9",
          "Cookie",
          "a=1",
        ],
      },
      body: "body",
    });
    await again(inspector, { ...upstream, secretField: ["X-Folder", "s3cret"] });
    expect(seen[0]).toMatchObject({ method: "PUT", url: "/a", body: Buffer.from("body") });
    expect(seen[0]?.rawHeaders).toEqual([
      "Host",
      upstream.host,
      "X-Twice",
      "1",
      "x-TWICE",
      "2",
      "X-Latin",
      "caf\u00e9",
      "Cookie",
      "a=1",
      "X-Folder",
      "s3cret",
      "Content-Length",
      "4",
      "Connection",
      "close",
    ]);
    expect(JSON.stringify(inspector.get(2).request.fields)).not.toContain("s3cret");
  });

  it("takes method, path, headers and body that are given", async () => {
    const { upstream, seen } = await recording();
    const inspector = inspectorWith();
    report(inspector, {
      request: {
        method: "POST",
        target: "/a",
        fields: [
          "Content-Length",
          "3",
          "Content-Encoding",
          "gzip",
          "X-A",
          "1",
          "x-a",
          "2",
          "X-B",
          "3",
          "X-C",
          "4",
        ],
      },
      body: "old",
    });
    await again(inspector, upstream, {
      method: "PATCH",
      path: "//b/../c?x=%20",
      headers: { "x-a": "new", "X-B": null, "X-C": ["5", "6"], "X-D": " 7 " },
      body: "grün",
    });
    await again(inspector, upstream, {
      headers: [
        ["X-A", "p"],
        ["x-a", "q"],
        ["X-B", null],
      ],
      body: { base64: "AP8=" },
    });
    await again(inspector, upstream, { method: "GET" });
    await again(inspector, upstream, { body: null });
    expect(seen.map(({ method, url }) => [method, url])).toEqual([
      ["PATCH", "//b/../c?x=%20"],
      ["POST", "/a"],
      ["GET", "/a"],
      ["POST", "/a"],
    ]);
    const own = (at: number): string[] => (seen[at]?.rawHeaders ?? []).slice(2, -2);
    expect(own(0)).toEqual(["x-a", "new", "X-C", "5", "X-C", "6", "X-D", "7", "Content-Length", "5"]);
    expect(own(1)).toEqual(["X-A", "p", "X-A", "q", "X-C", "4", "Content-Length", "2"]);
    expect(own(2)).toEqual(["Content-Encoding", "gzip", "X-A", "1", "x-a", "2", "X-B", "3", "X-C", "4"]);
    expect(own(3)).toEqual(["X-A", "1", "x-a", "2", "X-B", "3", "X-C", "4", "Content-Length", "0"]);
    expect(seen.map(({ body }) => body.toString("hex"))).toEqual([
      Buffer.from("grün").toString("hex"),
      "00ff",
      "",
      "",
    ]);
  });

  it("does as the gateway does with fields, where it is told how", async () => {
    const { upstream, seen } = await recording();
    const inspector = inspectorWith();
    report(inspector, { request: { fields: ["Origin", "https://app.example"] } });
    await replay(
      { id: 1 },
      {
        inspector,
        upstream,
        clock: systemClock,
        signal: new AbortController().signal,
        rewrite: (fields) => [...fields.with(1, "http://localhost"), "X-Forwarded-Proto", "https"],
      },
    );
    expect(seen[0]?.rawHeaders.slice(2, -2)).toEqual([
      "Origin",
      "http://localhost",
      "X-Forwarded-Proto",
      "https",
    ]);
  });

  it.each([
    [{ path: "http://evil.example/" }, "begin with a /"],
    [{ path: "evil" }, "begin with a /"],
    [{ path: "" }, "begin with a /"],
    [{ path: "*" }, "begin with a /"],
    [{ path: "/a#b" }, "#"],
    [{ path: "/a b" }, "spaces"],
    [{ path: "/a\r\nX: y" }, "line breaks"],
    [{ path: "/grün" }, "escapes"],
    [{ path: `/${"a".repeat(20_000)}` }, "at most"],
    [{ method: "GET /x HTTP/1.1\r\nX:" }, "method"],
    [{ method: "" }, "method"],
    [{ method: "CONNECT" }, "CONNECT"],
    [{ method: "trace" }, "TRACE"],
    [{ headers: { Host: "evil.example" } }, "host"],
    [{ headers: { "content-length": "1" } }, "content-length"],
    [{ headers: { "Transfer-Encoding": "chunked" } }, "transfer-encoding"],
    [{ headers: { Connection: null } }, "connection"],
    [{ headers: { Upgrade: "websocket" } }, "upgrade"],
    [{ headers: { "X A": "1" } }, "names"],
    [{ headers: { "": "1" } }, "names"],
    [{ headers: { "X-A": "1\r\nX-B: 2" } }, "line breaks"],
    [{ headers: { "X-A": "1\0" } }, "line breaks"],
    [{ headers: { "X-A": "✓" } }, "Latin-1"],
    [{ headers: [["X-A\n", "1"]] as const }, "names"],
    [{ headers: { Cookie: "sid=[redacted 0123abcd]" } }, "redacted"],
    [{ path: "/cb?code=[redacted 0123abcd]" }, "redacted"],
    [{ body: { base64: "a" } }, "base64"],
    [{ body: "x".repeat(1024 ** 2 + 1) }, "at most"],
  ])("refuses %j, and sends nothing", async (input, detail) => {
    const { upstream, seen } = await recording();
    const inspector = inspectorWith();
    report(inspector);
    expect(await rejection(again(inspector, upstream, input))).toMatchObject({
      code: "input-invalid",
      detail: expect.stringContaining(detail),
    });
    expect(seen).toEqual([]);
    expect(inspector.list().requests).toHaveLength(1);
  });
});

describe("what cannot be replayed", () => {
  const big = new Uint8Array(70_000);
  const length = (bytes: number): readonly string[] => ["Content-Length", String(bytes)];

  it.each([
    [
      "a body that is not kept whole",
      { request: { method: "POST", fields: length(70_000) }, body: big },
      "65536 of 70000",
    ],
    [
      "a body that did not come whole",
      { request: { method: "POST", fields: length(9) }, body: "half" },
      "not come whole",
    ],
    [
      "a chunked body whose sender left",
      {
        request: { method: "POST", fields: ["Transfer-Encoding", "chunked"] },
        body: "half",
        end: "visitor-left",
      },
      "not come whole",
    ],
    [
      "one that the gate refused",
      { request: { decided: { refused: "no-access" } }, end: "own-answer" },
      "not let in",
    ],
    ["one that has no path", { request: { method: "OPTIONS", target: "*" } }, "no path"],
  ] as const)("%s", async (_, whole, detail) => {
    const { upstream, seen } = await recording();
    const inspector = inspectorWith();
    report(inspector, whole);
    expect(await rejection(again(inspector, upstream))).toMatchObject({
      code: "replay-impossible",
      detail: expect.stringContaining(detail),
    });
    expect(seen).toEqual([]);
  });

  it("a body that is not kept whole can be given", async () => {
    const { upstream, seen } = await recording();
    const inspector = inspectorWith();
    report(inspector, { request: { method: "POST", fields: length(70_000) }, body: big });
    await again(inspector, upstream, { body: "mine" });
    expect(seen[0]?.body.toString()).toBe("mine");
  });

  it("a WebSocket", async () => {
    const inspector = inspectorWith();
    const { upstream } = await recording();
    const socket = inspector.begin({
      method: "GET",
      target: "/",
      fields: ["Upgrade", "websocket"],
      source: { address: "::1" },
      decided: { way: "open", visitor: undefined },
    });
    socket.responseHead({ status: 101, reason: "", fields: [] });
    socket.upgraded();
    expect(await rejection(again(inspector, upstream))).toMatchObject({ code: "replay-impossible" });
  });

  it("one of which only metadata is kept, and one that is not there", async () => {
    const { upstream } = await recording();
    const inspector = new Inspector({ clock: systemClock, keepsBodies: false });
    report(inspector);
    expect(await rejection(again(inspector, upstream))).toMatchObject({ code: "replay-impossible" });
    expect(await rejection(again(inspector, upstream, { id: 9 }))).toMatchObject({ code: "request-unknown" });
  });
});

describe("what comes of a replay", () => {
  const recorded = (): Inspector => {
    const inspector = inspectorWith();
    report(inspector, { answer: "whole" });
    return inspector;
  };

  it("follows no redirect, and keeps interim responses and trailers", async () => {
    const upstream = await service((_, response) => {
      response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      response.writeHead(302, { location: "/elsewhere", trailer: "X-End" });
      response.write("moved");
      response.addTrailers({ "X-End": "1" });
      response.end();
    });
    const { replay: second } = await again(recorded(), upstream);
    expect(second).toMatchObject({
      interim: [103],
      response: { status: 302, trailers: ["X-End", "1"], body: { bytes: 5 } },
      end: { how: "complete" },
    });
  });

  it.each([
    ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ])("tells a truncated answer as one: %j", async (answer) => {
    const { replay: second, difference } = await again(recorded(), await raw(answer));
    expect(second.end).toMatchObject({ how: "service-cut" });
    expect(Buffer.from(second.response?.body.kept ?? []).toString()).toBe("half");
    expect(difference.isSame).toBe(false);
  });

  it.each([
    ["SSH-2.0-x\r\n", "no valid HTTP"],
    ["", "closed the connection"],
  ])("fails where the answer is %j", async (answer, detail) => {
    const inspector = recorded();
    expect(await rejection(again(inspector, await raw(answer)))).toMatchObject({
      code: "replay-failed",
      detail: expect.stringContaining(detail),
    });
    expect(inspector.get(2)).toMatchObject({ response: undefined, end: { how: "service-cut" } });
  });

  it("fails where nothing listens", async () => {
    const upstream = await service(() => undefined);
    const [server] = servers.splice(0);
    await new Promise((resolve) => server?.close(resolve));
    expect(await rejection(again(recorded(), upstream))).toMatchObject({
      code: "replay-failed",
      detail: "it refuses the connection",
    });
  });

  it("ends after its time: without a head it fails, and of a stream it keeps what came", async () => {
    const silent = await service(() => undefined);
    expect(await rejection(again(recorded(), silent, {}, { timeMs: 50 }))).toMatchObject({
      code: "replay-failed",
      detail: "no answer within 0.05 s",
    });
    const stream = await service((_, response) => response.write("data: 1\n\n"));
    const { replay: second } = await again(recorded(), stream, {}, { timeMs: 150 });
    expect(second).toMatchObject({
      response: { status: 200, body: { bytes: 9 } },
      end: { how: "limit", why: "time" },
    });
  });

  it("keeps 64 KiB of an answer, counts it, and stops at its limit", async () => {
    const large = await service((_, response) => response.end(Buffer.alloc(500_000)));
    const { replay: second } = await again(recorded(), large);
    expect(second.response?.body).toMatchObject({ bytes: 500_000, isCut: true });
    expect(second.response?.body.kept.length).toBe(64 * 1024);
    const endless = await service((_, response) => {
      const more = (): void => void (response.destroyed || response.write(Buffer.alloc(65_536), more));
      more();
    });
    const { replay: third } = await again(recorded(), endless);
    expect(third.end).toMatchObject({ how: "limit", why: "size" });
    expect(third.response?.body.bytes).toBeLessThan(3 * 1024 ** 2);
  });

  it("is cancelled at once, and hangs up", async () => {
    let isGone = false;
    const upstream = await service((request) => request.socket.on("close", () => (isGone = true)));
    const controller = new AbortController();
    const inspector = recorded();
    const running = rejection(again(inspector, upstream, {}, { signal: controller.signal }));
    await pause(50);
    controller.abort();
    expect(await running).toMatchObject({ code: "cancelled" });
    await pause(50);
    expect(isGone).toBe(true);
    expect(inspector.get(2)).toMatchObject({ end: { how: "visitor-left" } });
  });

  it("compares also where the ring forgets the original meanwhile", async () => {
    const { upstream } = await recording();
    const inspector = recorded();
    inspector.onRequest(({ event, exchange }) => {
      if (event === "began" && exchange.id === 2) inspector.clear();
    });
    const { difference } = await again(inspector, upstream);
    expect(difference).toMatchObject({ status: { before: 200, after: 200 }, body: { kind: "text" } });
  });
});
