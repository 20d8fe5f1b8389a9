/** The ways in that are asked for by name. `open` stands alone: nobody needs a credential then. `bearer` is for MCP servers alone. */
export const ACCESS_KINDS = ["claim", "token", "prefix", "basic", "open", "bearer"] as const;

export type AccessKind = (typeof ACCESS_KINDS)[number];
