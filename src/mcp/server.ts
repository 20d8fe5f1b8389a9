import { McpServer } from "@modelcontextprotocol/server";
import { register, type ToolServices } from "./calls/define-tool.ts";
import { CHANNEL_CAPABILITY, CHANNEL_INSTRUCTIONS } from "./channel.ts";
import { EXPOSE_INSTRUCTIONS, instructionsFor, type Waking } from "./instructions.ts";
import { TOOLSET_NAMES, type Toolset } from "../view/setup/toolsets.ts";
import { registerPrompts } from "./prompts.ts";
import { toolsOf } from "./tools/index.ts";

/** One MCP server. A connection makes one or two (probe, then real), so it holds no state of its own. */
export function createServer(
  version: string,
  services: ToolServices,
  {
    hasChannel = false,
    toolsets = TOOLSET_NAMES,
    ...waking
  }: Partial<Waking> & { readonly hasChannel?: boolean; readonly toolsets?: readonly Toolset[] } = {},
): McpServer {
  const info = { name: "tunnel-mcp", title: "Tunnel between agents", version };
  const instructions = toolsets.includes("pair") ? instructionsFor(waking) : EXPOSE_INSTRUCTIONS;
  const server = new McpServer(
    info,
    hasChannel
      ? {
          instructions: `${instructions}\n\n${CHANNEL_INSTRUCTIONS}`,
          capabilities: { experimental: CHANNEL_CAPABILITY },
        }
      : { instructions },
  );
  for (const tool of toolsOf(toolsets)) register(server, tool, services);
  // They are about pairing agents.
  if (toolsets.includes("pair")) registerPrompts(server);
  return server;
}
