import { Buffer } from "node:buffer";
import { CODE, failed, isFields, type ErrorObject, type Fields, type RequestFrame } from "./frames.ts";

/** MCP revisions that begin with `initialize`, newest first. */
export const LEGACY_VERSIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;
/** The revision in which each request says all that counts. */
export const MODERN_VERSION = "2026-07-28";

export type Era = "legacy" | "modern";

export const META = {
  version: "io.modelcontextprotocol/protocolVersion",
  client: "io.modelcontextprotocol/clientInfo",
  capabilities: "io.modelcontextprotocol/clientCapabilities",
  server: "io.modelcontextprotocol/serverInfo",
} as const;

/** Header fields of a request that MCP knows; undefined where there is none. */
export interface McpFields {
  readonly version: string | undefined;
  readonly method: string | undefined;
  readonly name: string | undefined;
}

/** The era of a request by its body, which its fields must agree with (MCP 2026-07-28, transports). */
export function eraOf(
  { method, params }: RequestFrame,
  fields: McpFields,
): { readonly era: Era } | { readonly error: ErrorObject } {
  const meta = isFields(params["_meta"]) ? params["_meta"] : {};
  const claimed = meta[META.version];
  if (claimed === undefined) return legacy(fields);
  if (typeof claimed !== "string") return failed(CODE.invalidParams, `_meta ${META.version} is a text`);
  if (fields.version !== claimed)
    return failed(CODE.headerMismatch, "MCP-Protocol-Version is missing, or is not that of _meta");
  if (claimed !== MODERN_VERSION)
    return failed(CODE.unsupportedVersion, "this protocol version is not served", {
      supported: [MODERN_VERSION, ...LEGACY_VERSIONS],
      requested: claimed,
    });
  if (!isFields(meta[META.capabilities]))
    return failed(CODE.invalidParams, `_meta ${META.capabilities} is missing`);
  if (fields.method !== method)
    return failed(CODE.headerMismatch, "Mcp-Method is missing, or is not the method of the body");
  const name = namedBy(method, params);
  if (name !== undefined && decodedField(fields.name) !== name)
    return failed(CODE.headerMismatch, "Mcp-Name is missing, or does not name what the body names");
  return { era: "modern" };
}

function legacy({ version }: McpFields): { readonly era: Era } | { readonly error: ErrorObject } {
  if (version === undefined || LEGACY_VERSIONS.some((one) => one === version)) return { era: "legacy" };
  if (version === MODERN_VERSION)
    return failed(CODE.invalidParams, `_meta ${META.version} is missing, which ${MODERN_VERSION} needs`);
  return failed(CODE.unsupportedVersion, "this protocol version is not served", {
    supported: [MODERN_VERSION, ...LEGACY_VERSIONS],
    requested: version.slice(0, 32),
  });
}

/** The name that `Mcp-Name` repeats. */
export function namedBy(method: string, params: Fields): string | undefined {
  const name = method === "resources/read" ? params["uri"] : params["name"];
  const isNamed = method === "tools/call" || method === "prompts/get" || method === "resources/read";
  return isNamed && typeof name === "string" ? name : undefined;
}

/** A field that cannot hold the text itself holds it as `=?base64?…?=`. */
function decodedField(value: string | undefined): string | undefined {
  const coded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value ?? "")?.[1];
  return coded === undefined ? value : Buffer.from(coded, "base64").toString("utf8");
}
