import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { expose } from "../../src/library/expose.ts";
import type { ExposeError } from "../../src/library/contract.ts";
import { NODE } from "../support/agent.ts";
import { HAS_IPV6 } from "../support/local-servers.ts";
import { RelayProcess } from "../support/relay-process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);
const ends: (() => unknown)[] = [];
const atEnd = (end: () => unknown): void => void ends.push(end);

beforeEach(() => {
  const home = mkdtempSync(path.join(tmpdir(), "library-test-"));
  vi.stubEnv("XDG_STATE_HOME", home);
  vi.stubEnv("LOCALAPPDATA", home);
  vi.stubEnv("HOME", home);
  atEnd(() => rmSync(home, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  vi.unstubAllEnvs();
});

async function aRelay(
  args: readonly string[] = [],
): Promise<{ relay: RelayProcess; token: string; file: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), "library-relay-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "tokens.json");
  const bundle = path.join(ROOT, "dist", "tunnel-mcp.cjs");
  const made = await run(NODE, [bundle, "relay", "token", "create", "test", "--token-file", file]);
  const token = /TUNNEL_RELAY_TOKEN=(\S+)/.exec(made.stdout)?.[1] ?? "";
  const relay = await RelayProcess.start(["--token-file", file, ...args]);
  atEnd(() => relay.end());
  return { relay, token, file };
}

async function aService(listener: RequestListener, host = "127.0.0.1"): Promise<number> {
  const server = createServer(listener).listen(0, host);
  await once(server, "listening");
  atEnd(() => server.closeAllConnections());
  atEnd(() => server.close());
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) =>
    socket.on("message", (data: Buffer) => socket.send(`heard ${data.toString()}`)),
  );
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

/** A visit that names the host and dials the relay, so that no resolver is needed. */
function visit(
  url: string,
  target = "/",
): Promise<{ status: number; body: string; response: IncomingMessage }> {
  const { port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path: target, agent: false, headers: { host } });
    asked.once("error", reject);
    asked.once("response", (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body, response }));
    });
    asked.end();
  });
}

const hello: RequestListener = ({ headers }, response) => {
  response.setHeader("set-cookie", ["a=1", "b=2"]);
  response.end(`hello ${JSON.stringify(headers)}`);
};

test(
  "a service is reached by its address, with WebSockets, and not any more once it is closed",
  { timeout: 30_000 },
  async () => {
    const { relay, token } = await aRelay();
    const onConnected = vi.fn<(url: string) => void>();
    const exposed = await expose({
      port: await aService(hello),
      relay: relay.url,
      token,
      subdomain: "shop",
      onConnected,
    });
    expect(exposed.url).toMatch(/^http:\/\/[a-z0-9-]+\.localhost:\d+$/);
    await vi.waitFor(() => expect(onConnected.mock.calls).toEqual([[exposed.url]]));
    const { status, body, response } = await visit(exposed.url, "/a?b=%2f");
    expect(status).toBe(200);
    expect(response.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    const seen: unknown = JSON.parse(body.slice("hello ".length));
    expect(seen).toMatchObject({
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": new URL(exposed.url).host,
    });
    const { host, port } = new URL(exposed.url);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host } });
    atEnd(() => socket.terminate());
    await once(socket, "open");
    socket.send("me");
    const [answer]: unknown[] = await once(socket, "message");
    expect(String(answer)).toBe("heard me");
    await exposed.close();
    await exposed.close();
    expect((await visit(exposed.url)).status).toBe(404);
  },
);

test("comes back by itself when the relay is killed and started again, at the same address", async () => {
  const { relay, token } = await aRelay();
  const told: string[] = [];
  const exposed = await expose({
    port: await aService(hello),
    relay: new URL(relay.url),
    token,
    onConnected: (url) => told.push(url),
    onDisconnected: ({ code }, { willReconnect }) => told.push(`${code} ${willReconnect}`),
  });
  atEnd(() => exposed.close());
  const first = exposed.url;
  await relay.end();
  await vi.waitFor(() => expect(told).toContain("relay-unreachable true"), 5_000);
  await relay.restart();
  await vi.waitFor(() => expect(told.at(-1)).toBe(first), 15_000);
  expect(exposed.url).toBe(first);
  expect((await visit(first)).status).toBe(200);
}, 30_000);

test("a second process with the same key takes the address over, and the first one is told and stays away", async () => {
  const { relay, token } = await aRelay();
  const port = await aService(hello);
  const onEvicted = vi.fn<() => void>();
  const onDisconnected = vi.fn<() => void>();
  const common = { port, relay: relay.url, token };
  const first = await expose({ ...common, onEvicted, onDisconnected });
  atEnd(() => first.close());
  const second = await expose(common);
  atEnd(() => second.close());
  expect(second.url).toBe(first.url);
  await vi.waitFor(() => expect(onEvicted).toHaveBeenCalledOnce());
  await first.close();
  expect((await visit(second.url)).status).toBe(200);
  expect(onDisconnected).not.toHaveBeenCalled();
});

