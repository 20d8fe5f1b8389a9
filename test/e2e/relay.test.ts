import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { connect, createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { newToken, writeTokens } from "../../src/relay/auth/tokens.ts";
import { Agent, closeAgents, pair, unfenced } from "../support/agent.ts";
import { RelayProcess } from "../support/relay-process.ts";
import { until } from "../support/processes.ts";

const relays: RelayProcess[] = [];
const ends: (() => unknown)[] = [];
afterEach(async () => {
  await closeAgents();
  for (const end of ends.splice(0)) await end();
  await Promise.all(relays.splice(0).map((relay) => relay.end()));
});

async function started(
  args: readonly string[] = [],
): Promise<{ relay: RelayProcess; host: Agent; guest: Agent }> {
  const relay = await RelayProcess.start(args);
  relays.push(relay);
  const host = await Agent.start({ TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: relay.url });
  // A guest needs nothing but the link.
  const guest = await Agent.start();
  return { relay, host, guest };
}

/** All chat messages that an agent gets until `last` is among them. */
async function heardUntil(agent: Agent, last: string): Promise<string[]> {
  const heard: string[] = [];
  while (heard.at(-1) !== last) {
    const { messages = [], ended } = await agent.call("tunnel_listen", { timeoutMs: 5_000 });
    heard.push(...messages.filter(({ kind }) => kind === "chat").map(({ text }) => unfenced(text)));
    if (ended !== undefined) throw new Error("the room has ended");
  }
  return heard;
}

const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name} ${index}`);

async function sayAll(agent: Agent, texts: readonly string[], pauseMs: number): Promise<void> {
  for (const text of texts) {
    await agent.call("tunnel_say", { text });
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

describe("a room at a relay of one's own", () => {
  it("is open to a guest who has nothing but the link", async () => {
    const { relay, host, guest } = await started();
    const { opened } = await pair(host, guest);
    expect(opened.joinLink).toMatch(new RegExp(`^ws://127\\.0\\.0\\.1:${relay.port}/t/`));
    await host.call("tunnel_say", { text: "through the relay" });
    expect((await guest.hear()).map(({ text }) => unfenced(text))).toEqual(["through the relay"]);
    await guest.call("tunnel_say", { text: "and back" });
    expect((await host.hear()).map(({ text }) => unfenced(text))).toEqual(["and back"]);
    // It has had nothing to complain of.
    expect(relay.stderr).toBe("");
  });

  it(
    "loses, doubles and reorders nothing while the relay is killed and started again every two seconds",
    { timeout: 90_000 },
    async () => {
      const { relay, host, guest } = await started();
      await pair(host, guest);
      const [fromHost, fromGuest] = [numbered("host", 60), numbered("guest", 60)];
      const over = new AbortController();
      const weather = (async () => {
        let kills = 0;
        while (!over.signal.aborted) {
          await new Promise((resolve) => setTimeout(resolve, 2_000));
          if (over.signal.aborted) break;
          await relay.end("SIGKILL");
          await new Promise((resolve) => setTimeout(resolve, 200));
          await relay.restart();
          kills += 1;
        }
        return kills;
      })();
      const [heardByGuest, heardByHost] = await Promise.all([
        heardUntil(guest, "host 59"),
        heardUntil(host, "guest 59"),
        sayAll(host, fromHost, 150),
        sayAll(guest, fromGuest, 150),
      ]);
      over.abort();
      expect(await weather).toBeGreaterThanOrEqual(3);
      expect(heardByGuest).toEqual(fromHost);
      expect(heardByHost).toEqual(fromGuest);
    },
  );

  it("drains on SIGTERM and ends with 0; what was said meanwhile arrives through its successor", async () => {
    const { relay, host, guest } = await started(["--drain-seconds", "1"]);
    await pair(host, guest);
    const ended = relay.end("SIGTERM");
    await host.call("tunnel_say", { text: "during the drain" });
    expect(await ended).toBe(0);
    await guest.call("tunnel_say", { text: "while nobody was there" });
    await relay.restart();
    expect(await heardUntil(guest, "during the drain")).toEqual(["during the drain"]);
    expect(await heardUntil(host, "while nobody was there")).toEqual(["while nobody was there"]);
  });

  it("ends at once on the second signal", async () => {
    const { relay, host, guest } = await started(["--drain-seconds", "60"]);
    await pair(host, guest);
    const ended = relay.end("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 200));
    relay.signal("SIGTERM");
    expect(await ended).toBe(1);
  });

  it("lets somebody join by a link that was made before the relay was started again", async () => {
    const { relay, host, guest } = await started();
    const { joinLink } = await host.call("tunnel_open", { goal: "later" });
    await relay.end("SIGKILL");
    await relay.restart();
    await guest.call("tunnel_join", { joinLink, name: "ben" });
    await until("the host sees the guest", async () => {
      const { members } = await host.call("tunnel_status");
      return members?.some(({ name, connected }) => name === "ben" && connected) === true;
    });
  });
});

