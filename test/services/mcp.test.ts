import { once } from "node:events";
import { createServer } from "node:http";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { McpServer, createMcpHandler } from "@modelcontextprotocol/server";
import * as z from "zod";
import { OutboundFilter } from "../../src/oversight/filter/filter.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { StdioMeans } from "../../src/bridge/stdio/stdio-servers.ts";
import type { Listening } from "../../src/services/taker/listener.ts";
import type { TunnelServices } from "../../src/services/tunnels/tunnel-services.ts";
import { realServer, type SdkEra } from "../bridge/support.ts";
import { Choices, FORMS } from "../oversight/filter/corpus.ts";
import { gone, until } from "../support/processes.ts";
import { later, never, room, share, type Side } from "./scene.ts";

const filter = new OutboundFilter(systemClock, new URL("../../dist/scanning.cjs", import.meta.url));
afterAll(() => filter.close());
const SECRET = FORMS.find(({ name }) => name === "GitHub classic")?.make(new Choices("mcp")) ?? "";

function means(mode: string): { readonly stdio: StdioMeans; readonly notes: () => string[] } {
  const { start, notes } = realServer(mode);
  const command = { file: "", args: [], env: {}, cwd: "" };
  return { notes, stdio: { commandNamed: () => Promise.resolve(command), start: () => start } };
}

/** Asks as a program of the taker's machine does. */
async function clientAt(listening: Listening, era: SdkEra): Promise<Client> {
  const { token } = listening;
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: "2026-07-28" } } },
  );
  const headers = token === undefined ? {} : { [token.field]: token.value };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(listening.newUrl()), { requestInit: { headers } }),
  );
  later(() => client.close());
  return client;
}

const words = (result: { content?: unknown }): unknown => (result.content as { text?: string }[])[0]?.text;

async function offered(owner: Side, taker: Side, request: Partial<Parameters<TunnelServices["offer"]>[0]>) {
  return share(owner, taker, { kind: "mcp", ...request } as Parameters<typeof share>[2]);
}

/** A server of the SDK that speaks HTTP, with sessions of its own in no era. */
async function httpServer(): Promise<{ port: number; heard: () => string[] }> {
  const heard: string[] = [];
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "web", version: "1" });
    server.registerTool("search_books", { inputSchema: z.object({ q: z.string() }) }, ({ q }) => ({
      content: [{ type: "text", text: `found ${q}` }],
    }));
    server.registerTool("delete_all", {}, () => ({ content: [{ type: "text", text: "gone" }] }));
    return server;
  });
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      const body = Buffer.concat(chunks);
      heard.push(
        `${request.method ?? ""} ${request.url ?? ""} ${request.headers.host ?? ""} ${body.toString()}`,
      );
      if (request.url !== "/deep/mcp?v=1") return void response.writeHead(404).end("no");
      const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [
        name,
        String(value),
      ]);
      const asked = new Request(`http://localhost${request.url}`, {
        method: request.method ?? "GET",
        headers,
        body,
      });
      const reply = async (): Promise<void> => {
        const answer = await handler.fetch(asked);
        response.writeHead(answer.status, Object.fromEntries(answer.headers));
        response.end(Buffer.from(await answer.arrayBuffer()));
      };
      void reply();
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  later(() => {
    http.closeAllConnections();
    http.close();
  });
  return { port: (http.address() as AddressInfo).port, heard: () => heard };
}

