/**
 * The example results in docs/TOOLS.md. They come from a real conversation of two servers on loopback. Its clock stands
 * still, and everything random in the results is replaced.
 */
import { createHash } from "node:crypto";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createServer, request } from "node:http";
import path from "node:path";

const START = Date.parse("2026-11-21T10:00:00Z");
const EXPOSED_HOST = "a-b-c-d.trycloudflare.com";
const LINK = "wss://HOST/t/ROOM#1.KEY.HOSTKEY";

/** Two servers' worth of sessions in this process, talking over loopback while the clock stands still. */
export async function exampleResults(sources) {
  const {
    TOOLS,
    Fence,
    Sessions,
    PROVIDERS,
    LocalFiles,
    nodePrimitives,
    wakeView,
    defaultConfig,
    SETTINGS,
    RESULT,
    Exposures,
    ExposureHistory,
    LazyExposures,
    LazyServices,
    MemberServices,
    MemoryBudget,
    Redactor,
  } = sources;
  const clock = standingClock();
  const folder = await mkdtemp(path.join(tmpdir(), "tunnel-docs-"));
  // Where the clock stands nothing else would end a wait for what never comes.
  const limit = setTimeout(() => {
    throw new Error("the example conversation got stuck");
  }, 60_000).unref();
  const names = new Map();
  let exposures;
  let isMended = false;
  const service = createServer((incoming, response) => {
    const isHook = incoming.method === "POST";
    incoming.resume().once("end", () => {
      response.statusCode = isHook && !isMended ? 500 : 200;
      response.sendDate = false;
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify({ ok: response.statusCode === 200 }));
    });
  });
  const ben = side("Ben");
  const ana = side("Ana");
  const results = {};
  try {
    results.tunnel_open = await ana.call("tunnel_open", { goal: "Agree on the shape of GET /orders" });
    results.tunnel_invite = await ana.call("tunnel_invite", {});
    results.tunnel_join = await ben.call("tunnel_join", { joinLink: results.tunnel_open.joinLink });
    const question = "Does GET /orders return a bare array, or an object with a cursor?";
    const asked = await ana.call("tunnel_say", { text: question, intent: "request" });
    clock.advance(4_000);
    results.tunnel_listen = await ben.call("tunnel_listen", { timeoutMs: 50_000 });
    const answer = 'An object: { "items": [...], "nextCursor": "..." }. See api/orders.ts.';
    const reply = { text: answer, intent: "inform", replyTo: asked.seq };
    // Ben's own word comes only when the host has given it a place, and his reading position travels on its own.
    results.tunnel_say = await ben.call("tunnel_say", reply);
    clock.advance(1_000);
    await until(() => ana.members().some(({ isSelf, read }) => !isSelf && read >= asked.seq));
    await ana.call("tunnel_listen", { timeoutMs: 50_000 });
    await writeFile(path.join(folder, "orders.json"), '{ "items": [], "nextCursor": "c2" }\n');
    results.tunnel_share = await ana.call("tunnel_share", { path: "orders.json", note: "What it answers." });
    const { fileId } = results.tunnel_share;
    await until(() => ben.files().some((file) => file.fileId === fileId));
    results.tunnel_receive = await ben.call("tunnel_receive", {
      fileId,
      name: "orders.json",
      from: "Ana",
      savePath: path.join(await realpath(folder), "answer.json"),
    });
    results.tunnel_connect = await sharing();
    results.tunnel_status = await ana.call("tunnel_status", {});
    Object.assign(results, await exposing());
    const outcome = "GET /orders answers an object with `items` and `nextCursor`.";
    results.tunnel_propose_done = await ana.call("tunnel_propose_done", { outcome });
    results.tunnel_close = await ana.call("tunnel_close", { summary: "GET /orders answers with a cursor." });
  } finally {
    await Promise.all([ana.stopServices(), ben.stopServices()]);
    await Promise.all([ana.stop(), ben.stop(), exposures?.shutDown()]);
    service.close();
    clearTimeout(limit);
    await rm(folder, { recursive: true });
  }
  return withoutChance(results);

  /** A service of Ana's, which her person lets Ben use. */
  async function sharing() {
    await new Promise((resolve) => service.listen(0, "127.0.0.1", resolve));
    const { port } = service.address();
    names.set(String(port), "3000");
    const offer = { target: port, kind: "http", name: "orders API" };
    const { serviceId } = await ana.call("tunnel_share", { service: offer });
    ana.approve();
    await until(() => ben.offered(serviceId));
    const going = ben.call("tunnel_connect", { serviceId });
    await until(() => ana.approve());
    const connected = await going;
    names.set(connected.host, "127.83.12.9");
    names.set(serviceId, "service-1");
    names.set(connected.header.value, "TOKEN");
    names.set(connected.url.split("/").at(-1), "ENTRY");
    return connected;
  }

  /** A receiver of webhooks that fails, is mended, and passes. */
  async function exposing() {
    const { port } = service.address();
    names.set(`:${port}`, ":3000");
    names.set(`port-${port}`, "port-3000");
    const expose_start = await ana.call("expose_start", { target: port, openPaths: ["POST /hooks/*"] });
    await webhook(exposures.running[0].port);
    isMended = true;
    await until(() => exposures.running[0].inspector.list().requests[0]?.end !== undefined);
    const expose_requests = await ana.call("expose_requests", { replay: { id: 1 } });
    const expose_list = await ana.call("expose_list", {});
    const expose_stop = await ana.call("expose_stop", { all: true });
    const { token, claim } = expose_start.access;
    names.set(token.value, "TOKEN");
    names.set(claim.links[0].id, "claim-1");
    names.set(claim.links[0].url.split("#")[1], "SECRET");
    names.set(expose_start.exposureId, "exposure-1");
    return { expose_start, expose_list, expose_requests, expose_stop };
  }

  function exposuresOf(sessions) {
    const { overseer } = sessions;
    const tunnel = (port) => ({ ...pretendedTunnel(port), url: `wss://${EXPOSED_HOST}` });
    const never = () => Promise.reject(new Error("nobody visits from outside"));
    exposures = new Exposures(
      {
        clock,
        primitives: nodePrimitives,
        overseer,
        providers: (name) => ({ ...PROVIDERS[name], open: async ({ port }) => tunnel(port) }),
        config: { transport: "cloudflared", bind: "127.0.0.1", port: 0 },
        cwd: folder,
        find: { allow: [], ownPorts: () => [], lookup: () => undefined, folders: {} },
        prover: { resolver: undefined, isSkipped: true, client: never, openSocket: never },
        others: async () => [],
        bodies: new MemoryBudget(1024 * 1024),
        redactor: new Redactor(),
      },
      new ExposureHistory({ folders: [], platform: "linux", pid: 1 }),
    );
    return new LazyExposures(async () => exposures);
  }

  function side(name) {
    // A spare tunnel would be opened at a moment of its own.
    const scanner = {
      scanTexts: async () => ({ kind: "clear", digest: "" }),
      openContent: hashedOnly,
    };
    const config = { ...defaultConfig(SETTINGS), transport: "cloudflared", standby: false, name };
    const sessions = new Sessions({
      config,
      localFiles: new LocalFiles({ cwd: folder, home: "/nobody", env: {}, config, scanner }),
      primitives: nodePrimitives,
      scanner,
      clock,
      lookup: () => undefined,
      providers: (name) => ({ ...PROVIDERS[name], open: async ({ port }) => pretendedTunnel(port) }),
    });
    const lazy = exposuresOf(sessions);
    const services = new LazyServices(
      async () =>
        new MemberServices({
          clock,
          primitives: nodePrimitives,
          overseer: sessions.overseer,
          find: { allow: [], ownPorts: () => [], lookup: () => undefined },
          isShared: async () => false,
        }),
    );
    const fence = new Fence("7c1f0a9be254");
    const signal = new AbortController().signal;
    let id = 0;
    return {
      files: () => sessions.open.flatMap((tunnel) => tunnel.files.offered),
      members: () => sessions.open.flatMap((tunnel) => tunnel.presence()),
      stop: () => sessions.shutDown(),
      stopServices: () => services.shutDown(),
      offered: (id) => sessions.open.some((tunnel) => tunnel.serviceOffers.find(id) !== undefined),
      /** Says yes to what is asked; whether anything was. */
      approve() {
        const { asks } = sessions.overseer;
        const { waiting } = asks;
        for (const { id, digest } of waiting)
          asks.decide(id, digest, { verdict: "approve" }, { path: "watch" });
        return waiting.length > 0;
      },
      async call(toolName, args) {
        const tool = TOOLS.find((one) => one.name === toolName);
        sessions.callArrived();
        id += 1;
        const result = await tool.prepare(args).run({
          id,
          signal,
          sessions,
          exposures: lazy,
          services,
          client: { name: "claude-code", version: "2.1.332" },
          limit: RESULT.defaultChars,
          answerMs: SETTINGS.answerSeconds.default * 1_000,
          clock,
          fence,
          problems: async () => [],
          wake: (tunnelId) =>
            wakeView(tunnelId, {
              bundle: "/path/to/tunnel-mcp/dist/tunnel-mcp.cjs",
              platform: "linux",
              endpoint: "open",
              channel: "off",
              wokenBy: "command",
              isWatched: false,
              isHeadless: false,
            }),
          progress: () => undefined,
        });
        for (const member of sessions.open.flatMap((tunnel) => tunnel.presence()))
          names.set(member.id, `${member.name.toLowerCase()}-id`);
        return result;
      },
    };
  }

  /** Everything that would differ in the next run, replaced by a name of it. */
  function withoutChance(value) {
    let text = JSON.stringify(value).replaceAll(/wss?:\/\/[^\s"\\]+#[\w.-]+/g, LINK);
    const tunnels = [value.tunnel_open.tunnelId, value.tunnel_join.tunnelId];
    const invites = [...value.tunnel_open.invites, ...value.tunnel_invite.invites];
    tunnels.forEach((id, index) => names.set(id, `tunnel-${index + 1}`));
    invites.forEach(({ inviteId }, index) => names.set(inviteId, `invite-${index + 1}`));
    names.set(value.tunnel_share.fileId, "file-1");
    names.set(folder, "/home/ben/shop");
    names.set(value.tunnel_join.safetyCode, "🦊 🐘 📎 … / blue deposit …");
    names.set(value.tunnel_close.signOff.words, "amber ladder quiz");
    for (const [chance, name] of names) text = text.replaceAll(chance, name);
    return JSON.parse(text);
  }
}

/** One call of a payment provider, by the public name. */
function webhook(port) {
  return new Promise((resolve, reject) => {
    const headers = { host: EXPOSED_HOST, "content-type": "application/json" };
    const sent = request({ port, path: "/hooks/paid", method: "POST", headers }, (response) =>
      response.resume().once("end", resolve),
    );
    sent.once("error", reject).end('{"order":7}');
  });
}

function pretendedTunnel(port) {
  return {
    url: `ws://127.0.0.1:${port}`,
    description: "cloudflared, verified copy",
    health: () => ({ state: "up" }),
    onDown: () => () => undefined,
    stop: () => Promise.resolve(),
  };
}

/** Time passes only when it is told to, so that no age in a result depends on how busy the machine is. */
function standingClock() {
  let now = START;
  const timers = new Set();
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      now += ms;
      for (const timer of timers) {
        if (timer.at <= now && timers.delete(timer)) timer.callback();
      }
    },
  };
}

async function until(holds) {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries > 2_000) throw new Error("the example conversation got stuck");
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
}

/** A scan that finds nothing: the examples hold no secret. */
function hashedOnly() {
  const hash = createHash("sha256");
  return {
    write: async (bytes) => void hash.update(bytes),
    end: async () => ({ kind: "clear", digest: hash.digest("hex") }),
    drop: () => undefined,
  };
}
