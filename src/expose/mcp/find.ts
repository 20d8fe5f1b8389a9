import type { IncomingMessage } from "node:http";
import type { Backend } from "../../bridge/backend.ts";
import { Bridge } from "../../bridge/http/bridge.ts";
import type { StdioMeans } from "../../bridge/stdio/stdio-servers.ts";
import type { AllowedTools } from "../../bridge/protocol/tools.ts";
import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { findService, type FindOptions } from "../target/find.ts";
import type { ServiceQuestion, Upstream } from "../upstream.ts";
import { openingQuestion } from "./question.ts";
import { allowedTools, httpBackend, openedStdio, surveyed } from "./backend.ts";
import { dialInProcess } from "./in-process.ts";
import { MCP_LIMITS } from "./limits.ts";
import { mcpName, type McpTarget } from "./target.ts";

/** The words of an MCP server on itself: any content. */
export interface FoundMcp {
  readonly serverName: string;
  /** The names of the tools that may be called. */
  readonly tools: readonly string[];
  /** It has more than were asked for. */
  readonly hasMore: boolean;
  /** The owner has named the tools. */
  readonly isListed: boolean;
}

/** An MCP server behind a bridge of ours, as the gateway dials it. */
export interface FoundMcpTarget {
  readonly upstream: Upstream;
  /** Where the server itself listens; undefined for a child of ours. */
  readonly watched: Upstream | undefined;
  readonly description: string;
  readonly status: undefined;
  readonly server: undefined;
  readonly warnings: readonly string[];
  readonly question: ServiceQuestion;
  readonly mcp: FoundMcp;
  close(): Promise<void>;
}

export interface FindMcpOptions {
  readonly clock: Clock;
  readonly primitives: Pick<Primitives, "random">;
  readonly stdio: StdioMeans;
  readonly find: FindOptions;
}

/** The name and origin under which the bridge is spoken to: nothing listens there. */
const INSIDE = { host: "localhost", port: 80, origin: new URL("http://localhost") } as const;

/**
 * Starts or finds an MCP server, asks what it is, and puts a bridge before it that only the gateway reaches.
 * @throws {TunnelError} mcp-*, expose-target-*, cancelled
 */
export async function findMcp(target: McpTarget, options: FindMcpOptions): Promise<FoundMcpTarget> {
  const { clock, find } = options;
  const tools = allowedTools(target.tools);
  const { backend, watched, warnings } = await backendOf(target, options);
  const bridge = new Bridge({
    clock,
    backend,
    tools,
    // The answers of an exposed service are its owner's affair.
    outbound: () => Promise.resolve({ leaves: true }),
    onCall: () => undefined,
    limits: MCP_LIMITS,
  });
  try {
    const found = await surveyed(backend, tools, find);
    const { serverName, tools: known, open, hasMore, isNoneOpen } = found;
    const visitor = bridge.visitor({ who: "visitor", origin: INSIDE.origin, clientOf });
    return {
      upstream: {
        scheme: "http",
        address: "127.0.0.1",
        port: INSIDE.port,
        host: INSIDE.host,
        dial: () => dialInProcess((socket) => visitor.accept(socket)),
      },
      watched,
      description:
        target.server.kind === "stdio"
          ? `the stdio MCP server ${mcpName(target)}`
          : `the MCP server at ${mcpName(target)}`,
      status: undefined,
      server: undefined,
      warnings: [...warnings, ...(isNoneOpen ? [noToolText(tools, known.length)] : [])],
      // A bridge speaks both eras for a child, whatever the child speaks.
      question: openingQuestion(target.server.kind === "stdio" ? "modern" : found.era),
      mcp: { serverName, tools: open, hasMore, isListed: tools.isListed },
      close: () => bridge.close(),
    };
  } catch (error) {
    await bridge.close();
    throw error;
  }
}

function noToolText(allowed: AllowedTools, known: number): string {
  return allowed.isListed && known > 0
    ? "None of its tools fits `tools`: clients can call nothing."
    : "It has no tools at the moment.";
}

interface FoundBackend {
  readonly backend: Backend;
  readonly watched: Upstream | undefined;
  readonly warnings: readonly string[];
}

async function backendOf(
  { server, copies }: McpTarget,
  { clock, primitives, stdio, find }: FindMcpOptions,
): Promise<FoundBackend> {
  const limits = MCP_LIMITS;
  if (server.kind === "stdio") {
    find.onProgress?.({ message: `starting the MCP server ${server.name}` });
    const newSession = (): string => toHex(primitives.random(16));
    const backend = await openedStdio(server.name, { clock, stdio, copies, newSession, limits });
    return { backend, watched: undefined, warnings: [] };
  }
  const { upstream, warnings } = await findService(server.target, find);
  return {
    backend: httpBackend(upstream, server.path, { clock, limits, lendsSession: true }),
    watched: upstream,
    warnings,
  };
}

/** Clients of all visitors come by one way; the gateway says from where each does. */
function clientOf({ headers }: IncomingMessage): string {
  return JSON.stringify([headers["x-forwarded-for"], headers["mcp-session-id"], headers["user-agent"]]);
}
