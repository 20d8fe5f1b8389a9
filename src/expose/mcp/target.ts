import { targetName } from "../target/parse.ts";
import type { McpServer } from "./server.ts";

/** An MCP server that is to be exposed, as it is asked for. */
export interface McpTarget {
  readonly kind: "mcp";
  readonly server: McpServer;
  /** Patterns of tools that may be called; undefined for all it has. */
  readonly tools: readonly string[] | undefined;
  /** For a stdio server, one process for all clients, or one for each session. */
  readonly copies: "shared" | "session";
}

/** How a server is shown, and told from others. */
export function mcpName({ server }: Pick<McpTarget, "server">): string {
  return server.kind === "stdio" ? server.name : `${targetName(server.target)}${server.path}`;
}
