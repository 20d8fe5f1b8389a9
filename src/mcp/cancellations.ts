import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import type { CallId } from "../session/inbox.ts";

/** One JSON-RPC line; past it the SDK gives the connection up, and with it every tunnel. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

type Receive = (message: JSONRPCMessage) => void;

/**
 * The stdio transport, with an eye on cancellations. The SDK forgets a request when it has been answered; a client that
 * gives up at that very moment drops the answer, and only its cancellation, which the SDK then ignores, tells so.
 */
export function transportWithCancellations(onCancelled: (call: CallId) => void): StdioServerTransport {
  const transport = new StdioServerTransport(process.stdin, process.stdout, {
    maxBufferSize: MAX_LINE_BYTES,
  });
  let receive: Receive | undefined;
  Object.defineProperty(transport, "onmessage", {
    configurable: true,
    get: (): Receive => (message) => {
      const call = cancelledCall(message);
      if (call !== undefined) onCancelled(call);
      receive?.(message);
    },
    set: (next: Receive | undefined) => {
      receive = next;
    },
  });
  return transport;
}

function cancelledCall(message: JSONRPCMessage): CallId | undefined {
  if (!("method" in message) || message.method !== "notifications/cancelled") return undefined;
  const requestId: unknown = message.params?.["requestId"];
  return typeof requestId === "string" || typeof requestId === "number" ? requestId : undefined;
}
