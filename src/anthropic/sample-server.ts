/**
 * The sample MCP server, as it is written into the folder: one file without dependencies, so that the first call through a tunnel
 * needs nothing else. It keeps no state, and speaks the revisions of 2025 and that of 2026-07-28.
 */
export const SAMPLE_SERVER = `// A sample MCP server: two tools, no dependencies. Put a server of your own in its place.
import { createServer } from "node:http";
import { env } from "node:process";

const MODERN = "2026-07-28";
const META = "io.modelcontextprotocol/";
const MAX_BODY = 1_000_000;
const serverInfo = { name: "sample", version: "1.0.0" };
const capabilities = { tools: {} };
const TOOLS = [
  {
    name: "echo",
    description: "Says back what it is given.",
    inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
  },
  { name: "now", description: "Tells the server's time (UTC).", inputSchema: { type: "object", properties: {} } },
];

const text = (words) => ({ content: [{ type: "text", text: words }] });
const failure = (code, message) => ({ error: { code, message } });

function answer(method, params, isModern) {
  const cached = isModern ? { ttlMs: 0, cacheScope: "private" } : {};
  switch (method) {
    case "initialize":
      return { result: { protocolVersion: "2025-06-18", capabilities, serverInfo } };
    case "server/discover": {
      const _meta = { [META + "serverInfo"]: serverInfo };
      return { result: { supportedVersions: [MODERN], capabilities, _meta, ...cached } };
    }
    case "ping":
      return { result: {} };
    case "tools/list":
      return { result: { tools: TOOLS, ...cached } };
    case "tools/call":
      if (params.name === "echo") return { result: text(String(params.arguments?.text ?? "")) };
      if (params.name === "now") return { result: text(new Date().toISOString()) };
      return failure(-32602, "unknown tool");
    default:
      return failure(-32601, "unknown method");
  }
}

function send(response, status, value) {
  const body = value === undefined ? "" : JSON.stringify(value);
  response.writeHead(status, body === "" ? {} : { "content-type": "application/json" }).end(body);
}

async function serve(request, response) {
  if (request.headers.origin !== undefined) return send(response, 403);
  if (request.url?.split("?")[0] !== "/mcp") return send(response, 404);
  if (request.method !== "POST") return send(response, 405);
  let body = "";
  request.setEncoding("utf8");
  for await (const chunk of request) {
    body += chunk;
    if (body.length > MAX_BODY) return send(response, 413);
  }
  let frame;
  try {
    frame = JSON.parse(body);
  } catch {
    return send(response, 400);
  }
  if (typeof frame?.method !== "string") return send(response, 400);
  if (frame.id === undefined) return send(response, 202);
  const params = frame.params ?? {};
  const isModern = params._meta?.[META + "protocolVersion"] === MODERN;
  const said = answer(frame.method, params, isModern);
  if (isModern && said.result !== undefined) said.result.resultType = "complete";
  const status = isModern && said.error?.code === -32601 ? 404 : 200;
  send(response, status, { jsonrpc: "2.0", id: frame.id, ...said });
}

const server = createServer((request, response) => {
  serve(request, response).catch(() => response.destroy());
});
const { PORT = "9000", HOST = "0.0.0.0" } = env;
server.listen(Number(PORT), HOST, () => process.stdout.write("sample MCP server on port " + server.address().port + "\\n"));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(0));
`;
