import { BlockList, isIP } from "node:net";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { ipLiteral } from "../../net/address.ts";

/** Addresses and ranges of the proxies in front, whose word on where a visitor comes from is believed. */
export type TrustedProxies = (address: string) => boolean;

/**
 * @param ranges `10.0.0.0/8`, `::1`, or `loopback`
 * @returns undefined for a range that is none
 */
export function trustedProxies(ranges: readonly string[]): TrustedProxies | undefined {
  const list = new BlockList();
  for (const range of ranges) {
    if (range === "loopback") {
      list.addSubnet("127.0.0.0", 8, "ipv4");
      list.addAddress("::1", "ipv6");
      continue;
    }
    const [address = "", prefix, more] = range.split("/");
    const version = isIP(address);
    const most = version === 6 ? 128 : 32;
    const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (version === 0 || more !== undefined || bits < 0 || bits > most) return undefined;
    list.addSubnet(address, bits, version === 6 ? "ipv6" : "ipv4");
  }
  return (address) => {
    const literal = ipLiteral(address);
    return literal !== undefined && list.check(literal, isIP(literal) === 6 ? "ipv6" : "ipv4");
  };
}

/**
 * The address of a visitor: of the connection, or where that is a trusted proxy, the last one in `X-Forwarded-For` that is none. What
 * stands before that is the visitor's own word.
 */
export function sourceOfRequest(
  { socket, headers }: Pick<IncomingMessage, "socket" | "headers">,
  isTrusted: TrustedProxies,
): string {
  let source = ipLiteral(socket.remoteAddress ?? "") ?? "unknown";
  const forwarded = headers["x-forwarded-for"];
  const hops = (Array.isArray(forwarded) ? forwarded.join(",") : (forwarded ?? "")).split(",");
  for (let hop = hops.pop(); hop !== undefined && isTrusted(source); hop = hops.pop()) {
    const address = addressIn(hop.trim());
    if (address === undefined) break;
    source = address;
  }
  return source;
}

/** As it was dialled: a trusted proxy that ends TLS says so. */
export function schemeOfRequest(
  { socket, headers }: Pick<IncomingMessage, "socket" | "headers">,
  isTrusted: TrustedProxies,
): "http" | "https" {
  if (socket instanceof TLSSocket) return "https";
  const forwarded = headers["x-forwarded-proto"];
  const isSaid = typeof forwarded === "string" && /(?:^|,)\s*https\s*$/i.test(forwarded);
  return isSaid && isTrusted(socket.remoteAddress ?? "") ? "https" : "http";
}

/** Some proxies add a port: `192.0.2.1:1234`, `[2001:db8::1]:1234`. */
function addressIn(hop: string): string | undefined {
  return ipLiteral(hop) ?? ipLiteral(/^(\[[^\]]+\]|[\d.]+):\d{1,5}$/.exec(hop)?.[1] ?? "");
}
