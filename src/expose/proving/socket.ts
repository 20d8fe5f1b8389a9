import { isIP, type LookupFunction } from "node:net";
import type { DohResolver } from "../../net/doh.ts";
import type { ProxyAgents } from "../../net/proxy.ts";
import type { Trust } from "../../net/trust.ts";
import { addressesOf } from "../../net/visit.ts";

/** Whether a WebSocket to the gateway's probe opens and brings its word. Never rejects; false when the signal aborts. */
export type OpenSocket = (
  url: URL,
  about: { readonly resolver: DohResolver | undefined; readonly signal: AbortSignal },
) => Promise<boolean>;

/** The gateway says it as soon as the socket is open. */
const WORD = "ok";
const MAX_BYTES = 1_024;

/** Through the proxy of this network where there is one, which then resolves the name itself. */
export function socketProbe(network: { readonly proxies: ProxyAgents; readonly trust: Trust }): OpenSocket {
  return async (url, { resolver, signal }) => {
    const agent = network.proxies(url);
    const addresses = agent === undefined ? await addressesOf(url.hostname, resolver, signal) : undefined;
    if (signal.aborted || addresses?.length === 0) return false;
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(url, {
      ...(agent === undefined ? {} : { agent }),
      ...(url.protocol === "wss:" ? { secureContext: network.trust() } : {}),
      ...(addresses === undefined ? {} : { lookup: literal(addresses) }),
      followRedirects: false,
      perMessageDeflate: false,
      maxPayload: MAX_BYTES,
      headers: { "user-agent": "tunnel-mcp" },
    });
    return new Promise((resolve) => {
      const end = (does: boolean): void => {
        signal.removeEventListener("abort", stop);
        socket.terminate();
        resolve(does);
      };
      const stop = (): void => end(false);
      signal.addEventListener("abort", stop, { once: true });
      socket.on("error", stop);
      socket.once("close", stop);
      socket.once("message", (data, isBinary) => end(!isBinary && textOf(data) === WORD));
    });
  };
}

function textOf(data: unknown): string | undefined {
  return Buffer.isBuffer(data) ? data.toString("utf8") : undefined;
}

/** The addresses that were asked for already, whatever the name. */
function literal(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_name, { all }, callback) => {
    const [first] = found;
    if (all === true) callback(null, found);
    else if (first === undefined) callback(new Error("no address"), "");
    else callback(null, first.address, first.family);
  };
}
