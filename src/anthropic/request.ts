import type { ProxyFile } from "./proxy-file.ts";

/** How a tunnel is used once it runs. */
export interface Usage {
  readonly urls: readonly string[];
  /** Header fields beside the caller's own key. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body of POST https://api.anthropic.com/v1/messages. */
  readonly body: object;
}

/** Most MCP servers listen there. */
const PATH = "/mcp";

export function usageOf({ domain, routes }: Pick<ProxyFile, "domain" | "routes">): Usage {
  const servers = routes.map(({ label }) => ({
    type: "url",
    url: `https://${label}.${domain}${PATH}`,
    name: label,
  }));
  return {
    urls: servers.map(({ url }) => url),
    headers: { "anthropic-version": "2023-06-01", "anthropic-beta": "mcp-client-2025-11-20" },
    body: {
      model: "MODEL",
      max_tokens: 1024,
      messages: [{ role: "user", content: "Which tools do you have? Call one of them." }],
      mcp_servers: servers,
      // Each server is used by exactly one toolset.
      tools: servers.map(({ name }) => ({ type: "mcp_toolset", mcp_server_name: name })),
    },
  };
}
