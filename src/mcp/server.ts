import { McpServer } from "@modelcontextprotocol/server";
import { register, type ToolServices } from "./calls/define-tool.ts";
import { CHANNEL_CAPABILITY, CHANNEL_INSTRUCTIONS } from "./channel.ts";
import { instructionsFor, type Waking } from "./instructions.ts";
import { registerPrompts } from "./prompts.ts";
import { TOOLS } from "./tools/index.ts";

/** One MCP server. A connection makes one or two (probe, then real), so it holds no state of its own. */
export function createServer(
  version: string,
  services: ToolServices,
  { hasChannel = false, ...waking }: Partial<Waking> & { readonly hasChannel?: boolean } = {},
): McpServer {
  const info = { name: "tunnel-mcp", title: "Tunnel between agents", version };
  const instructions = instructionsFor(waking);
  const server = new McpServer(
    info,
    hasChannel
      ? {
          instructions: `${instructions}\n\n${CHANNEL_INSTRUCTIONS}`,
          capabilities: { experimental: CHANNEL_CAPABILITY },
        }
      : { instructions },
  );
  for (const tool of TOOLS) register(server, tool, services);
  registerPrompts(server);
  return server;
}
