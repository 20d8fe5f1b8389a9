import { CLIENT_INFO_META_KEY, type JSONRPCMessage } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ClientProgram } from "../../protocol/room/work-context.ts";

const programSchema = z.looseObject({ name: z.string(), version: z.string() });
/** The 2025 era names the client once, the later one with every request. */
const greetingSchema = z.union([
  z
    .looseObject({ _meta: z.looseObject({ [CLIENT_INFO_META_KEY]: programSchema }) })
    .transform(({ _meta }) => _meta[CLIENT_INFO_META_KEY]),
  z.looseObject({ clientInfo: programSchema }).transform(({ clientInfo }) => clientInfo),
]);

/** The first request of a client says who it is: what it is told by the answer may depend on that. */
export function clientIn(message: JSONRPCMessage): ClientProgram | undefined {
  if (!("method" in message)) return undefined;
  const found = greetingSchema.safeParse(message.params);
  return found.success ? { name: found.data.name, version: found.data.version } : undefined;
}

/** JSON-RPC 2.0, section 5.1. */
const METHOD_NOT_FOUND = -32_601;

/**
 * What a server of the 2025 era says to a client that asks for the later one. The client then begins with `initialize`
 * (MCP 2026-07-28, version negotiation).
 * @returns undefined for any other message
 */
export function refusedDiscovery(message: JSONRPCMessage): JSONRPCMessage | undefined {
  if (!("method" in message) || !("id" in message) || message.method !== "server/discover") return undefined;
  return {
    jsonrpc: "2.0",
    id: message.id,
    error: { code: METHOD_NOT_FOUND, message: "Method not found" },
  };
}
