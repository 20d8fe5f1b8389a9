import { shellLine } from "../../runtime/shell-line.ts";

/** An MCP server of a peer, as programs of this machine reach it. */
export interface PeerServer {
  /** A label of its owner's. */
  readonly name: string;
  readonly url: string;
  readonly header: { readonly field: string; readonly value: string };
}

/** Names that clients keep for themselves. */
const PREFIX = "peer-";
const MAX_NAME_CHARS = 40;

/** A name that every client takes, made of a label that anybody may have chosen; it says whose the server is. */
function registeredName(label: string): string {
  const kept = label
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .slice(0, MAX_NAME_CHARS)
    .replace(/^-+|-+$/g, "");
  return `${PREFIX}${kept === "" ? "mcp" : kept}`;
}

/**
 * The text that a person enters to have their client use the server: a line for a shell of `platform`, or what goes into its file.
 * @param client by the name in its `clientInfo`; the form that most read for any other
 */
export function peerRegistration(client: string | undefined, server: PeerServer, platform: string): string {
  const { url, header } = server;
  const name = registeredName(server.name);
  const field = `${header.field}: ${header.value}`;
  switch (client) {
    case "claude-code":
      return shellLine(
        ["claude", "mcp", "add", "--transport", "http", name, url, "--header", field],
        platform,
      );
    case "gemini-cli-mcp-client":
      return shellLine(
        ["gemini", "mcp", "add", "--transport", "http", "--header", field, name, url],
        platform,
      );
    case "codex-mcp-client": {
      const quoted = JSON.stringify;
      const headers = `http_headers = { ${quoted(header.field)} = ${quoted(header.value)} }`;
      return `[mcp_servers.${name}]\nurl = ${quoted(url)}\n${headers}`;
    }
    default:
      return JSON.stringify({
        mcpServers: { [name]: { type: "http", url, headers: { [header.field]: header.value } } },
      });
  }
}
