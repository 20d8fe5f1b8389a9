import { TunnelError } from "../../errors/tunnel-error.ts";
import { parseMcpServer, type McpServer } from "../../expose/mcp/server.ts";
import { serviceTarget } from "./target.ts";

/**
 * A port or an address with its path (`/mcp` by default), or a name of the file.
 * @throws {TunnelError} expose-target-invalid, service-invalid, service-to-all
 */
export function mcpTarget(typed: string | number, about: { readonly isForSome: boolean }): McpServer {
  const server = parseMcpServer(typed, (authority) => serviceTarget(authority, about));
  if (server === undefined)
    throw new TunnelError("service-invalid", { detail: "an MCP server is a name, a port or a URL" });
  return server;
}
