import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Access, type AccessOptions } from "../../src/expose/access/access.ts";
import { parseOpenPath } from "../../src/expose/access/open-paths.ts";
import { openGateway } from "../../src/expose/gateway/gateway.ts";
import type { RecordedRequest, Recorder, Recording } from "../../src/expose/recorder.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** The sockets of these tests get their data as one buffer. */
const textOf = (data: unknown): string => (data instanceof Buffer ? data.toString() : "no buffer");

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly rawHeaders: readonly string[];
}

const NO_RECORDING: Recording = {
  requestChunk: () => undefined,
  responseHead: () => undefined,
  responseChunk: () => undefined,
  trailers: () => undefined,
  upgraded: () => undefined,
  end: () => undefined,
};

/** A service behind the gate and the gateway, and what reached it. */
async function exposed(
  options: Partial<Omit<AccessOptions, "openPaths">> & { readonly openPaths?: readonly string[] } = {},
  listener: RequestListener = (_, response) => void response.end("service"),
) {
  const seen: Seen[] = [];
  const recorded: RecordedRequest[] = [];
  const service = createServer((request, response) => {
    seen.push({ method: request.method, url: request.url, rawHeaders: request.rawHeaders });
    listener(request, response);
  });
  const sockets = new WebSocketServer({ server: service });
  sockets.on("connection", (socket, request) => {
    seen.push({ method: request.method, url: request.url, rawHeaders: request.rawHeaders });
    socket.on("message", (data) => socket.send(data));
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const { port } = service.address() as AddressInfo;
  const { openPaths = [], ...own } = options;
  const access = new Access({
    kinds: ["claim", "token"],
    claims: 1,
    name: "trial",
    lastsMs: 3_600_000,
    clock: systemClock,
    primitives: nodePrimitives,
    ...own,
    openPaths: openPaths.map(parseOpenPath),
  });
  const recorder: Recorder = {
    begin(request) {
      recorded.push(request);
      return NO_RECORDING;
    },
  };
  const gateway = await openGateway({
    bind: "127.0.0.1",
    port: 0,
    gate: access.gate,
    upstream: () => ({ scheme: "http", address: "127.0.0.1", port, host: `localhost:${port}` }),
    recorder,
    proof: { path: "/.tunnel/proof/x", answer: "x" },
    sourceHeader: undefined,
    hostHeader: undefined,
    pseudonym: "trial",
    clock: systemClock,
  });
  const origin = new URL(`http://127.0.0.1:${gateway.port}`);
  access.publish(origin);
  gateway.publish(origin);
  endings.push(async () => {
    sockets.close();
    service.closeAllConnections();
    service.close();
    await gateway.close();
  });
  return { access, gateway, origin: origin.origin, seen, recorded };
}

/** By node:http, which sends a target and fields as they are. */
function ask(
  origin: string,
  {
    method = "GET",
    path = "/",
    headers = {},
    body,
  }: { method?: string; path?: string; headers?: Record<string, string>; body?: string },
): Promise<{ response: IncomingMessage; text: string }> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers }, (response) => {
      let text = "";
      response
        .on("data", (chunk: Buffer) => (text += chunk.toString()))
        .on("end", () => resolve({ response, text }));
    });
    request.on("error", reject).end(body);
  });
}

