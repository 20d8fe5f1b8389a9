import { shellLine } from "../../runtime/shell-line.ts";

/** An MCP server over HTTP, as clients reach it. */
export interface RemoteServer {
  /** One that every client takes. */
  readonly name: string;
  readonly url: string;
  /** Shown with each request; undefined where nobody asks for it. */
  readonly header: { readonly field: string; readonly value: string } | undefined;
}

/** An MCP server of a peer, as programs of this machine reach it. Its name is a label of its owner's. */
export type PeerServer = RemoteServer & {
  readonly header: { readonly field: string; readonly value: string };
};

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

/** {@link registration} of a peer's server, whose name says so. */
export function peerRegistration(client: string | undefined, server: PeerServer, platform: string): string {
  return registration(client, { ...server, name: registeredName(server.name) }, platform);
}

/**
 * The text that a person enters to have their client use the server: a line for a shell of `platform`, or what goes into its file.
 * @param client by the name in its `clientInfo`; the form that most read for any other
 */
export function registration(
  client: string | undefined,
  { name, url, header }: RemoteServer,
  platform: string,
): string {
  const shown = header === undefined ? [] : ["--header", `${header.field}: ${header.value}`];
  const byHttp = ["mcp", "add", "--transport", "http"];
  switch (client) {
    case "claude-code":
      return shellLine(["claude", ...byHttp, name, url, ...shown], platform);
    case "gemini-cli-mcp-client":
      return shellLine(["gemini", ...byHttp, ...shown, name, url], platform);
    case "codex-mcp-client": {
      const quoted = JSON.stringify;
      const headers =
        header === undefined ? "" : `\nhttp_headers = { ${quoted(header.field)} = ${quoted(header.value)} }`;
      return `[mcp_servers.${name}]\nurl = ${quoted(url)}${headers}`;
    }
    default: {
      const headers = header === undefined ? {} : { headers: { [header.field]: header.value } };
      return JSON.stringify({ mcpServers: { [name]: { type: "http", url, ...headers } } });
    }
  }
}
