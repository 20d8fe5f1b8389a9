import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Listening } from "../../src/services/taker/listener.ts";
import { until } from "../support/processes.ts";
import { later, room, share } from "./scene.ts";

/** An HTTP service with a WebSocket that says back what it hears. */
async function web(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, { headers }) => {
    socket.send(JSON.stringify({ origin: headers.origin, host: headers.host, cookie: headers.cookie }));
    socket.on("message", (message: Buffer) => socket.send(`echo ${message.toString()}`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  later(() => {
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

function ask(
  { host, port }: Pick<Listening, "host" | "port">,
  path: string,
  {
    method = "GET",
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
      response.once("error", reject);
    });
    request.once("error", reject);
    request.end(body);
  });
}

/** The cookie that the one-use address gives. */
async function enter(listening: Listening): Promise<string> {
  const { pathname } = new URL(listening.newUrl());
  const { status, headers } = await ask(listening, pathname);
  expect([status, headers.location]).toEqual([303, "/"]);
  return (headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "";
}

const seen: RequestListener = (request, response) => {
  const { method, url, headers } = request;
  response.setHeader("Set-Cookie", "theirs=1; HttpOnly");
  response.end(JSON.stringify({ method, url, headers }));
};

function tokenOf({ token }: Listening): Record<string, string> {
  return token === undefined ? {} : { [token.field]: token.value };
}

describe("an HTTP service of a member", () => {
  it("sees its own host and origin, who it is shown as, and nothing of the door", async () => {
    const { ana, ben } = await room(["ben"]);
    const target = await web(seen);
    const { listening } = await share(ana, ben, { target, kind: "http" });
    const { host, port } = listening;
    expect(host).toMatch(/^127\.\d+\.\d+\.\d+$/);
    expect(host).not.toBe("127.0.0.1");
    const origin = `http://${host}:${port}`;
    const cookie = await enter(listening);
    const headers = { Cookie: `${cookie}; mine=2`, Origin: origin, "Sec-Fetch-Site": "same-origin" };
    const answer = await ask(listening, "/a?b=%2f", { method: "POST", headers, body: "x" });
    expect(answer.status).toBe(200);
    expect(answer.headers["set-cookie"]).toEqual(["theirs=1; HttpOnly"]);
    const told = JSON.parse(answer.body) as { url: string; headers: Record<string, string> };
    expect(told.url).toBe("/a?b=%2f");
    expect(told.headers).toMatchObject({
      host: `localhost:${target}`,
      origin: `http://localhost:${target}`,
      cookie: "mine=2",
      "x-forwarded-host": `${host}:${port}`,
      "x-forwarded-proto": "http",
      "x-forwarded-for": "127.0.0.1",
    });
  });

  it("leads back to where its visitor came from, and to nowhere else", async () => {
    const { ana, ben } = await room(["ben"]);
    let target = 0;
    target = await web((request, response) => {
      const to = request.url === "/own" ? `http://localhost:${target}/next` : "https://elsewhere.example/";
      response.writeHead(302, { Location: to }).end();
    });
    const { listening } = await share(ana, ben, { target, kind: "http" });
    const headers = tokenOf(listening);
    expect((await ask(listening, "/own", { headers })).headers.location).toBe(
      `http://${listening.host}:${listening.port}/next`,
    );
    expect((await ask(listening, "/other", { headers })).headers.location).toBe("https://elsewhere.example/");
  });

  it("is closed to everybody without the address that works once, its cookie or the token", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, { target: await web(seen), kind: "http" });
    expect((await ask(listening, "/")).status).toBe(403);
    expect((await ask(listening, "/", { method: "OPTIONS" })).status).toBe(403);
    expect((await ask(listening, "/", { headers: { "X-Tunnel-Token": "guess" } })).status).toBe(403);
    expect((await ask(listening, "/", { headers: tokenOf(listening) })).status).toBe(200);
    const { pathname } = new URL(listening.newUrl());
    expect((await ask(listening, pathname, { method: "HEAD" })).status).toBe(403);
    expect((await ask(listening, pathname, { headers: { "Sec-Purpose": "prefetch" } })).status).toBe(403);
    const first = await ask(listening, pathname);
    expect(first.headers["set-cookie"]?.[0]).toMatch(/; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
    expect((await ask(listening, pathname)).status).toBe(403);
    const cookie = (first.headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "";
    expect((await ask(listening, "/deep/path", { headers: { Cookie: cookie } })).status).toBe(200);
  });

  it("refuses a name that leads here, and pages of other origins", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, { target: await web(seen), kind: "http" });
    const cookie = await enter(listening);
    const at = (headers: Record<string, string>, method = "GET") =>
      ask(listening, "/", { method, headers: { Cookie: cookie, ...headers } });
    expect((await at({ Host: `evil.example:${listening.port}` })).status).toBe(421);
    expect((await at({ Host: `localhost:${listening.port}` })).status).toBe(421);
    expect((await at({ Host: listening.host })).status).toBe(421);
    expect((await at({ Origin: "http://evil.example" })).status).toBe(403);
    expect((await at({ Origin: "http://localhost:3000" }, "POST")).status).toBe(403);
    expect((await at({ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors" })).status).toBe(403);
    expect((await at({ "Sec-Fetch-Site": "cross-site" }, "POST")).status).toBe(403);
    expect((await at({ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" })).status).toBe(200);
    const url = `ws://${listening.host}:${listening.port}/`;
    const foreign = new WebSocket(url, { headers: { Cookie: cookie, Origin: "http://evil.example" } });
    const [, response] = (await once(foreign, "unexpected-response")) as [unknown, IncomingMessage];
    foreign.on("error", () => undefined).terminate();
    expect(response.statusCode).toBe(403);
  });

  it("speaks WebSocket and streams events through a guest to guest", async () => {
    const { ben, cid } = await room(["ben", "cid"]);
    const target = await web((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write("data: 1\n\n");
      setTimeout(() => response.end("data: 2\n\n"), 300);
    });
    const { listening } = await share(ben, cid, { target, kind: "http" });
    const origin = `http://${listening.host}:${listening.port}`;
    const socket = new WebSocket(origin.replace("http", "ws"), { headers: tokenOf(listening), origin });
    const [greeting] = (await once(socket, "message")) as [Buffer];
    expect(JSON.parse(String(greeting))).toEqual({
      origin: `http://localhost:${target}`,
      host: `localhost:${target}`,
    });
    socket.send("hello");
    expect(String((await once(socket, "message"))[0])).toBe("echo hello");
    socket.close();
    const times: number[] = [];
    await new Promise<void>((resolve, reject) => {
      const { host, port } = listening;
      httpRequest({ host, port, path: "/", headers: tokenOf(listening) }, (response) => {
        response.on("data", () => times.push(Date.now())).once("end", resolve);
      })
        .once("error", reject)
        .end();
    });
    expect(times.length).toBeGreaterThan(1);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(200);
  });

  it("that may be read only lets GET, HEAD and OPTIONS pass, and neither other methods nor sockets", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, { target: await web(seen), kind: "http", readOnly: true });
    const headers = tokenOf(listening);
    for (const method of ["GET", "HEAD", "OPTIONS"])
      expect((await ask(listening, "/", { method, headers })).status).toBe(200);
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
      const answer = await ask(listening, "/", { method, headers });
      expect([answer.status, answer.headers.allow]).toEqual([405, "GET, HEAD, OPTIONS"]);
    }
    const told = await ask(listening, "/", { headers: { ...headers, "X-HTTP-Method-Override": "DELETE" } });
    expect(told.body).not.toContain("method-override");
    const socket = new WebSocket(`ws://${listening.host}:${listening.port}/`, { headers });
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    socket.on("error", () => undefined).terminate();
    expect(response.statusCode).toBe(403);
  });

  it("says so where the service is gone, and serves again when it is back", async () => {
    const { ana, ben } = await room(["ben"]);
    const server = createServer(seen);
    const sockets = new Set<Socket>();
    server.on("connection", (socket) => sockets.add(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    later(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { listening } = await share(ana, ben, { target: port, kind: "http" });
    const headers = tokenOf(listening);
    expect((await ask(listening, "/", { headers })).status).toBe(200);
    server.close();
    for (const socket of sockets) socket.destroy();
    expect((await ask(listening, "/", { headers })).status).toBe(502);
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    await until("it is back", async () => (await ask(listening, "/", { headers })).status === 200);
  });
});
