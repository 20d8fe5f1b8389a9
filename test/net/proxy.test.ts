import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { HttpsProxyAgent } from "https-proxy-agent";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { createHttpsClient, readBounded } from "../../src/net/https.ts";
import { proxyAgents, proxyVariable } from "../../src/net/proxy.ts";
import { trustOf } from "../../src/net/trust.ts";
import { loadDial } from "../../src/transport/guest-socket.ts";
import { createLookup } from "../../src/net/resolve.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";

type Variables = Record<string, string>;

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "tunnel-mcp-proxy-"));
  const names = "subjectAltName=DNS:far.example";
  const [key, certificate] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
  const curve = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" ");
  const named = ["-subj", "/CN=far.example", "-addext", names, "-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", ...curve, ...named], { stdio: "ignore" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function listening(server: Server | ReturnType<typeof createHttpsServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that knows where every name is: at this port of this machine. `seen` is what it was asked for, with what password. */
async function proxyTo(
  port: number,
  status = 200,
): Promise<{ port: number; seen: (string | undefined)[][] }> {
  const seen: (string | undefined)[][] = [];
  const server = createServer((_, response) => response.writeHead(400).end());
  server.on("connect", (request, socket, head) => {
    seen.push([request.url, request.headers["proxy-authorization"]]);
    cleanups.push(() => socket.destroy());
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const onward = connect({ port, host: "127.0.0.1" }, () => {
      socket.write("HTTP/1.1 200 Yes\r\n\r\n");
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    cleanups.push(() => onward.destroy());
    for (const one of [onward, socket])
      one.on("error", () => [onward, socket].forEach((both) => both.destroy()));
  });
  return { port: await listening(server), seen };
}

const agentsOf = (env: Variables) => proxyAgents(env, trustOf(env));

/** The proxy for a URL, as text. */
function proxyFor(env: Variables, url: string): string | undefined {
  const agent = agentsOf(env)(new URL(url));
  return agent instanceof HttpsProxyAgent ? agent.proxy.href : undefined;
}

describe("the proxy of an address", () => {
  it.each<[Variables, string, string | undefined]>([
    [{}, "wss://far.example/", undefined],
    [{ HTTPS_PROXY: "http://p:1" }, "wss://far.example/", "http://p:1/"],
    [{ https_proxy: "http://p:1" }, "https://far.example/", "http://p:1/"],
    [{ https_proxy: "http://low:1", HTTPS_PROXY: "http://up:1" }, "wss://far.example/", "http://low:1/"],
    [{ https_proxy: "", HTTPS_PROXY: "http://up:1" }, "wss://far.example/", "http://up:1/"],
    [{ HTTPS_PROXY: "p:1" }, "wss://far.example/", "http://p:1/"],
    [{ HTTPS_PROXY: "https://p:1" }, "wss://far.example/", "https://p:1/"],
    [{ HTTP_PROXY: "http://p:1" }, "wss://far.example/", undefined],
    [{ HTTP_PROXY: "http://p:1" }, "ws://far.example/", "http://p:1/"],
    [{ ALL_PROXY: "http://p:1" }, "ws://far.example/", "http://p:1/"],
    [{ ALL_PROXY: "http://p:1" }, "ws://127.example.com/", "http://p:1/"],
    [{ ALL_PROXY: "http://all:1", HTTPS_PROXY: "http://p:1" }, "wss://far.example/", "http://p:1/"],
  ])("is that of the environment: %j %s", (env, url, expected) => {
    expect(proxyFor(env, url)).toBe(expected);
  });

  it.each([
    "ws://127.0.0.1:80/",
    "ws://127.8.8.8/",
    "ws://localhost:80/",
    "ws://[::1]:80/",
    "ws://a.localhost/",
  ])("is never asked for this machine itself: %s", (url) => {
    expect(proxyFor({ ALL_PROXY: "http://p:1" }, url)).toBeUndefined();
  });

  it.each<[string, string, boolean]>([
    ["*", "wss://far.example/", true],
    ["far.example", "wss://far.example/", true],
    ["far.example", "wss://a.far.example/", true],
    [".far.example", "wss://a.far.example/", true],
    [".far.example", "wss://far.example/", true],
    ["*.far.example", "wss://a.far.example/", true],
    ["FAR.example", "wss://far.EXAMPLE/", true],
    ["far.example.", "wss://far.example/", true],
    ["far.example", "wss://notfar.example/", false],
    ["far.example:443", "wss://far.example/", true],
    ["far.example:8443", "wss://far.example/", false],
    ["far.example:8443", "wss://far.example:8443/", true],
    ["near.example, far.example", "wss://far.example/", true],
    ["near.example far.example", "wss://far.example/", true],
    ["192.168.0.7", "ws://192.168.0.7/", true],
    ["192.168.0.0/16", "ws://192.168.9.9/", true],
    ["192.168.0.0/16", "ws://192.169.0.1/", false],
    ["192.168.0.0/99", "ws://192.168.0.1/", false],
    ["fd00::/8", "ws://[fd12::1]/", true],
    ["[fd12::1]:80", "ws://[fd12::1]/", true],
    ["[fd12::1]:81", "ws://[fd12::1]/", false],
    ["", "wss://far.example/", false],
    [", ,", "wss://far.example/", false],
  ])("is left out by NO_PROXY=%j for %s: %s", (list, url, isExempt) => {
    const env = { ALL_PROXY: "http://p:1", NO_PROXY: list };
    expect(proxyFor(env, url) === undefined).toBe(isExempt);
  });

  it.each(["socks5://user:hunter2@p:1", "ftp://p", "http://", "http://p:99999", "not a proxy"])(
    "is refused with the variable's name and form, and without its value: %s",
    (value) => {
      const use = () => agentsOf({ HTTPS_PROXY: value })(new URL("wss://far.example/"));
      expect(use).toThrow(TunnelError);
      expect(use).toThrow(/HTTPS_PROXY must be http:\/\/HOST:PORT/);
      expect(use).not.toThrow("hunter2");
    },
  );

  it("is named for texts by its variable", () => {
    expect(proxyVariable({ https_proxy: "http://p:1" })).toBe("https_proxy");
    expect(proxyVariable({ ALL_PROXY: "http://p:1" })).toBe("ALL_PROXY");
    expect(proxyVariable({ HTTP_PROXY: "http://p:1" })).toBeUndefined();
  });
});

describe("through a proxy", () => {
  async function dialled(env: Variables, url: string): Promise<string> {
    const trust = trustOf(env);
    const dial = await loadDial({ proxies: proxyAgents(env, trust), trust });
    const socket = dial(url, createLookup({ doh: false }));
    cleanups.push(() => socket.terminate());
    return new Promise((resolve) => {
      socket.on("message", (data: Buffer) => resolve(data.toString()));
      socket.on("unexpected-response", (_, response) => resolve(`HTTP ${response.statusCode}`));
      socket.on("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    });
  }

  async function socketServer(): Promise<number> {
    const server = createServer();
    new WebSocketServer({ server }).on("connection", (socket) => {
      cleanups.push(() => socket.terminate());
      socket.send("hello");
    });
    return listening(server);
  }

  it("a WebSocket reaches a name that only the proxy knows, with the password of the URL", async () => {
    const { port, seen } = await proxyTo(await socketServer());
    const env = { HTTP_PROXY: `http://user:p%40ss@127.0.0.1:${port}` };
    expect(await dialled(env, "ws://far.example:8123/t/room")).toBe("hello");
    expect(seen).toEqual([["far.example:8123", `Basic ${Buffer.from("user:p@ss").toString("base64")}`]]);
  });

  it.each([
    [407, "proxy-auth"],
    [403, "proxy-refused"],
    [502, "proxy-refused"],
  ])("HTTP %i of the proxy itself is %s, and not the host's", async (status, code) => {
    const { port } = await proxyTo(1, status);
    expect(await dialled({ HTTP_PROXY: `http://127.0.0.1:${port}` }, "ws://far.example/t/room")).toBe(code);
  });

  it("a proxy that is not there is no word about the host", async () => {
    const { port } = await proxyTo(1);
    for (const cleanup of cleanups.splice(0)) await cleanup();
    expect(await dialled({ HTTP_PROXY: `http://127.0.0.1:${port}` }, "ws://far.example/t/room")).toBe(
      "proxy-unreachable",
    );
  });

  it("an HTTPS request goes by name, trusts NODE_EXTRA_CA_CERTS, and keeps TLS to the far end", async () => {
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => readFileSync(path.join(folder, name)));
    const target = await listening(createHttpsServer({ key, cert }, (_, response) => response.end("far")));
    const { port, seen } = await proxyTo(target);
    const env = { HTTPS_PROXY: `http://127.0.0.1:${port}` };
    const get = {
      url: new URL("https://far.example/x"),
      address: "192.0.2.1",
      signal: AbortSignal.timeout(5_000),
    };
    const trusting = { ...env, NODE_EXTRA_CA_CERTS: path.join(folder, "cert.pem") };
    const client = createHttpsClient({ proxies: agentsOf(trusting), trust: trustOf(trusting) });
    const response = await client(get);
    expect(Buffer.from(await readBounded(response, 100)).toString()).toBe("far");
    expect(seen).toEqual([["far.example:443", undefined]]);
    const wary = createHttpsClient({ proxies: agentsOf(env), trust: trustOf(env) });
    await expect(wary(get)).rejects.toThrow(/self-signed|self signed/);
  });
});

describe("the certificates that are trusted", () => {
  it("are read once, and a file that is missing or no certificate adds nothing", () => {
    const read: string[] = [];
    const trust = trustOf({ NODE_EXTRA_CA_CERTS: "/extra", SSL_CERT_FILE: "/own" }, [], (file) => {
      read.push(file);
      if (file === "/own") return "no certificate";
      throw new Error("not there");
    });
    expect(trust()).toBe(trust());
    expect(read.filter((file) => file === "/extra" || file === "/own")).toEqual(["/extra", "/own"]);
  });
});
