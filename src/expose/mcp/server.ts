import { isServerName } from "../../bridge/stdio/servers-file.ts";
import type { ServiceTarget } from "../target/parse.ts";

/** An MCP server of this machine, as it was named. */
export type McpServer =
  /** A command that a person has written into their file. */
  | { readonly kind: "stdio"; readonly name: string }
  | { readonly kind: "http"; readonly target: ServiceTarget; readonly path: string };

/** RFC 3986 without a fragment; nothing of it is decoded. */
const WITH_PATH = /^((?:https?:\/\/)?[^/?#\s]+)(\/[\w.~%!$&'()*+,;=:@/?-]{0,1024})?$/i;

/**
 * A name of the file, or a port or an address with its path (`/mcp` by default).
 * @param service judges the address; its errors are passed on
 * @returns undefined for a text that is neither
 */
export function parseMcpServer(
  typed: string | number,
  service: (authority: string) => ServiceTarget,
): McpServer | undefined {
  const text = String(typed).trim();
  if (isServerName(text)) return { kind: "stdio", name: text };
  const [, authority, path = "/mcp"] = WITH_PATH.exec(text) ?? [];
  if (authority === undefined) return undefined;
  return { kind: "http", target: service(authority), path: path === "/" ? "/mcp" : path };
}
