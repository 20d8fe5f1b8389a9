import { request as requestPlain, type ClientRequest, type RequestOptions } from "node:http";
import { request as requestSecure } from "node:https";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { UPLINK } from "../../uplink/limits.ts";
import { LINE_OPTIONS } from "../../uplink/line/line.ts";
import type { RelaySettings } from "./settings.ts";

type Network = RelaySettings["network"];

/** The WebSocket on which a host registers. */
export function dialRelay(origin: URL, { proxies, trust }: Network): WebSocket {
  const url = new URL(UPLINK.hostPath, origin);
  url.protocol = origin.protocol === "https:" ? "wss:" : "ws:";
  const agent = proxies(url);
  return new WebSocket(url, {
    ...LINE_OPTIONS,
    ...(agent === undefined ? {} : { agent }),
    ...(url.protocol === "wss:" ? { secureContext: trust() } : {}),
    followRedirects: false,
    handshakeTimeout: UPLINK.registerMs,
  });
}

/** The connection by which a host fetches one guest: bare bytes after the upgrade. */
export function dialForGuest(
  origin: URL,
  ticket: string,
  { proxies, trust }: Network,
  then: (connection: Duplex | undefined, first: Buffer) => void,
): ClientRequest {
  const url = new URL(`${UPLINK.guestPath}${ticket}`, origin);
  const isSecure = origin.protocol === "https:";
  const options: RequestOptions & { secureContext?: ReturnType<typeof trust> } = {
    agent: proxies(url) ?? false,
    ...(isSecure ? { secureContext: trust() } : {}),
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": crypto.getRandomValues(Buffer.alloc(16)).toString("base64"),
    },
    timeout: UPLINK.fetchMs,
  };
  const asked = isSecure ? requestSecure(url, options) : requestPlain(url, options);
  const failed = (): void => then(undefined, Buffer.alloc(0));
  asked.once("upgrade", (_response, socket, first) => {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    then(socket, first);
  });
  asked.once("response", (response) => {
    response.destroy();
    failed();
  });
  asked.once("timeout", () => asked.destroy());
  asked.once("error", failed);
  asked.end();
  return asked;
}
