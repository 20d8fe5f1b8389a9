import type { CallToolResult } from "@modelcontextprotocol/server";
import type { TunnelError } from "../../errors/tunnel-error.ts";
import { errorView } from "../../view/errors.ts";
import type { Fence } from "./fence.ts";
import { fitted } from "./fitted.ts";

/** The result of a tool, before it is put into the MCP envelope. */
export type Payload = Readonly<Record<string, unknown>>;

/** The unread counts of all tunnels that a result is not about. */
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

/** The same payload twice: some clients show the model the text, others the structured content. */
export function result(payload: Payload): CallToolResult {
  // Fields that are undefined are absent in both once they are written as JSON.
  return { content: [{ type: "text", text: JSON.stringify(payload) }], structuredContent: { ...payload } };
}

/** @param limit characters of the whole */
export function success(payload: Payload, fence: Fence, limit: number): CallToolResult {
  return result(fitted(payload, limit, fence));
}

/** @param more fields beside the error, such as what is unread in all tunnels together; `limit`: characters of the whole */
export function failure(error: TunnelError, fence: Fence, limit: number, more: Payload): CallToolResult {
  const payload = fence.guard({ error: errorView(error), ...more });
  return { ...result(fitted(payload, limit, fence)), isError: true };
}
