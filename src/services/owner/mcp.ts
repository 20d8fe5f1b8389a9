import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Backend } from "../../bridge/backend.ts";
import { Bridge, type BridgeVisitor } from "../../bridge/http/bridge.ts";
import { HttpBackend } from "../../bridge/http/http-backend.ts";
import { AllowedTools, isToolPattern, MAX_PATTERNS } from "../../bridge/protocol/tools.ts";
import type { ServerCommand } from "../../bridge/stdio/servers-file.ts";
import { StdioBackend } from "../../bridge/stdio/stdio-backend.ts";
import type { StartServer } from "../../bridge/stdio/stdio-server.ts";
import { survey } from "../../bridge/survey.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { findService, type FindOptions } from "../../expose/target/find.ts";
import { targetName } from "../../expose/target/parse.ts";
import type { Upstream } from "../../expose/upstream.ts";
import { deadline } from "../../net/deadline.ts";
import { serviceTls } from "../../net/service-tls.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import { CallLog } from "./call-log.ts";
import type { Handler } from "./handler.ts";
import { shownOrigin } from "./http.ts";
import { mcpTarget, type McpTarget } from "./mcp-target.ts";
import { Results, type ResultsOptions } from "./results.ts";

/** How stdio servers are found and started. */
export interface StdioMeans {
  /** @throws {TunnelError} mcp-servers-*, mcp-server-unknown */
  readonly commandNamed: (name: string) => Promise<ServerCommand>;
  readonly start: (command: ServerCommand) => StartServer;
}

export interface McpHandlerOptions extends Omit<ResultsOptions, "clock"> {
  readonly clock: Clock;
  readonly find: FindOptions;
  readonly stdio: StdioMeans;
  readonly primitives: Pick<Primitives, "random">;
  readonly isForSome: boolean;
  /** Patterns; undefined for all. */
  readonly tools: readonly string[] | undefined;
}

interface Found {
  readonly backend: Backend;
  readonly shown: string;
  readonly port: number | undefined;
  readonly warnings: readonly string[];
}

/**
 * An MCP server of this machine behind a bridge of ours. It has opened, and said which tools it has, before it is offered.
 * @throws {TunnelError} mcp-*, expose-target-*, service-invalid, service-to-all
 */
export async function mcpHandler(typed: string | number, options: McpHandlerOptions): Promise<Handler> {
  const { clock, find, tools: patterns } = options;
  const tools = allowedTools(patterns);
  const found = await backendOf(mcpTarget(typed, options), options);
  const results = new Results(options);
  const calls = new CallLog();
  const bridge = new Bridge({
    clock,
    backend: found.backend,
    tools,
    outbound: (leaving) => results.judge(leaving),
    onCall: (record) => calls.add(record),
  });
  try {
    const warnings = await surveyed(found.backend, tools, { clock, signal: find.signal });
    return {
      target: found.shown,
      port: found.port,
      warnings: [...found.warnings, ...warnings],
      calls,
      ...(patterns === undefined ? {} : { tools: patterns }),
      ...visitorsOf(bridge),
    };
  } catch (error) {
    await bridge.close();
    throw error;
  }
}

function visitorsOf(bridge: Bridge): Pick<Handler, "connect" | "close"> {
  const visitors = new Map<MemberId, { readonly origin: string; readonly visitor: BridgeVisitor }>();
  return {
    connect({ who, origin }) {
      const known = visitors.get(who);
      const visitor =
        known?.origin === origin ? known.visitor : bridge.visitor({ who, origin: shownOrigin(origin) });
      if (known !== undefined && known.visitor !== visitor) known.visitor.close();
      visitors.set(who, { origin, visitor });
      return Promise.resolve({ take: (socket) => visitor.accept(socket), drop: () => undefined });
    },
    close: () => bridge.close(),
  };
}

/** @throws {TunnelError} mcp-tools-invalid */
function allowedTools(patterns: readonly string[] | undefined): AllowedTools {
  const isList = patterns === undefined || (patterns.length > 0 && patterns.length <= MAX_PATTERNS);
  if (!isList || patterns?.every(isToolPattern) === false) throw new TunnelError("mcp-tools-invalid");
  return new AllowedTools(patterns);
}

async function backendOf(target: McpTarget, options: McpHandlerOptions): Promise<Found> {
  const { clock, stdio, find, primitives } = options;
  if (target.kind === "stdio") {
    const command = await stdio.commandNamed(target.name);
    const backend = new StdioBackend({
      clock,
      start: stdio.start(command),
      copies: "shared",
      newSession: () => toHex(primitives.random(16)),
    });
    try {
      await backend.tryOut();
    } catch (error) {
      await backend.close();
      throw error;
    }
    // A person knows it by its name: its command may hold what is nobody's business.
    return { backend, shown: `the stdio server ${target.name}`, port: undefined, warnings: [] };
  }
  const { upstream, warnings } = await findService(target.target, find);
  const place = { dial: () => dialled(upstream), host: upstream.host, path: target.path };
  return {
    backend: new HttpBackend({ clock, place: () => place }),
    shown: `${targetName(target.target)}${target.path}`,
    port: target.target.port,
    warnings,
  };
}

/** @returns warnings @throws {TunnelError} mcp-server-unfit, cancelled */
async function surveyed(
  backend: Backend,
  allowed: AllowedTools,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const limit = deadline(clock, SERVICES_LIMITS.surveyMs, signal);
  try {
    const { tools, hasMore } = await survey(backend, limit.signal);
    const open = tools.filter(({ name }) => allowed.has(name)).length;
    if (open > 0 || hasMore) return [];
    return [
      allowed.isListed && tools.length > 0
        ? "None of its tools fits `tools`: members can call nothing."
        : "It has no tools at the moment.",
    ];
  } catch (error) {
    if (signal.aborted) throw new TunnelError("cancelled");
    throw error;
  } finally {
    limit.clear();
  }
}

/** By the address that was judged, and by no name. */
function dialled(upstream: Upstream): Socket {
  const { scheme, address, port } = upstream;
  if (scheme === "http") return connectPlain({ host: address, port, noDelay: true });
  return connectTls({ host: address, port, ...serviceTls(upstream), ALPNProtocols: ["http/1.1"] });
}
