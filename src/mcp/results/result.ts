import type { CallToolResult } from "@modelcontextprotocol/server";
import type { TunnelError } from "../../errors/tunnel-error.ts";
import type { Fence } from "./fence.ts";

/** What a tool gives back, before it is put into the MCP envelope. */
export type Payload = Readonly<Record<string, unknown>>;

/** What is unread in other tunnels than those that a result is about. */
export function unreadElsewhere(payload: Payload, all: readonly Countable[]): Payload {
  const told = new Set([payload["tunnelId"], ...idsIn(payload["tunnels"])]);
  const others = all
    .filter(({ tunnelId, inbox }) => inbox.unread > 0 && !told.has(tunnelId))
    .map(({ tunnelId, inbox }) => ({ tunnelId, unread: inbox.unread }));
  return others.length === 0 ? {} : { unreadElsewhere: others };
}

interface Countable {
  readonly tunnelId: string;
  readonly inbox: { readonly unread: number };
}

function idsIn(tunnels: unknown): unknown[] {
  if (!Array.isArray(tunnels)) return [];
  return tunnels.map((one: unknown) =>
    typeof one === "object" && one !== null && "tunnelId" in one ? one.tunnelId : undefined,
  );
}

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

/** @param unread of all tunnels together, where that is known */
export function failure(error: TunnelError, fence: Fence, unread: number | undefined): CallToolResult {
  return { ...result(fence.guard({ error: errorView(error), unread })), isError: true };
}
