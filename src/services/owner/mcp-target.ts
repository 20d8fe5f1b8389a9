import { isServerName } from "../../bridge/stdio/servers-file.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { ServiceTarget } from "../../expose/target/parse.ts";
import { serviceTarget } from "./target.ts";

/** An MCP server of this side, as it was named. */
export type McpTarget =
  /** A command that a person has written into their file. */
  | { readonly kind: "stdio"; readonly name: string }
  | { readonly kind: "http"; readonly target: ServiceTarget; readonly path: string };

/** RFC 3986 without a fragment; nothing of it is decoded. */
const WITH_PATH = /^((?:https?:\/\/)?[^/?#\s]+)(\/[\w.~%!$&'()*+,;=:@/?-]{0,1024})?$/i;

/**
 * A port or an address with its path (`/mcp` by default), or a name of the file.
 * @throws {TunnelError} expose-target-invalid, service-invalid, service-to-all
 */
export function mcpTarget(typed: string | number, about: { readonly isForSome: boolean }): McpTarget {
  const text = String(typed).trim();
  if (isServerName(text)) return { kind: "stdio", name: text };
  const [, authority, path = "/mcp"] = WITH_PATH.exec(text) ?? [];
  if (authority === undefined)
    throw new TunnelError("service-invalid", { detail: "an MCP server is a name, a port or a URL" });
  return { kind: "http", target: serviceTarget(authority, about), path: path === "/" ? "/mcp" : path };
}
