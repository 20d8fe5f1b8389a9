import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import { Agent, besideEndpoint, closeAgents } from "../support/agent.ts";
import { accepts, gone, until } from "../support/processes.ts";
import { standIn } from "../support/tunnels/stand-in.ts";

/** Its prompt before a call is a person's answer. */
const CLAUDE = { name: "claude-code", version: "2.1.332" };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await closeAgents();
  for (const end of ends.splice(0)) await end();
});

async function service(listener: RequestListener): Promise<{ port: number; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return { port: (server.address() as AddressInfo).port, server };
}

const startedSchema = z.looseObject({
  exposureId: z.string(),
  publicUrl: z.string(),
  claimUrl: z.string(),
  access: z.looseObject({ token: z.object({ field: z.string(), value: z.string() }).loose() }),
});

async function start(agent: Agent, args: object): Promise<z.infer<typeof startedSchema>> {
  return startedSchema.parse(await agent.call("expose_start", { ...args }));
}

const startSchema = z.object({ pid: z.number(), host: z.string(), proxyPort: z.number() });

/** One request to the public side of a stand-in, for its public name. */
function visit(
  { host, proxyPort }: { host: string; proxyPort: number },
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; headers: IncomingMessage["headers"] }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port: proxyPort, path, headers: { host, ...headers } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      );
    });
    sent.once("error", reject).end();
  });
}

describe("a service that is exposed", () => {
  it("is seen by the one who has the link, with cookie, streams and WebSockets, and by nobody else", async () => {
    const { port, server } = await service((incoming, response) => {
      if (incoming.url === "/events") {
        response.writeHead(200, { "content-type": "text/event-stream" }).write("data: one\n\n");
        return;
      }
      response.end(`host ${incoming.headers.host}, cookie ${incoming.headers.cookie ?? "none"}`);
    });
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket) =>
      socket.on("message", (data: Buffer) => socket.send(`echo ${data.toString()}`)),
    );
    const agent = await Agent.start({}, "legacy", CLAUDE);
    const { publicUrl, claimUrl } = await start(agent, { target: port });

    expect((await fetch(publicUrl)).status).toBe(401);
    const [page = "", secret = ""] = claimUrl.split("#");
    // A preview of the link looks at it as often as it likes.
    for (const method of ["GET", "HEAD", "GET"]) expect((await fetch(page, { method })).status).toBe(200);
    const claim = {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ claim: secret }),
    } as const;
    const claimed = await fetch(page, claim);
    expect(claimed.status).toBe(303);
    const cookie = claimed.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Lax/);
    // The address is plain http, where a browser would drop a Secure cookie.
    expect(cookie).not.toMatch(/Secure/);
    expect((await fetch(page, claim)).status).toBe(403);
    const headers = { cookie: cookie.split(";")[0] ?? "" };
    expect(await (await fetch(`${publicUrl}/`, { headers })).text()).toBe(
      `host localhost:${port}, cookie none`,
    );

    const events = await fetch(`${publicUrl}/events`, { headers });
    const reader = events.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("data: one\n\n");
    await reader?.cancel();

    const socketUrl = publicUrl.replace("http", "ws");
    const socket = new WebSocket(socketUrl, { headers });
    const answer = new Promise((resolve) =>
      socket.once("message", (data: Buffer) => resolve(data.toString())),
    );
    socket.once("open", () => socket.send("hi"));
    expect(await answer).toBe("echo hi");
    socket.close();
    const foreign = new WebSocket(socketUrl, { headers, origin: "https://evil.example" });
    expect(
      await new Promise((resolve) =>
        foreign.once("unexpected-response", (_, { statusCode }) => resolve(statusCode)),
      ),
    ).toBe(403);
    sockets.close();

    const { requests } = await agent.call("expose_requests");
    expect(JSON.stringify(requests)).not.toContain(secret);
    await agent.call("expose_stop", { all: true });
    await expect(fetch(publicUrl)).rejects.toThrow();
    await agent.close();
  });

  it("may be a folder, of which only what a site shows is seen", async () => {
    const place = realpathSync(mkdtempSync(join(tmpdir(), "tunnel-site-")));
    ends.push(() => rmSync(place, { recursive: true, force: true }));
    const agent = await Agent.start({ TUNNEL_SHARE_ROOTS: place }, "legacy", CLAUDE);
    const site = join(place, "site");
    mkdirSync(site);
    writeFileSync(join(site, "index.html"), "<h1>hi</h1>");
    writeFileSync(join(site, ".env"), "SECRET=1");
    writeFileSync(join(site, "server.pem"), "a certificate looks like a key");
    const { publicUrl, access } = await start(agent, { target: site });
    const headers = { [access.token.field]: access.token.value };
    const got = async (path: string): Promise<[number, string]> => {
      const response = await fetch(`${publicUrl}${path}`, { headers });
      return [response.status, await response.text()];
    };
    expect(await got("/")).toEqual([200, "<h1>hi</h1>"]);
    for (const path of ["/.env", "/%2eenv", "/server.pem", "/../site/.env", "/none"])
      expect((await got(path))[0]).toBe(404);
    expect(await agent.refused("expose_start", { target: "/" })).toMatchObject({
      code: "expose-folder-refused",
    });
  });
});

