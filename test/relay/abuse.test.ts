import { createServer, request, type IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { openAuthority } from "../../src/relay/auth/open.ts";
import type { Relay } from "../../src/relay/node/relay.ts";
import { until } from "../support/processes.ts";
import { aRelay, atEnd, echoRoom, hostOf, roomId } from "./support.ts";

const BROWSER = { "User-Agent": "Mozilla/5.0", Accept: "text/html,*/*" };

async function open(options: Parameters<typeof aRelay>[0] = {}): Promise<{ relay: Relay; host: string }> {
  const relay = await aRelay({
    authority: openAuthority(true),
    domain: "localhost",
    contact: "abuse@relay.test",
    ...options,
  });
  const server = createServer((_, response) => response.end("the service"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const tunnel = await hostOf(relay)(port, { kind: "http", label: "a", subdomain: undefined });
  return { relay, host: new URL(tunnel.url).host };
}

function ask(
  relay: Relay,
  host: string,
  headers: Record<string, string> = {},
  path = "/a?b=%22%3E",
  method = "GET",
): Promise<{ status: number; body: string; headers: IncomingMessage["headers"] }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: "127.0.0.1",
        port: relay.port,
        path,
        method,
        agent: false,
        headers: { Host: host, ...headers },
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (part: string) => (body += part));
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
        );
      },
    );
    asked.once("error", reject).end();
  });
}

it("warns people in browsers once per name, where names are open to everybody, and never a script", async () => {
  const { relay, host } = await open();
  const page = await ask(relay, host, BROWSER);
  expect(page.status).toBe(403);
  expect(page.headers["x-tunnel-answer"]).toBe("interstitial");
  expect(page.headers["x-robots-tag"]).toBe("noindex");
  expect(page.body).toContain("abuse@relay.test");
  for (const headers of [
    {},
    { Accept: "text/html" },
    { "User-Agent": "Mozilla/5.0", Accept: "application/json" },
    { ...BROWSER, Authorization: "Bearer x" },
    { ...BROWSER, "Tunnel-Skip-Warning": "1" },
    { ...BROWSER, "Sec-Fetch-Dest": "script" },
  ])
    expect((await ask(relay, host, headers)).body, JSON.stringify(headers)).toBe("the service");
  expect((await ask(relay, host, BROWSER, "/", "OPTIONS")).body).toBe("the service");

  const action = /action="([^"]+)"/.exec(page.body)?.[1] ?? "";
  const target = action.replaceAll("&#38;", "&");
  const gone = await ask(relay, host, { ...BROWSER, Origin: `http://${host}` }, target, "POST");
  expect(gone.status).toBe(303);
  expect(gone.headers.location).toBe("/a?b=%22%3E");
  const [cookie = ""] = gone.headers["set-cookie"] ?? [];
  expect(cookie).toMatch(/HttpOnly; SameSite=Lax/);
  expect((await ask(relay, host, { ...BROWSER, Cookie: cookie.split(";")[0] ?? "" })).body).toBe(
    "the service",
  );
});

it("lets nobody lead a browser past the warning, or from it to another host", async () => {
  const { relay, host } = await open();
  const go = (to: string, origin: string, method = "POST") =>
    ask(
      relay,
      host,
      { ...BROWSER, Origin: origin },
      `/.tunnel/relay/continue?to=${encodeURIComponent(to)}`,
      method,
    );
  expect((await go("/", "https://evil.test")).status).toBe(403);
  expect((await go("/", "null")).status).toBe(403);
  expect((await go("/", `http://${host}`, "GET")).status).toBe(403);
  for (const to of ["//evil.test", "/\\evil.test", "https://evil.test", "javascript:alert(1)", "/a\r\nX: y"])
    expect((await go(to, `http://${host}`)).status, to).toBe(403);
  expect((await go("/fine", `http://${host}`)).status).toBe(303);
});

it("warns nobody where names need a token, unless the operator wants it", async () => {
  const { relay, host } = await open({ warnsBrowsers: false });
  expect((await ask(relay, host, BROWSER)).body).toBe("the service");
});

it("says nothing of its own but a plain answer that no search engine keeps", async () => {
  const relay = await aRelay({ contact: "abuse@relay.test" });
  const { status, headers, body } = await ask(relay, "relay.test", BROWSER, "/");
  expect(status).toBe(404);
  expect(headers["x-robots-tag"]).toBe("noindex");
  expect(headers["content-type"]).toMatch(/^text\/plain/);
  expect(body).toContain("abuse@relay.test");
});

it("refuses a name that is blocked, and closes one that is blocked later", async () => {
  const blocked = new Set<string>();
  const { relay, host } = await open({ isBlocked: (word) => blocked.has(word) });
  const [name = ""] = host.split(".");
  blocked.add(name);
  relay.reload();
  await until("it is closed", () => relay.hosts.size === 0);
  expect((await ask(relay, host)).status).toBe(404);
  const room = roomId();
  blocked.add(room);
  const { port } = await echoRoom();
  await expect(hostOf(relay)(port, { kind: "room", room })).rejects.toMatchObject({
    code: "relay-refused",
    detail: "blocked",
  });
});
