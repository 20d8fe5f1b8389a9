import type { IncomingMessage } from "node:http";
import { addressKind } from "../../net/address.ts";
import { single } from "../front/host-names.ts";
import type { FailureCode } from "./routes.ts";

/**
 * What is wrong with a request before anybody looks at what it asks for. Web pages have no business here, neither from another
 * site (`Origin`, `Sec-Fetch-Site`) nor under a name that was bent to this address (DNS rebinding): on loopback only names of
 * this machine count. Elsewhere the operator's proxy or network decides on names, and the token on the rest.
 */
export function wrongWith(
  { headers, rawHeaders, url = "" }: IncomingMessage,
  isLoopback: boolean,
): FailureCode | undefined {
  const host = single(rawHeaders, "host");
  if (host === undefined || !url.startsWith("/") || url.includes("#")) return "bad-request";
  if (isLoopback && !isOfThisMachine(host)) return "wrong-host";
  const site = headers["sec-fetch-site"];
  if (headers.origin !== undefined || (site !== undefined && site !== "none")) return "no-pages";
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  return hasBody ? "body-unwanted" : undefined;
}

function isOfThisMachine(authority: string): boolean {
  const host = authority
    .replace(/:\d{0,5}$/, "")
    .replace(/\.$/, "")
    .toLowerCase();
  return host === "localhost" || addressKind(host) === "loopback";
}