test.runIf(process.platform !== "win32")(
  "a token that is taken back ends it, and the caller hears why",
  async () => {
    const { relay, token, file } = await aRelay();
    const ended: [ExposeError, boolean][] = [];
    const exposed = await expose({
      port: await aService(hello),
      relay: relay.url,
      token,
      onDisconnected: (error, { willReconnect }) => ended.push([error, willReconnect]),
    });
    atEnd(() => exposed.close());
    writeFileSync(file, '{"tokens":[]}');
    relay.signal("SIGHUP");
    await vi.waitFor(() => expect(ended).toHaveLength(1), 5_000);
    const [[error, willReconnect] = []] = ended;
    expect(error).toMatchObject({ code: "relay-token", retryable: false });
    expect(error?.nextForPerson).toContain("TUNNEL_RELAY_TOKEN");
    expect(willReconnect).toBe(false);
  },
);

test("a refusal rejects the call with a code, and leaves nothing running", async () => {
  const { relay, token } = await aRelay();
  const port = await aService(hello);
  await expect(expose({ port, relay: relay.url })).rejects.toMatchObject({ code: "relay-token" });
  await expect(expose({ port, relay: relay.url, token: "wrong" })).rejects.toMatchObject({
    code: "relay-token",
  });
  await expect(expose({ port, relay: relay.url, token, subdomain: "www" })).rejects.toMatchObject({
    code: "relay-name",
  });
});

test.each([
  [{ port: 0 }, "port"],
  [{ port: 65_536 }, "port"],
  [{ port: 1.5 }, "port"],
  [{ token: "two words" }, "token"],
  [{ token: "" }, "token"],
  [{ relay: "" }, "relay"],
  [{ relay: "ftp://127.0.0.1" }, "relay"],
  [{ relay: "http://relay.example" }, "relay"],
  [{ relay: "https://relay.example/path" }, "relay"],
])("%j is refused before anything is dialled", async (wrong, named) => {
  const promise = expose({ port: 80, relay: "http://127.0.0.1:1", ...wrong });
  await expect(promise).rejects.toMatchObject({ code: "input-invalid" });
  await expect(promise).rejects.toThrow(new RegExp(`: ${named} must`));
});

test("a signal ends the waiting, and later the address", async () => {
  const { relay, token } = await aRelay();
  const port = await aService(hello);
  const early = new AbortController();
  const silent = createServer().listen(0, "127.0.0.1");
  silent.on("upgrade", () => undefined);
  await once(silent, "listening");
  atEnd(() => silent.closeAllConnections());
  atEnd(() => silent.close());
  const address = silent.address();
  const nowhere = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  const waiting = expose({ port, relay: nowhere, signal: early.signal });
  setTimeout(() => early.abort(), 50);
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  await expect(expose({ port, relay: relay.url, token, signal: early.signal })).rejects.toMatchObject({
    code: "cancelled",
  });
  const late = new AbortController();
  const { url } = await expose({ port, relay: relay.url, token, signal: late.signal });
  expect((await visit(url)).status).toBe(200);
  late.abort();
  // A relay that has just been started holds visitors of an unknown name for some seconds.
  await vi.waitFor(async () => expect((await visit(url)).status).toBe(404), 15_000);
}, 30_000);

test("a function of the caller that throws breaks nothing", async () => {
  const { relay, token } = await aRelay();
  const port = await aService(hello);
  const caught: unknown[] = [];
  const keep = (error: unknown): void => void caught.push(error);
  process.prependListener("uncaughtException", keep);
  const others = process.listeners("uncaughtException").filter((one) => one !== keep);
  for (const one of others) process.removeListener("uncaughtException", one);
  try {
    const exposed = await expose({
      port,
      relay: relay.url,
      token,
      onConnected: () => {
        throw new Error("of the caller");
      },
    });
    atEnd(() => exposed.close());
    await vi.waitFor(() => expect(caught).toHaveLength(1));
    expect((await visit(exposed.url)).status).toBe(200);
  } finally {
    process.removeListener("uncaughtException", keep);
    for (const one of others) process.on("uncaughtException", one);
  }
});

test.runIf(HAS_IPV6)("a service that comes later, and on IPv6 alone, is found", async () => {
  const { relay, token } = await aRelay();
  const port = await aService(hello, "::1");
  const exposed = await expose({ port, relay: relay.url, token });
  atEnd(() => exposed.close());
  expect((await visit(exposed.url)).status).toBe(200);
  const gone = await aService(hello);
  for (const end of ends.splice(-2).toReversed()) end();
  const later = await expose({ port: gone, relay: relay.url, token });
  atEnd(() => later.close());
  expect((await visit(later.url)).status).toBe(502);
  const server = createServer(hello).listen(gone, "::1");
  await once(server, "listening");
  atEnd(() => server.closeAllConnections());
  atEnd(() => server.close());
  await vi.waitFor(async () => expect((await visit(later.url)).status).toBe(200), 5_000);
});

