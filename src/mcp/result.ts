import type { CallToolResult } from "@modelcontextprotocol/server";
import type { TunnelError } from "../protocol/errors.ts";

/** What a tool gives back, before it is put into the MCP envelope. */
export type Payload = Readonly<Record<string, unknown>>;

/** The same payload twice: clients differ in which of the two they show the model. */
function result(payload: Payload): CallToolResult {
  // What is undefined in it is absent in both once they are written as JSON.
  return { content: [{ type: "text", text: JSON.stringify(payload) }], structuredContent: { ...payload } };
}

export function success(payload: Payload): CallToolResult {
  return result(payload);
}

/** Code, what happened, next step: all a model needs to do better. */
export function errorView({ code, message, next, retryable }: TunnelError): Payload {
  return { code, message, next, retryable };
}

export function failure(error: TunnelError, extra: Payload = {}): CallToolResult {
  return { ...result({ error: errorView(error), ...extra }), isError: true };
}
