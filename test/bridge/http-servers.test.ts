import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { HttpBackend } from "../../src/bridge/http/http-backend.ts";
import { BRIDGE_LIMITS, type BridgeLimits } from "../../src/bridge/protocol/limits.ts";
import { survey } from "../../src/bridge/survey.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { later, legacyRequest, modern, send, serve, type Answer, type Served } from "./support.ts";

interface Heard {
  readonly method: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: { readonly id?: unknown; readonly method: string; readonly params: Record<string, unknown> };
}

const LIMITS: Partial<BridgeLimits> = { resultChars: 100_000, callIdleMs: 1_000, callMs: 3_000 };

/** An MCP server over HTTP that does as it is told, behind a bridge. */
async function scene(
  answer: (heard: Heard, response: ServerResponse) => void,
): Promise<Served & { readonly heard: Heard[]; readonly backend: HttpBackend; readonly open: () => number }> {
  const heard: Heard[] = [];
  let open = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      const { method, headers } = request;
      const one = { method, headers, body: JSON.parse(String(Buffer.concat(chunks))) as Heard["body"] };
      heard.push(one);
      answer(one, response);
    });
  });
  server.on("connection", (socket) => {
    open += 1;
    socket.once("close", () => (open -= 1));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const place = { dial: () => connect(port, "127.0.0.1"), host: `localhost:${port}`, path: "/mcp" };
  const backend = new HttpBackend({
    clock: systemClock,
    place: () => place,
    limits: { ...BRIDGE_LIMITS, ...LIMITS },
  });
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  return { ...(await serve(backend, { limits: LIMITS })), heard, backend, open: () => open };
}

const json = (
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void =>
  void response
    .writeHead(status, { "Content-Type": "application/json", ...headers })
    .end(JSON.stringify(value));
const events = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { "Content-Type": "text/event-stream" });
const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const list = legacyRequest("mine", "tools/list");
const why = (answer: Answer): unknown => answer.json.error?.message;

describe("an MCP server over HTTP", () => {
  it("keeps its sessions, and the fields of MCP go on as they came, but for what is the visitor's", async () => {
    const { url, heard } = await scene(({ body }, response) => {
      if (body.id === undefined) return void response.writeHead(202).end();
      const result = {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {}, logging: {} },
        serverInfo: {},
      };
      return json(response, 200, { jsonrpc: "2.0", id: body.id, result }, { "Mcp-Session-Id": "abc" });
    });
    const params = { protocolVersion: "2025-11-25", capabilities: { sampling: {}, roots: {} } };
    const opened = await send(url, legacyRequest(5, "initialize", params), {
      Authorization: "Bearer x",
      Cookie: "a=b",
      "X-Tunnel-Token": "t",
    });
    expect([opened.headers.get("mcp-session-id"), opened.json.id]).toEqual(["abc", 5]);
    expect(opened.json.result?.["capabilities"]).toEqual({ tools: {} });
    await send(url, { jsonrpc: "2.0", method: "notifications/initialized" }, { "Mcp-Session-Id": "abc" });
    await send(url, list, {
      "Mcp-Session-Id": "abc",
      "MCP-Protocol-Version": "2025-11-25",
      "Mcp-Param-Region": "eu",
    });
    expect(heard.map(({ body }) => body.method)).toEqual([
      "initialize",
      "notifications/initialized",
      "tools/list",
    ]);
    expect(heard[0]?.body.params["capabilities"]).toEqual({});
    expect(heard[1]?.headers["mcp-session-id"]).toBe("abc");
    expect(heard[2]?.headers).toMatchObject({
      "mcp-param-region": "eu",
      "mcp-protocol-version": "2025-11-25",
    });
    expect(JSON.stringify(heard)).not.toMatch(/bearer|a=b|x-tunnel-token/i);
  });

  it("answers in a stream: progress goes on, its own requests and notices do not", async () => {
    const { url } = await scene(({ body }, response) => {
      events(response).write(event({ jsonrpc: "2.0", method: "notifications/tools/list_changed" }));
      response.write(event({ jsonrpc: "2.0", id: 1, method: "sampling/createMessage", params: {} }));
      const progress = { progressToken: "p", progress: 1, message: "half" };
      response.write(event({ jsonrpc: "2.0", method: "notifications/progress", params: progress }));
      response.write("data: no json\n\n");
      setTimeout(() => response.write(event({ jsonrpc: "2.0", id: body.id, result: { content: [] } })), 200);
    });
    const params = { name: "x", _meta: { progressToken: "p" } };
    const { text } = await send(url, legacyRequest("mine", "tools/call", params));
    expect(text.match(/"method":"[^"]*"/g)).toEqual(['"method":"notifications/progress"']);
    expect(text).toContain('"id":"mine","result":{"content":[]}');
  });

  it.each<[string, (heard: Heard, response: ServerResponse) => void, unknown]>([
    [
      "cuts its answer",
      (_heard, response) => void response.writeHead(200, { "Content-Length": 50 }).write("{"),
      "the MCP server has not answered in time",
    ],
    ["says nothing", () => undefined, "the MCP server has not answered in time"],
    [
      "answers without end",
      (_heard, response) => {
        response.writeHead(200, { "Content-Type": "application/json" });
        const more = (): void => {
          while (response.write("x".repeat(65_536)));
          response.once("drain", more);
        };
        more();
      },
      "the answer of the MCP server is too large; ask for less",
    ],
    [
      "streams without end, and never answers",
      (_heard, response) => {
        events(response);
        const timer = setInterval(() => response.write(": x\n\n"), 100);
        response.once("close", () => clearInterval(timer));
      },
      "the MCP server has not answered in time",
    ],
    [
      "has an event without end",
      (_heard, response) => {
        events(response).write("data: ");
        const more = (): void => {
          while (response.write("x".repeat(65_536)));
          response.once("drain", more);
        };
        more();
      },
      "the answer of the MCP server is too large; ask for less",
    ],
    [
      "ends its stream without an answer",
      (_heard, response) => void events(response).end(": bye\n\n"),
      "the MCP server has answered with status 200",
    ],
    [
      "leads elsewhere",
      (_heard, response) => void response.writeHead(307, { Location: "http://192.0.2.1/" }).end(),
      "the MCP server has answered with status 307",
    ],
    [
      "wants credentials",
      (_heard, response) => void response.writeHead(401, { "WWW-Authenticate": "Bearer" }).end("no"),
      "the MCP server has answered with status 401",
    ],
    [
      "is a web page",
      (_heard, response) => void response.writeHead(200, { "Content-Type": "text/html" }).end("<p>hi"),
      "what answers is no MCP server",
    ],
    [
      "answers somebody else",
      ({ body }, response) => json(response, 200, { jsonrpc: "2.0", id: `${String(body.id)}x`, result: {} }),
      "the MCP server has answered with status 200",
    ],
    ["closes at once", (_heard, response) => void response.destroy(), "the MCP server cannot be reached"],
  ])("that %s is refused in words of ours, and nothing is left open", async (_what, answer, words) => {
    const { url, open } = await scene(answer);
    expect(why(await send(url, list))).toBe(words);
    await expect.poll(open).toBe(0);
  });

  it("refuses with its own error and status: an unknown session, a method that is not there", async () => {
    const { url } = await scene(({ body, headers }, response) => {
      const error = { code: -32_001, message: "Session not found" };
      if (headers["mcp-session-id"] !== undefined)
        return json(response, 404, { jsonrpc: "2.0", id: null, error });
      return json(response, 400, {
        jsonrpc: "2.0",
        id: body.id,
        error: { code: -32_020, message: "HeaderMismatch" },
      });
    });
    const lost = await send(url, list, { "Mcp-Session-Id": "old" });
    expect([lost.status, lost.json.id, lost.json.error?.message]).toEqual([404, "mine", "Session not found"]);
    const refused = await modern(url, "tools/list");
    expect([refused.status, refused.json.error?.code]).toEqual([400, -32_020]);
  });

  it("that has no end of tools, or lies about them, is surveyed in bounds", async () => {
    const { backend, heard } = await scene(({ body }, response) => {
      if (body.id === undefined) return void response.writeHead(202).end();
      const tools = [
        { name: "a b" },
        { name: "x".repeat(500) },
        7,
        { name: "ok", description: "d".repeat(5_000) },
        { name: 3 },
      ];
      const result =
        body.method === "initialize"
          ? {
              protocolVersion: "2025-11-25",
              capabilities: { tools: {} },
              serverInfo: { name: "n".repeat(1_000) },
            }
          : { tools, nextCursor: "again" };
      return json(response, 200, { jsonrpc: "2.0", id: body.id, result });
    });
    const found = await survey(backend, new AbortController().signal);
    expect([found.serverName.length, found.hasMore, found.tools.length]).toEqual([64, true, 5]);
    expect(found.tools.every(({ name, description }) => name === "ok" && description.length === 1_000)).toBe(
      true,
    );
    expect(heard.filter(({ body }) => body.method === "tools/list")).toHaveLength(5);
  });
});