/** The package as it is installed: the built files behind node_modules/tunnel-mcp. */
function installed(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "library-user-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, "node_modules"));
  symlinkSync(ROOT, path.join(folder, "node_modules", "tunnel-mcp"), "junction");
  return folder;
}

const environment = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  ...getDefaultEnvironment(),
  XDG_STATE_HOME: process.env["XDG_STATE_HOME"] ?? "",
  LOCALAPPDATA: process.env["LOCALAPPDATA"] ?? "",
  ...more,
});

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr?.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) resolve(text.split("\n", 1)[0] ?? "");
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}

test.each(["mjs", "cjs"])("the example of ten lines serves from a program of its own (%s)", async (kind) => {
  const { relay, token } = await aRelay();
  const folder = installed();
  const example = readFileSync(path.join(ROOT, "examples", `expose.${kind}`), "utf8");
  writeFileSync(path.join(folder, `example.${kind}`), example);
  const child = spawn(NODE, [path.join(folder, `example.${kind}`)], {
    cwd: folder,
    env: environment({ TUNNEL_RELAY: relay.url, TUNNEL_RELAY_TOKEN: token }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  atEnd(() => child.kill("SIGKILL"));
  const url = await firstLine(child);
  expect(await visit(url)).toMatchObject({ status: 200, body: "hello 127.0.0.1\n" });
});

test.each([
  ["mjs", 'import("tunnel-mcp/expose")'],
  ["cjs", 'Promise.resolve(require("tunnel-mcp/expose"))'],
])("importing it does nothing: no listener, no handle, no global, no output (%s)", async (kind, load) => {
  const folder = installed();
  const program = `
    const facts = () => JSON.stringify({
      listeners: process.eventNames().map(String).sort().map((name) => [name, process.listenerCount(name)]),
      globals: Object.getOwnPropertyNames(globalThis).sort(),
      handles: process.getActiveResourcesInfo(),
      env: Object.keys(process.env).sort(),
      limit: Error.stackTraceLimit,
    });
    process.stdout.write("");
    setTimeout(() => {
      const before = facts();
      ${load}.then(({ expose }) => {
        if (typeof expose !== "function") throw new Error("no function");
        setTimeout(() => console.log(facts() === before ? "nothing" : before + " became " + facts()), 20);
      });
    }, 20);`;
  const file = path.join(folder, `quiet.${kind}`);
  writeFileSync(file, program);
  const { stdout, stderr } = await run(NODE, [file], { cwd: folder, env: environment() });
  expect(stdout).toBe("nothing\n");
  expect(stderr).toBe("");
});

test("a program ends by itself once it has closed", async () => {
  const { relay, token } = await aRelay();
  const folder = installed();
  const file = path.join(folder, "short.mjs");
  writeFileSync(
    file,
    `import { expose } from "tunnel-mcp/expose";
     const exposed = await expose({ port: 9, relay: ${JSON.stringify(relay.url)}, token: process.env.TOKEN });
     await exposed.close();
     console.log("closed");`,
  );
  const { stdout } = await run(NODE, [file], {
    cwd: folder,
    env: environment({ TOKEN: token }),
    timeout: 10_000,
  });
  expect(stdout).toBe("closed\n");
});

const USER = `
const exposed: Promise<{ readonly url: string; close(): Promise<void> }> = expose({
  port: 3000,
  relay: "https://relay.example",
  token: "t",
  subdomain: "shop",
  signal: new AbortController().signal,
  onConnected: (url) => console.log(url.toUpperCase()),
  onDisconnected: (error, { willReconnect }) => console.log(error.code.length, error.nextForPerson, willReconnect),
  onEvicted: () => undefined,
});
void exposed;
// @ts-expect-error a port is a number
void expose({ port: "3000", relay: "x" });
// @ts-expect-error a relay is needed
void expose({ port: 3000 });
// @ts-expect-error nobody can change the address
void exposed.then((one) => { one.url = "x"; });
`;

test("its types hold in both module systems", async () => {
  const folder = installed();
  writeFileSync(path.join(folder, "user.mts"), `import { expose } from "tunnel-mcp/expose";\n${USER}`);
  writeFileSync(
    path.join(folder, "user.cts"),
    `import library = require("tunnel-mcp/expose");\nconst { expose } = library;\n${USER}`,
  );
  const tsc = path.join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const options =
    "--noEmit --strict --module nodenext --target es2022 --types node --skipLibCheck false".split(" ");
  const types = ["--typeRoots", path.join(ROOT, "node_modules", "@types")];
  const checked = await run(NODE, [tsc, ...options, ...types, "user.mts", "user.cts"], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  expect(checked.stdout).toBe("");
}, 60_000);