describe.each<SdkEra>(["legacy", "modern"])(
  "an MCP server of a member, for a client in the %s era",
  (era) => {
    it("runs as a stdio server of its owner, and is used on the taker's loopback", async () => {
      const { stdio, notes } = means("both");
      const { ana, ben } = await room(["ben"], { stdio });
      const { serviceId, listening } = await offered(ana, ben, {
        target: "store",
        tools: ["search_*", "wait"],
      });
      expect(listening.newUrl()).toMatch(/^http:\/\/[^/]+\/mcp$/);
      const client = await clientAt(listening, era);
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual([
        "search_books",
        "search_people",
        "wait",
      ]);
      expect(words(await client.callTool({ name: "search_books", arguments: { q: "sea" } }))).toMatch(
        /^found sea/,
      );
      const progress: number[] = [];
      const onprogress = (note: { progress: number }): void => void progress.push(note.progress);
      await client.callTool({ name: "wait", arguments: { ms: 600, notes: 2 } }, { onprogress });
      expect(progress).toEqual([1, 2]);
      await expect(client.callTool({ name: "delete_all", arguments: {} })).rejects.toThrow(/does not let/);
      const own = ana.services.owner.find(serviceId);
      expect(own?.handler.calls?.last.map(({ name, end, who }) => [name, end, who])).toContainEqual([
        "search_books",
        "answered",
        ben.session.self,
      ]);
      expect(own?.handler.target).toBe("the stdio server store");
      const [pid] = notes().map(Number);
      await ana.services.stop(serviceId);
      await gone(pid ?? 0);
    });

    it("speaks HTTP itself: its path, its Host and its answers stay, and a tool that is not allowed never reaches it", async () => {
      const { port, heard } = await httpServer();
      const { ana, ben } = await room(["ben"]);
      const { listening } = await offered(ana, ben, {
        target: `http://localhost:${port}/deep/mcp?v=1`,
        tools: ["search_books"],
      });
      const client = await clientAt(listening, era);
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["search_books"]);
      expect(words(await client.callTool({ name: "search_books", arguments: { q: "sea" } }))).toBe(
        "found sea",
      );
      await expect(client.callTool({ name: "delete_all", arguments: {} })).rejects.toThrow(/does not let/);
      const posts = heard().filter((line) => line.startsWith("POST"));
      expect(posts.join("\n")).not.toMatch(/delete_all","arguments|X-Tunnel|sampling/i);
      expect(posts.every((line) => line.includes(` localhost:${port} `))).toBe(true);
    });
  },
);

it("between two guests, sealed through the host", async () => {
  const { stdio } = means("legacy");
  const { ben, cleo } = await room(["ben", "cleo"], { stdio });
  const { listening } = await offered(ben, cleo, { target: "echo" });
  const client = await clientAt(listening, "legacy");
  expect(words(await client.callTool({ name: "echo", arguments: { a: 1 } }))).toContain('"a":1');
});

