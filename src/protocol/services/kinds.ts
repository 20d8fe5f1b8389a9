/** The language that a service speaks. `mcp` is Streamable HTTP of an MCP server. */
export const SERVICE_KINDS = ["http", "tcp", "mcp"] as const;
export type ServiceKind = (typeof SERVICE_KINDS)[number];