describe("a tunnel program", () => {
  async function exposed(env: Record<string, string> = {}) {
    const place = mkdtempSync(join(tmpdir(), "tunnel-stand-in-"));
    ends.push(() => rmSync(place, { recursive: true, force: true }));
    const state = join(place, "state");
    const agent = await Agent.start(
      {
        TUNNEL_TRANSPORT: "cloudflared",
        TUNNEL_CLOUDFLARED: standIn(place, { FAKE_CF_STATE: state }),
        TUNNEL_SKIP_REACHABILITY_CHECK: "1",
        ...env,
      },
      "legacy",
      CLAUDE,
    );
    const { port } = await service((incoming, response) =>
      response.end(`for ${String(incoming.headers["x-forwarded-for"])}`),
    );
    const started = await start(agent, { target: port });
    return { agent, started, edge: startSchema.parse(JSON.parse(readFileSync(state, "utf8"))) };
  }

  it("carries it under its public name, and says who visits", async () => {
    const { agent, started, edge } = await exposed();
    expect(started.publicUrl).toBe(`https://${edge.host}`);
    const { field, value } = started.access.token;
    const seen = await visit(edge, "/", { [field]: value, "x-forwarded-for": "6.6.6.6" });
    expect(seen.status).toBe(200);
    expect(seen.body).not.toContain("6.6.6.6");
    const page = await visit(edge, "/.tunnel/claim");
    expect([page.status, page.headers["cache-control"]]).toEqual([200, "no-store"]);
    await agent.call("expose_stop", { all: true });
    await gone(edge.pid);
    await until("nothing is left", () => besideEndpoint(agent.box.left()).length === 0);
  });

  it.runIf(process.platform !== "win32")(
    "is gone after kill -9 of the server (Windows has no such signal)",
    async () => {
      const { agent, edge } = await exposed();
      process.kill(agent.pid, "SIGKILL");
      await gone(edge.pid);
      await until("its port is free", async () => !(await accepts(edge.proxyPort)));
    },
  );

  it("ends with the client that has gone", async () => {
    const { agent, edge } = await exposed();
    await agent.client.close();
    await gone(edge.pid);
  });
});

describe("the sets of tools", () => {
  const names = async (toolsets: string): Promise<string[]> => {
    const { client } = await Agent.start({ TUNNEL_TOOLSETS: toolsets });
    return (await client.listTools()).tools.map(({ name }) => name);
  };

  it("can be left out by a person, and whatever brings news stays", async () => {
    const exposing = ["expose_start", "expose_list", "expose_requests", "expose_stop"];
    expect(await names("expose")).toEqual([...exposing, "tunnel_listen"]);
    const pairing = await names("pair");
    expect(pairing).toHaveLength(11);
    expect(pairing.filter((name) => exposing.includes(name))).toEqual([]);
    expect(await names("pair,expose")).toEqual([...pairing, ...exposing]);
  });
});
