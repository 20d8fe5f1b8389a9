import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { createServer } from "node:tls";
import { createInterface } from "node:readline";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Agent, fetch as fetchBy } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { SAMPLE_SERVER } from "../../src/anthropic/sample-server.ts";
import { readProxyFile, upstreamFor } from "../../src/anthropic/proxy-file.ts";
import { must } from "../../src/errors/must.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { CA, certificate, HAS_OPENSSL, LEAF } from "./openssl.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});
const folder = temporaryFolders();

/** The file as it is written into a tunnel's folder, run as its container runs it. @returns its port */
async function sample(): Promise<number> {
  const file = path.join(folder(), "server.mjs");
  writeFileSync(file, SAMPLE_SERVER);
  const child = spawn(process.execPath, [file], {
    env: { PORT: "0", HOST: "127.0.0.1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  ends.push(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  for await (const line of createInterface(must(child.stdout, "its output")))
    if (line.startsWith("sample")) return Number(line.split(" ").at(-1));
  throw new Error("the sample server did not start");
}

async function client(
  url: string,
  era: "legacy" | "modern",
  fetch?: typeof globalThis.fetch,
): Promise<Client> {
  const mode = era === "legacy" ? "legacy" : { pin: "2026-07-28" };
  const one = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  await one.connect(new StreamableHTTPClientTransport(new URL(url), fetch === undefined ? {} : { fetch }));
  ends.push(() => one.close());
  return one;
}

describe("the sample server", () => {
  it.each(["legacy", "modern"] as const)("is used by a client of the SDK in the %s era", async (era) => {
    const one = await client(`http://127.0.0.1:${await sample()}/mcp`, era);
    expect((await one.listTools()).tools.map(({ name }) => name)).toEqual(["echo", "now"]);
    const { content } = await one.callTool({ name: "echo", arguments: { text: "héllo" } });
    expect(content).toEqual([{ type: "text", text: "héllo" }]);
    await expect(one.callTool({ name: "nothing", arguments: {} })).rejects.toThrow("unknown tool");
  });

  it("refuses what is none of its business", async () => {
    const url = `http://127.0.0.1:${await sample()}`;
    const post = (body: string, headers: Record<string, string> = {}, at = "/mcp"): Promise<number> =>
      fetch(url + at, { method: "POST", body, headers }).then(({ status }) => status);
    expect(await post("{")).toBe(400);
    expect(await post("7")).toBe(400);
    expect(await post("{}", { origin: "https://evil.example" })).toBe(403);
    expect(await post("{}", {}, "/")).toBe(404);
    expect(await post(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }))).toBe(202);
    expect(await fetch(`${url}/mcp`).then(({ status }) => status)).toBe(405);
    expect(await post("x".repeat(1_100_000)).catch(() => 413)).toBe(413);
    // It lives on.
    expect(await post('{"jsonrpc":"2.0","id":1,"method":"ping"}')).toBe(200);
  });
});

it.skipIf(!HAS_OPENSSL)(
  "a stand-in for Anthropic reaches the sample server by TLS with SNI, the route and an MCP call (needs openssl)",
  async () => {
    const domain = "abcd1234.tunnel.anthropic.com";
    const port = await sample();
    const { file } = readProxyFile(
      `listen_addr: ":8080"\ntunnel_domain: ${domain}\nroutes:\n  echo: http://127.0.0.1:${port}\n`,
    );
    const ca = certificate(folder(), { extensions: CA });
    const leaf = certificate(folder(), { extensions: LEAF(domain), ca });
    const asked: (string | false | null)[] = [];
    // The proxy's part: ends TLS, looks for the route by the name asked for, passes bytes on.
    const proxy = createServer({ cert: leaf.cert, key: leaf.key }, (socket) => {
      asked.push(socket.servername);
      const upstream = upstreamFor(String(socket.servername), must(file, "a proxy file"));
      if (upstream === undefined) return void socket.end("HTTP/1.1 502 No route configured for host\r\n\r\n");
      const { hostname, port: to } = new URL(upstream);
      let head = "";
      socket.setEncoding("utf8").on("data", (text: string) => {
        head += text;
        const [start = "", body] = head.split("\r\n\r\n");
        const length = Number(/content-length: (\d+)/i.exec(start)?.[1] ?? 0);
        if (body === undefined || Buffer.byteLength(body) < length) return;
        head = "";
        const [method, at] = start.split(" ");
        const headers = Object.fromEntries(
          start
            .split("\r\n")
            .slice(1)
            .map((line) => [line.split(": ")[0] ?? "", line.split(": ").slice(1).join(": ")]),
        );
        const forward = httpRequest({ hostname, port: to, method, path: at, headers }, (answer) => {
          answer.setEncoding("utf8");
          let said = "";
          answer
            .on("data", (part: string) => (said += part))
            .on("end", () =>
              socket.write(
                `HTTP/1.1 ${answer.statusCode} x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(said)}\r\n\r\n${said}`,
              ),
            );
        });
        forward.end(body);
      });
      socket.on("error", () => undefined);
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    ends.push(() => proxy.close());
    const to = (proxy.address() as AddressInfo).port;
    // Anthropic's part: knows the CA alone, and the name.
    const dispatcher = new Agent({
      connect: {
        ca: ca.cert,
        servername: `echo.${domain}`,
        lookup: (_name, _options, found) => found(null, [{ address: "127.0.0.1", family: 4 }]),
      },
    });
    ends.push(() => dispatcher.destroy());
    const through = ((url: never, init: object) =>
      fetchBy(url, { ...init, dispatcher })) as unknown as typeof fetch;
    const one = await client(`https://echo.${domain}:${to}/mcp`, "modern", through);
    const { content } = await one.callTool({ name: "echo", arguments: { text: "through" } });
    expect(content).toEqual([{ type: "text", text: "through" }]);
    expect(new Set(asked)).toEqual(new Set([`echo.${domain}`]));
  },
);