describe("through the gateway", () => {
  it("a person claims, and the service sees neither cookie nor claim", async () => {
    const { access, origin, seen, recorded } = await exposed();
    const [link] = access.waysIn().claim?.links ?? [];
    const { pathname, hash } = new URL(link?.url ?? "");
    expect((await fetch(origin + pathname)).status).toBe(200);
    const body = new URLSearchParams({ claim: hash.slice(1) });
    const claimed = await fetch(origin + pathname, { method: "POST", body, redirect: "manual" });
    expect([claimed.status, claimed.headers.get("location"), claimed.headers.get("x-tunnel-answer")]).toEqual(
      [303, "/", "claimed"],
    );
    const [cookie = ""] = (claimed.headers.get("set-cookie") ?? "").split(";");
    expect((await fetch(origin + pathname, { method: "POST", body, redirect: "manual" })).status).toBe(403);
    const page = await fetch(`${origin}/a`, { headers: { cookie: `x=1; ${cookie}` } });
    expect(await page.text()).toBe("service");
    expect(seen).toHaveLength(1);
    expect(seen[0]?.rawHeaders).toContain("x=1");
    const told = JSON.stringify([seen, recorded]);
    for (const secret of [hash.slice(1), cookie.split("=")[1] ?? ""]) expect(told).not.toContain(secret);
  });

  it("what is refused is recorded without its credentials", async () => {
    const { access, origin, recorded } = await exposed({
      kinds: ["claim", "token", "prefix"],
      openPaths: ["GET /images/*"],
    });
    const { token, prefix } = access.waysIn();
    const { pathname } = new URL(prefix?.url ?? "");
    const { response } = await ask(origin, {
      path: `${pathname}admin`,
      headers: { "X-Tunnel-Token": token?.value ?? "" },
    });
    expect(response.statusCode).toBe(403);
    const refused = await ask(origin, { path: "/", headers: { "X-Tunnel-Token": `${token?.value}x` } });
    expect(refused.response.statusCode).toBe(401);
    const told = JSON.stringify(recorded);
    expect(recorded).toHaveLength(2);
    expect(told).not.toContain(token?.value);
    expect(told).not.toContain(pathname.slice(11, -1));
  });

  it("a fetcher is redirected below the prefix, and the service does not see it", async () => {
    const { access, origin, seen } = await exposed({ kinds: ["prefix"] }, (request, response) => {
      if (request.url === "/old")
        response.writeHead(302, { location: `http://${request.headers.host}/new?x=1` }).end();
      else response.end(`at ${request.url}`);
    });
    const url = access.waysIn().prefix?.url ?? "";
    const followed = await fetch(`${url}old`, { headers: { referer: `${url}page` } });
    expect(await followed.text()).toBe("at /new?x=1");
    expect(followed.url).toBe(`${url}new?x=1`);
    expect(followed.headers.get("referrer-policy")).toBe("same-origin");
    expect(JSON.stringify(seen)).not.toContain(new URL(url).pathname.slice(11, -1));
    expect((await fetch(`${url}old`, { method: "POST" })).status).toBe(405);
    expect(origin).toBe(new URL(url).origin);
  });

  it("a WebSocket passes with a credential, and from no other site", async () => {
    const { access, origin, seen } = await exposed();
    const headers = { "X-Tunnel-Token": access.waysIn().token?.value ?? "" };
    const url = origin.replace("http", "ws");
    const echoed = await new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { headers, origin });
      socket
        .on("open", () => socket.send("hi"))
        .on("message", (data) => {
          resolve(textOf(data));
          socket.close();
        })
        .on("error", reject);
    });
    expect(echoed).toBe("hi");
    expect(JSON.stringify(seen)).not.toContain(headers["X-Tunnel-Token"]);
    const status = (more: object): Promise<unknown> =>
      new Promise((resolve) => {
        const socket = new WebSocket(url, more);
        socket
          .on("unexpected-response", (_, response) => {
            resolve(response.statusCode);
            socket.terminate();
          })
          .on("open", () => resolve("open"))
          .on("error", () => undefined);
      });
    expect(await status({ headers, origin: "https://evil.example" })).toBe(403);
    expect(await status({})).toBe(401);
  });

  it("a claim that is revoked ends the socket that is open, and no other", async () => {
    const { access, gateway, origin } = await exposed({ claims: 2 });
    const cookies: string[] = [];
    for (const { url } of access.waysIn().claim?.links ?? []) {
      const body = new URLSearchParams({ claim: new URL(url).hash.slice(1) });
      const { headers } = await fetch(`${origin}/.tunnel/claim`, {
        method: "POST",
        body,
        redirect: "manual",
      });
      cookies.push((headers.get("set-cookie") ?? "").split(";")[0] ?? "");
    }
    const closed: number[] = [];
    const sockets = cookies.map((cookie, index) => {
      const socket = new WebSocket(origin.replace("http", "ws"), { headers: { cookie } });
      return socket.on("close", () => closed.push(index));
    });
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("open", resolve))));
    const [first] = access.claims();
    access.revoke(first?.id ?? "");
    gateway.cut(first?.id ?? "");
    await new Promise((resolve) => sockets[0]?.once("close", resolve));
    const echoed = new Promise((resolve) => sockets[1]?.once("message", (data) => resolve(textOf(data))));
    sockets[1]?.send("still in");
    expect(await echoed).toBe("still in");
    expect(closed).toEqual([0]);
    for (const socket of sockets) socket.terminate();
  });

  it("an open path takes a webhook byte for byte, and nothing beside it", async () => {
    const bodies: string[] = [];
    const { origin, seen } = await exposed({ openPaths: ["POST /hooks/*"] }, (request, response) => {
      request
        .on("data", (chunk: Buffer) => bodies.push(chunk.toString("latin1")))
        .on("end", () => response.end("ok"));
    });
    const sent = await ask(origin, {
      method: "POST",
      path: "/hooks/a%2Fb?x=%zz",
      headers: { authorization: "Bearer own" },
      body: '{ "a":1 }\n',
    });
    expect([sent.response.statusCode, bodies.join("")]).toEqual([200, '{ "a":1 }\n']);
    expect(seen[0]).toMatchObject({ method: "POST", url: "/hooks/a%2Fb?x=%zz" });
    expect(seen[0]?.rawHeaders).toContain("Bearer own");
    for (const path of ["/hooks/../admin", "/hooks/%2e%2e/admin", "/hooks/..;/admin", "/hooks", "/"])
      expect((await ask(origin, { method: "POST", path })).response.statusCode).toBe(401);
    expect(seen).toHaveLength(1);
  });

  it("a preflight reaches the service on any path, and its answer the page", async () => {
    const { origin, seen } = await exposed(
      {},
      (_, response) => void response.writeHead(204, { "access-control-allow-origin": "*" }).end(),
    );
    const headers = {
      origin: "https://app.example",
      "access-control-request-method": "PUT",
      cookie: "tunnel-access-00000000=x",
    };
    const { response } = await ask(origin, { method: "OPTIONS", path: "/api", headers });
    expect([response.statusCode, response.headers["access-control-allow-origin"]]).toEqual([204, "*"]);
    expect(JSON.stringify(seen)).not.toContain("tunnel-access");
  });
});
