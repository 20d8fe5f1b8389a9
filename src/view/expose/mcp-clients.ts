import { registration } from "../setup/peer-registration.ts";

/** The entries by which clients reach an MCP server that is exposed, each to be pasted as it is. They hold its token. */
export interface McpClientsView {
  /** A line for a shell. */
  readonly claudeCode: string;
  /** A line for a shell. */
  readonly geminiCli: string;
  /** For `config.toml`. */
  readonly codex: string;
  /** For the file of most other clients. */
  readonly json: string;
  /** Fields of a request to the Messages API, with the beta header that it needs; undefined for an address without TLS, which it refuses. */
  readonly messagesApi: { readonly header: string; readonly body: string } | undefined;
}

/** Of the Messages API, for `mcp_servers`. */
const BETA = "anthropic-beta: mcp-client-2025-11-20";

/** @param token undefined where nobody needs one */
export function mcpClientsView(
  { name, url, token }: { readonly name: string; readonly url: string; readonly token: string | undefined },
  platform: string,
): McpClientsView {
  const header = token === undefined ? undefined : { field: "Authorization", value: `Bearer ${token}` };
  const entry = (client: string | undefined): string => registration(client, { name, url, header }, platform);
  const server = { type: "url", url, name, ...(token === undefined ? {} : { authorization_token: token }) };
  const body = { mcp_servers: [server], tools: [{ type: "mcp_toolset", mcp_server_name: name }] };
  return {
    claudeCode: entry("claude-code"),
    geminiCli: entry("gemini-cli-mcp-client"),
    codex: entry("codex-mcp-client"),
    json: entry(undefined),
    messagesApi: url.startsWith("https:") ? { header: BETA, body: JSON.stringify(body) } : undefined,
  };
}
