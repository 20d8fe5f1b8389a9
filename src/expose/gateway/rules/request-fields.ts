import { isIPv6 } from "node:net";
import { type RawFields, valuesOf } from "../../message.ts";
import type { Upstream } from "../../upstream.ts";
import { hopByHop } from "./hop-by-hop.ts";
import { Origins } from "./origins.ts";
import type { IncomingBody } from "./request-rules.ts";

/** All that the service is told besides what the visitor said. */
export interface Forwarding {
  readonly upstream: Upstream;
  readonly origins: Origins;
  /** IP address of the visitor. */
  readonly source: string;
  /** Our name in `Via`. */
  readonly pseudonym: string;
  readonly httpVersion: string;
  readonly body: IncomingBody;
  readonly upgrades: boolean;
  readonly expectsContinue: boolean;
}

/** Fields that we write ourselves, whatever the visitor said. A visitor's word on where it comes from is worth nothing. */
const REPLACED: ReadonlySet<string> = new Set(["host", "content-length", "expect", "forwarded", "x-real-ip"]);
const isReplaced = (name: string): boolean => REPLACED.has(name) || name.startsWith("x-forwarded-");

/**
 * The field lines for the service. First those go that are for one hop alone or that the visitor names in `Connection` (RFC 9110
 * §7.6.1), then ours come: so no visitor can take ours away by naming them.
 */
export function requestFields(fields: RawFields, forwarding: Forwarding): RawFields {
  const { upstream, origins, source, pseudonym, httpVersion, body, upgrades } = forwarding;
  const isDropped = hopByHop(fields);
  const secret = upstream.secretField?.[0].toLowerCase();
  const kept = ["Host", origins.host];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? "";
    const lower = name.toLowerCase();
    if (isDropped(lower) || isReplaced(lower) || lower === secret) continue;
    kept.push(name, ownOrigin(lower, fields[index + 1] ?? "", origins));
  }
  const { protocol, host } = origins.public;
  const scheme = protocol.slice(0, -1);
  kept.push("X-Forwarded-For", source, "X-Forwarded-Proto", scheme, "X-Forwarded-Host", host);
  kept.push("Forwarded", `for=${node(source)};host="${host}";proto=${scheme}`);
  kept.push("Via", `${httpVersion} ${pseudonym}`);
  if (upstream.secretField !== undefined) kept.push(...upstream.secretField);
  if (body.kind === "length") kept.push("Content-Length", String(body.bytes));
  if (body.kind === "chunked") kept.push("Transfer-Encoding", "chunked");
  if (forwarding.expectsContinue) kept.push("Expect", "100-continue");
  const options: string[] = [];
  if (wantsTrailers(fields)) {
    options.push("TE");
    kept.push("TE", "trailers");
  }
  if (upgrades) {
    options.push("Upgrade");
    kept.push("Upgrade", "websocket");
  }
  if (options.length > 0) kept.push("Connection", options.join(", "));
  return kept;
}

/** The service takes a page of its public address for another site's, unless it sees its own. */
function ownOrigin(name: string, value: string, origins: Origins): string {
  if (name === "origin") return origins.toLocalOrigin(value);
  return name === "referer" ? origins.toLocalUrl(value) : value;
}

/** RFC 7239 §6: an IPv6 address stands in brackets and quotes. */
const node = (address: string): string => (isIPv6(address) ? `"[${address}]"` : address);

/** Whether the visitor takes trailers (RFC 9110 §6.5.1). */
export function wantsTrailers(fields: RawFields): boolean {
  return valuesOf(fields, "te")
    .flatMap((value) => value.split(","))
    .some((one) => one.trim().toLowerCase() === "trailers");
}

/** Whether the request has been here before (RFC 9110 §7.6.3). */
export function hasPassed(fields: RawFields, pseudonym: string): boolean {
  const ours = pseudonym.toLowerCase();
  return valuesOf(fields, "via")
    .flatMap((value) => value.split(","))
    .some(
      (one) =>
        one
          .trim()
          .split(/[\t ]+/)[1]
          ?.toLowerCase() === ours,
    );
}