describe("a service at a relay of one's own", () => {
  const CLAUDE = { name: "claude-code", version: "2.1.332" };
  const startedSchema = z.looseObject({
    publicUrl: z.string(),
    access: z.looseObject({ token: z.object({ field: z.string(), value: z.string() }).loose() }),
  });

  async function withTokens(args: readonly string[] = []): Promise<{
    relay: RelayProcess;
    agent: Agent;
    token: string;
    tokenFile: string;
  }> {
    const folder = mkdtempSync(join(tmpdir(), "relay-e2e-"));
    ends.push(() => rmSync(folder, { recursive: true, force: true }));
    const { token, entry } = newToken({ label: "e2e", kinds: ["room", "http", "tcp"] }, Date.now());
    const tokenFile = join(folder, "tokens.json");
    writeFileSync(tokenFile, writeTokens([entry]));
    const relay = await RelayProcess.start(["--token-file", tokenFile, "--state", folder, ...args]);
    relays.push(relay);
    const secretFile = join(folder, "token");
    writeFileSync(secretFile, `${token}\n`, { mode: 0o600 });
    const env = { TUNNEL_RELAY: relay.url, TUNNEL_RELAY_TOKEN_FILE: secretFile };
    return { relay, agent: await Agent.start(env, "legacy", CLAUDE), token, tokenFile };
  }

  function visit(
    publicUrl: string,
    path: string,
    headers: Record<string, string>,
  ): Promise<[number, string]> {
    const { port, host } = new URL(publicUrl);
    return new Promise((resolve, reject) => {
      const asked = request(
        { host: "127.0.0.1", port, path, agent: false, headers: { host, ...headers } },
        (response) => {
          let body = "";
          response.setEncoding("utf8").on("data", (part: string) => (body += part));
          response.once("end", () => resolve([response.statusCode ?? 0, body]));
        },
      );
      asked.once("error", reject).end();
    });
  }

  it("has the name that was asked for, proved from outside, behind the gateway's own rules", async () => {
    const { relay, agent } = await withTokens();
    const server = createServer((incoming, response) =>
      response.end(
        `for ${String(incoming.headers["x-forwarded-for"])} host ${String(incoming.headers["x-forwarded-host"])}`,
      ),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    const { port } = server.address() as AddressInfo;
    const started = await agent.call("expose_start", { target: port, transport: "relay", subdomain: "demo" });
    const { publicUrl, access } = startedSchema.parse(started);
    expect(publicUrl).toMatch(new RegExp(`^http://demo\\.localhost:${relay.port}/?$`));
    expect(JSON.stringify(started)).toContain('"websocket":true');
    const { field, value } = access.token;
    expect((await visit(publicUrl, "/", {}))[0]).toBe(401);
    const host = new URL(publicUrl).host;
    expect(await visit(publicUrl, "/", { [field]: value })).toEqual([200, `for 127.0.0.1 host ${host}`]);
    // The relay dies and comes back: the same address, without another call.
    await relay.end("SIGKILL");
    await relay.restart();
    expect(await visit(publicUrl, "/", { [field]: value })).toEqual([200, `for 127.0.0.1 host ${host}`]);
  });

  it("of TCP has a host and a port of the relay, proved from outside, until it is stopped", async () => {
    const first = 20_000 + Math.floor(Math.random() * 9_000);
    const { agent } = await withTokens(["--tcp-ports", `${first}-${first + 3}`]);
    const server = createTcpServer((socket) => socket.on("error", () => socket.destroy()).pipe(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const asked = { target: port, name: "echo", transport: "relay", protocol: "tcp", access: ["open"] };
    const { publicUrl, local } = z
      .looseObject({ publicUrl: z.string(), local: z.looseObject({ target: z.string() }) })
      .parse(await agent.call("expose_start", asked));
    expect(local.target).toBe(`tcp://localhost:${port}`);
    const [, host = "", publicPort = ""] = /^tcp:\/\/(127\.0\.0\.1):(\d+)$/.exec(publicUrl) ?? [];
    expect(Number(publicPort)).toBeGreaterThanOrEqual(first);
    const dial = () => connect({ host, port: Number(publicPort) });
    const socket = dial();
    const isCut = new Promise<void>((resolve) =>
      socket.on("error", () => undefined).once("close", () => resolve()),
    );
    ends.push(() => socket.destroy());
    socket.write("ping");
    expect(String(await once(socket, "data"))).toBe("ping");
    expect(JSON.stringify(await agent.call("expose_list", {}))).toContain('"protocol":"tcp"');
    await agent.call("expose_stop", { name: "echo" });
    await isCut;
    await expect(once(dial(), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("has another name where the relay keeps none, and says why", async () => {
    const relay = await RelayProcess.start(["--allow-open-http"]);
    relays.push(relay);
    const agent = await Agent.start({ TUNNEL_RELAY: relay.url }, "legacy", CLAUDE);
    const server = createServer((_, response) => response.end("here"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const asked = { target: port, transport: "relay", subdomain: "demo" };
    const { publicUrl, warnings } = z
      .looseObject({ publicUrl: z.string(), warnings: z.array(z.string()) })
      .parse(await agent.call("expose_start", asked));
    expect(publicUrl).toMatch(/^http:\/\/k[0-9a-f]{20}\.localhost:/);
    expect(warnings[0]).toMatch(/has not given the name demo: it keeps no names/);
  });

  it("ends when its token is taken back and the relay reads its files again", async () => {
    const { relay, agent, tokenFile } = await withTokens();
    const server = createServer((_, response) => response.end("here"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const started = await agent.call("expose_start", { target: port, transport: "relay", subdomain: "demo" });
    const { publicUrl } = startedSchema.parse(started);
    expect((await visit(publicUrl, "/", {}))[0]).toBe(401);
    writeFileSync(tokenFile, writeTokens([]));
    relay.signal("SIGHUP");
    // A visit that is under way when the token goes is cut.
    const statusNow = () =>
      visit(publicUrl, "/", {}).then(
        ([status]) => status,
        () => 0,
      );
    await until("it is gone", async () => (await statusNow()) === 404, 20_000);
  });
});
