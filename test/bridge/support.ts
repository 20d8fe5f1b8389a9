import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Bridge, type BridgeOptions } from "../../src/bridge/http/bridge.ts";
import type { Backend } from "../../src/bridge/backend.ts";
import { BRIDGE_LIMITS, type BridgeLimits } from "../../src/bridge/protocol/limits.ts";
import type { CallRecord } from "../../src/bridge/log.ts";
import { AllowedTools } from "../../src/bridge/protocol/tools.ts";
import { StdioBackend } from "../../src/bridge/stdio/stdio-backend.ts";
import type { StartServer } from "../../src/bridge/stdio/stdio-server.ts";
import { startChild } from "../../src/children/start.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { atEnd } from "../support/at-end.ts";

export const later: (close: () => Promise<unknown> | void) => void = atEnd;

const SERVER = fileURLToPath(new URL("../support/mcp-server.mjs", import.meta.url));

export interface Started {
  readonly start: StartServer;
  /** What the servers have written down, a line each: their numbers first. */
  readonly notes: () => string[];
  readonly folder: string;
}

/** Starts the server of test/support in a mode, as a real process under a guard. */
export function realServer(mode: string, clock: Clock = systemClock): Started {
  const folder = mkdtempSync(join(tmpdir(), "tunnel-bridge-test-"));
  later(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "notes");
  return {
    folder,
    notes: () => {
      try {
        return readFileSync(file, "utf8").trim().split("\n");
      } catch {
        return [];
      }
    },
    start: (io) =>
      startChild({
        ...io,
        file: process.execPath,
        args: [SERVER, mode, file],
        env: { PATH: process.env["PATH"] ?? "" },
        cwd: folder,
        clock,
        withDescendants: true,
        recordFolders: [join(folder, "records")],
      }),
  };
}

export function stdioBackend(
  start: StartServer,
  about: {
    readonly copies?: "shared" | "session";
    readonly limits?: Partial<BridgeLimits>;
    readonly clock?: Clock;
  } = {},
): StdioBackend {
  let sessions = 0;
  const backend = new StdioBackend({
    clock: about.clock ?? systemClock,
    start,
    copies: about.copies ?? "shared",
    newSession: () => `session-${(sessions += 1)}`,
    limits: { ...BRIDGE_LIMITS, ...about.limits },
  });
  later(() => backend.close());
  return backend;
}

export interface Served {
  readonly url: URL;
  readonly port: number;
  readonly calls: CallRecord[];
  readonly bridge: Bridge;
}

/** A bridge on a real port, for one visitor. */
export async function serve(
  backend: Backend,
  about: Partial<Pick<BridgeOptions, "outbound" | "clock">> & {
    readonly tools?: readonly string[];
    readonly limits?: Partial<BridgeLimits>;
  } = {},
): Promise<Served> {
  const calls: CallRecord[] = [];
  const bridge = new Bridge({
    clock: about.clock ?? systemClock,
    backend,
    tools: new AllowedTools(about.tools),
    outbound: about.outbound ?? (() => Promise.resolve({ leaves: true })),
    onCall: (record) => calls.push(record),
    limits: { ...BRIDGE_LIMITS, ...about.limits },
  });
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = new URL(`http://127.0.0.1:${port}/mcp`);
  const visitor = bridge.visitor({ who: "ben", origin: new URL(url.origin) });
  server.on("connection", (socket) => visitor.accept(socket));
  later(async () => {
    await bridge.close();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url, port, calls, bridge };
}

export type SdkEra = "legacy" | "modern";

/** A client of the SDK, in one era and no other. */
export async function client(url: URL, era: SdkEra, headers: Record<string, string> = {}): Promise<Client> {
  const made = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: "2026-07-28" } } },
  );
  await made.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  later(() => made.close());
  return made;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: {
    readonly id?: unknown;
    readonly result?: Record<string, unknown>;
    readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
  };
}

/** One POST of any bytes. */
export async function send(
  url: URL,
  body: string | Uint8Array<ArrayBuffer> | object,
  headers: Record<string, string> = {},
  method = "POST",
): Promise<Answer> {
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const response = await fetch(url, {
    method,
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      ...headers,
    },
    ...(method === "GET" || method === "DELETE" ? {} : { body: bytes }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? (JSON.parse(text) as Answer["json"]) : {},
  };
}

export function legacyRequest(id: unknown, method: string, params: object = {}): object {
  return { jsonrpc: "2.0", id, method, params };
}

export function modernMeta(): Record<string, unknown> {
  return {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": { sampling: {} },
  };
}

export function modern(
  url: URL,
  method: string,
  params: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { name, uri } = params;
  const named = typeof name === "string" ? name : typeof uri === "string" ? uri : undefined;
  return send(
    url,
    { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: modernMeta() } },
    {
      "MCP-Protocol-Version": "2026-07-28",
      "Mcp-Method": method,
      ...(named === undefined ? {} : { "Mcp-Name": named }),
      ...headers,
    },
  );
}
