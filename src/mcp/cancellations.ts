import { PassThrough } from "node:stream";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { GatheredWrites } from "../runtime/gathered-writes.ts";
import type { CallId } from "../session/saying/sent.ts";
import { CheckedInput } from "./checked-input.ts";
import { readable } from "./requests.ts";

/** The longest JSON-RPC line. At a longer one the SDK gives the connection up, and every tunnel with it. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

type Receive = (message: JSONRPCMessage) => void;

/**
 * The stdio transport, which makes requests {@link readable} and also reports cancellations. A client may give a call up at the moment of its answer. The SDK
 * has forgotten the call by then and ignores the cancellation, yet only the cancellation tells that nobody has read the
 * answer.
 * @param answered sees each message first; a reply from it takes the message from the SDK
 */
export function transportWithCancellations(
  onCancelled: (call: CallId) => void,
  answered: (message: JSONRPCMessage) => JSONRPCMessage | undefined,
): StdioServerTransport {
  const { stdin, stdout } = process;
  // Many answers at once are few writes. The SDK listens once for each that its client has not read yet.
  stdout.setMaxListeners(0);
  const gathered = new GatheredWrites(stdout);
  const input = new PassThrough();
  const transport = new StdioServerTransport(input, stdout, { maxBufferSize: MAX_LINE_BYTES });
  const checked = new CheckedInput((refusal) =>
    gathered.write(() => void stdout.write(`${JSON.stringify(refusal)}\n`)),
  );
  stdin.on("data", (chunk: Buffer) => {
    input.write(checked.take(chunk));
    // Else a client that writes many calls at once is read from until there are none left, and the network waits.
    stdin.pause();
    setImmediate(() => stdin.resume());
  });
  stdin.once("end", () => input.end()).once("close", () => input.end());
  stdin.on("error", (error) => input.destroy(error));
  const send = transport.send.bind(transport);
  transport.send = (message) => gathered.write(() => send(message));
  let receive: Receive | undefined;
  Object.defineProperty(transport, "onmessage", {
    configurable: true,
    get: (): Receive => (message) => {
      const call = cancelledCall(message);
      if (call !== undefined) onCancelled(call);
      const reply = answered(message);
      if (reply === undefined) receive?.(readable(message));
      // A client that is gone will not miss it.
      else transport.send(reply).catch(() => undefined);
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
