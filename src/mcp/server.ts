import { McpServer } from "@modelcontextprotocol/server";
import { register, type ToolServices } from "./define-tool.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { registerPrompts } from "./prompts.ts";
import { TOOLS } from "./tools/index.ts";

/** One MCP server. It is made once or twice per connection (probe, then real), so it holds no state of its own. */
export function createServer(version: string, services: ToolServices): McpServer {
  const info = { name: "tunnel-mcp", title: "Tunnel between agents", version };
  const server = new McpServer(info, { instructions: INSTRUCTIONS });
  for (const tool of TOOLS) register(server, tool, services);
  registerPrompts(server);
  return server;
}