it("only the token lets a program of the machine in: no browser, no other header", async () => {
  const { stdio } = means("legacy");
  const { ana, ben } = await room(["ben"], { stdio });
  const { listening } = await offered(ana, ben, { target: "echo" });
  const ask = (headers: Record<string, string>, path = "/mcp"): Promise<number> =>
    new Promise((resolve, reject) => {
      const { host, port } = listening;
      const all = {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        ...headers,
      };
      const request = httpRequest(
        { host, port, path, method: "POST", headers: all, agent: false },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      request.once("error", reject);
      request.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
    });
  const { field = "", value = "" } = listening.token ?? {};
  expect(await ask({ [field]: value })).toBe(200);
  expect(await ask({})).toBe(403);
  expect(await ask({ [field]: `${value}x` })).toBe(403);
  expect(await ask({ [field]: value, Origin: "http://evil.example" })).toBe(403);
  expect(await ask({ [field]: value, Host: "evil.example" })).toBeGreaterThanOrEqual(400);
  expect(await ask({ [field]: value }, "/other")).toBe(404);
});

describe("an answer with a secret", () => {
  it("waits for its owner's person, who lets exactly these bytes go", async () => {
    const { stdio } = means("both");
    const { ana, ben } = await room(["ben"], { stdio, scanner: filter });
    const { listening, serviceId } = await offered(ana, ben, { target: "store" });
    const client = await clientAt(listening, "legacy");
    const { asks } = ana.sessions.overseer;
    const call = client.callTool({ name: "secret", arguments: { value: SECRET } });
    await until("it is asked", () => asks.waiting.length === 1);
    const [ask] = asks.waiting;
    expect(ask?.subject).toMatchObject({ kind: "result", call: "tools/call secret", memberName: "ben" });
    expect(JSON.stringify(ask)).not.toContain(SECRET.slice(8));
    expect(JSON.stringify(ask)).toContain("the token is");
    asks.decide(ask?.id ?? 0, ask?.digest ?? "", { verdict: "approve" }, { path: "watch" });
    expect(words(await call)).toBe(`the token is ${SECRET}`);
    // The same bytes are not asked about again.
    expect(words(await client.callTool({ name: "secret", arguments: { value: SECRET } }))).toContain(SECRET);
    expect(ana.services.owner.find(serviceId)?.handler.calls?.last.at(-1)).toMatchObject({ end: "answered" });
  });

  it("does not leave when they say no, and the caller is told why", async () => {
    const { stdio } = means("both");
    const { ana, ben } = await room(["ben"], { stdio, scanner: filter });
    const { listening, serviceId } = await offered(ana, ben, { target: "store" });
    const client = await clientAt(listening, "modern");
    const { asks } = ana.sessions.overseer;
    const call = client.callTool({ name: "secret", arguments: { value: SECRET } });
    await until("it is asked", () => asks.waiting.length === 1);
    const [ask] = asks.waiting;
    asks.decide(ask?.id ?? 0, ask?.digest ?? "", { verdict: "refuse" }, { path: "watch" });
    await expect(call).rejects.toThrow(/looks like a secret/);
    await expect(client.callTool({ name: "secret", arguments: { value: SECRET } })).rejects.toThrow(
      /has said no/,
    );
    expect(ana.services.owner.find(serviceId)?.handler.calls?.last.at(-1)).toMatchObject({ end: "withheld" });
  });

  it("is no longer asked about when nobody waits for it", async () => {
    const { stdio } = means("both");
    const { ana, ben } = await room(["ben"], { stdio, scanner: filter });
    const { listening } = await offered(ana, ben, { target: "store" });
    const client = await clientAt(listening, "modern");
    const abort = new AbortController();
    const call = client.callTool({ name: "secret", arguments: { value: SECRET } }, { signal: abort.signal });
    call.catch(() => undefined);
    const { asks } = ana.sessions.overseer;
    await until("it is asked", () => asks.waiting.length === 1);
    abort.abort();
    await until("it is withdrawn", () => asks.waiting.length === 0);
  });
});

describe("what a taker is told of a server", () => {
  it("is bounded, whatever its owner's server says", async () => {
    const { stdio } = means("pages");
    const { ana, ben } = await room(["ben"], { stdio });
    const { serviceId } = await offered(ana, ben, { target: "pages" });
    const taken = ben.services.taker.taken.find(({ heard }) => heard.serviceId === serviceId);
    if (taken === undefined) throw new Error("not taken");
    const survey = await ben.services.survey(taken, never);
    expect([survey.tools.length, survey.hasMore]).toEqual([200, true]);
  });
});

describe("an offer of an MCP server that cannot be", () => {
  it.each([
    ["dead", { target: "store" }, "mcp-server-failed"],
    ["both", { target: "store", tools: ["no spaces"] }, "mcp-tools-invalid"],
    ["both", { target: "store", tools: [] }, "mcp-tools-invalid"],
    ["both", { target: "node evil.js" }, "service-invalid"],
    ["both", { target: "http://example.com/mcp" }, "service-target-not-local"],
    ["both", { target: "localhost:22/mcp" }, "service-target-refused"],
    ["both", { target: "localhost:5432" }, "service-to-all"],
    ["both", { target: "http://localhost:3000/mcp#x" }, "service-invalid"],
  ])("(%s) %j is refused with %s", async (mode, request, code) => {
    const { stdio, notes } = means(mode);
    const { ana } = await room(["ben"], { stdio });
    const offer = ana.services.offer({ kind: "mcp", ...request }, never);
    await expect(offer).rejects.toMatchObject({ code });
    await Promise.all(
      notes()
        .filter(Boolean)
        .map((pid) => gone(Number(pid))),
    );
  });

  it("an HTTP service that is no MCP server", async () => {
    const { port } = await httpServer();
    const { ana } = await room(["ben"]);
    const offer = ana.services.offer({ kind: "mcp", target: port }, never);
    await expect(offer).rejects.toMatchObject({ code: "mcp-server-unfit" });
  });
});
