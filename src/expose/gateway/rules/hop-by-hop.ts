import { type RawFields, valuesOf } from "../../message.ts";

/** Fields for one hop alone (RFC 9110 §7.6.1, §11.7), and those of framing, which each hop writes anew. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Tells of a name in lower case whether the field ends here: always, or because `Connection` names it. */
export function hopByHop(fields: RawFields): (name: string) => boolean {
  const values = valuesOf(fields, "connection");
  if (values.length === 0) return (name) => HOP_BY_HOP.has(name);
  const named = new Set(values.flatMap((value) => value.toLowerCase().split(",")).map((one) => one.trim()));
  return (name) => HOP_BY_HOP.has(name) || named.has(name);
}

/** Fields that have no business in trailers: they frame, route, authenticate or describe the content (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "location",
  "range",
  "set-cookie",
  "vary",
  "via",
  "www-authenticate",
]);

/** Trailers that may be handed on. */
export function trailersToPass(trailers: RawFields): RawFields {
  const kept: string[] = [];
  for (let index = 0; index + 1 < trailers.length; index += 2) {
    const name = trailers[index] ?? "";
    const lower = name.toLowerCase();
    const isForbidden =
      HOP_BY_HOP.has(lower) || NOT_IN_TRAILERS.has(lower) || lower.startsWith("x-forwarded-");
    if (!isForbidden) kept.push(name, trailers[index + 1] ?? "");
  }
  return kept;
}
