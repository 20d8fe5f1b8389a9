import { valuesOf, type RawFields } from "../message.ts";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether every `Origin` is the public one, or there is none: a browser sends it with each WebSocket (RFC 6455 §10.2), and with each
 * request that is neither GET nor HEAD.
 */
export function isOwnOrigin(fields: RawFields, origin: string | undefined): boolean {
  return valuesOf(fields, "origin").every((value) => value === origin);
}

/**
 * Whether a request may come from a page of another site, though it carries what its browser adds by itself. Requests that only
 * read are never held to be: the page of the other site cannot see what they answer.
 * @param about.isNullOwn what `Origin: null` counts as where the browser says no more: a page of ours with `Referrer-Policy: no-referrer`
 * sends it with its forms, and so does a sandboxed page of anybody
 */
export function isForged(
  method: string,
  fields: RawFields,
  about: { readonly origin: string | undefined; readonly isNullOwn: boolean },
): boolean {
  if (SAFE_METHODS.has(method)) return false;
  const sites = valuesOf(fields, "sec-fetch-site");
  if (sites.length > 0) return sites.some((site) => site !== "same-origin" && site !== "none");
  const origins = valuesOf(fields, "origin").filter((value) => !about.isNullOwn || value !== "null");
  return origins.some((value) => value !== about.origin);
}

/** A question whether a page of another site may send what it wants to send (CORS); it never carries credentials. */
export function isPreflight(method: string, fields: RawFields): boolean {
  return (
    method === "OPTIONS" &&
    valuesOf(fields, "origin").length > 0 &&
    valuesOf(fields, "access-control-request-method").length > 0
  );
}
