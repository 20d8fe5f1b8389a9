import { addressKind } from "../../net/address.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";

const SCHEMES: Readonly<Record<string, "http:" | "https:">> = {
  "ws:": "http:",
  "wss:": "https:",
  "http:": "http:",
  "https:": "https:",
};

/**
 * The origin of a relay, as `http:` or `https:`; a bare host is `https:`. Without TLS only addresses that lie on this machine or
 * network: the token travels to it.
 * @throws {TunnelError} relay-not-set, config-invalid
 */
export function relayOrigin(text: string | undefined): URL {
  if (text === undefined || text.trim() === "") throw new TunnelError("relay-not-set");
  const typed = text.trim();
  const whole = typed.includes("://") ? typed : `https://${typed}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  const scheme = url === undefined ? undefined : SCHEMES[url.protocol];
  const isBare = /^[a-z]+:\/\/[^/?#@\\\s]+\/?$/i.test(whole);
  if (url === undefined || scheme === undefined || !isBare)
    throw new TunnelError("config-invalid", {
      detail: "TUNNEL_RELAY must be https://HOST, with an optional port and nothing after it",
    });
  const origin = new URL(`${scheme}//${url.host}`);
  if (scheme === "http:" && !isNear(origin.hostname))
    throw new TunnelError("config-invalid", {
      detail: "TUNNEL_RELAY must be https, except on this machine or a private address",
    });
  return origin;
}

function isNear(hostname: string): boolean {
  if (hostname === "localhost" || hostname.endsWith(".localhost")) return true;
  const kind = addressKind(hostname);
  return kind === "loopback" || kind === "private";
}
