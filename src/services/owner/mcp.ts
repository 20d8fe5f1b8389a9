import type { Backend } from "../../bridge/backend.ts";
import { Bridge, type BridgeVisitor } from "../../bridge/http/bridge.ts";
import type { StdioMeans } from "../../bridge/stdio/stdio-servers.ts";
import type { AllowedTools } from "../../bridge/protocol/tools.ts";
import { allowedTools, httpBackend, openedStdio, surveyed } from "../../expose/mcp/backend.ts";
import type { McpServer } from "../../expose/mcp/server.ts";
import { findService, type FindOptions } from "../../expose/target/find.ts";
import { targetName } from "../../expose/target/parse.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import { CallLog } from "./call-log.ts";
import type { Handler } from "./handler.ts";
import { shownOrigin } from "./http.ts";
import { mcpTarget } from "./mcp-target.ts";
import { Results, type ResultsOptions } from "./results.ts";

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
    const warnings = await warningsOf(found.backend, tools, { clock, signal: find.signal });
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

async function backendOf(target: McpServer, options: McpHandlerOptions): Promise<Found> {
  const { clock, stdio, find, primitives } = options;
  if (target.kind === "stdio") {
    const newSession = (): string => toHex(primitives.random(16));
    const backend = await openedStdio(target.name, { clock, stdio, copies: "shared", newSession });
    // A person knows it by its name: its command may hold what is nobody's business.
    return { backend, shown: `the stdio server ${target.name}`, port: undefined, warnings: [] };
  }
  const { upstream, warnings } = await findService(target.target, find);
  return {
    backend: httpBackend(upstream, target.path, { clock }),
    shown: `${targetName(target.target)}${target.path}`,
    port: target.target.port,
    warnings,
  };
}

/** @returns warnings @throws {TunnelError} mcp-server-unfit, cancelled */
async function warningsOf(
  backend: Backend,
  allowed: AllowedTools,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const ms = SERVICES_LIMITS.surveyMs;
  const { tools, isNoneOpen } = await surveyed(backend, allowed, { clock, signal, ms });
  if (!isNoneOpen) return [];
  return [
    allowed.isListed && tools.length > 0
      ? "None of its tools fits `tools`: members can call nothing."
      : "It has no tools at the moment.",
  ];
}
