import type { IncomingMessage } from "node:http";

/** Names by which this machine is called, whatever the port: a forwarded one has another (RFC 6761 §6.3). */
const LOCAL_NAMES: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);
const HOST = /^(\[[0-9a-f:]+\]|[^:[\]]+)(?::\d{1,5})?$/i;

/** @returns the name in a `Host` field; undefined where it is none */
function nameIn(host: string): string | undefined {
  return HOST.exec(host)?.[1]?.toLowerCase();
}

/** All values of a field, also where it stands there twice. */
function valuesOf({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">, name: string): string[] {
  return rawHeaders.flatMap((field, at) =>
    at % 2 === 0 && field.toLowerCase() === name ? [rawHeaders[at + 1] ?? ""] : [],
  );
}

/**
 * Whether a request comes from our own page, or from a person who has opened its address. A name that another DNS has given to this
 * address, a page of another origin, and one of another port of this machine are all refused, whatever the method is: a browser says
 * where it comes from, and no page can change that (Fetch §3.2, Fetch Metadata §2).
 * @param own the address on which we listen
 * @param isShell whether it asks for the empty page, which a person's own navigation may do
 */
export function isFromHere(
  request: Pick<IncomingMessage, "rawHeaders">,
  { own, isShell }: { readonly own: string; readonly isShell: boolean },
): boolean {
  const [host, ...more] = valuesOf(request, "host");
  if (host === undefined || more.length > 0) return false;
  const name = nameIn(host);
  if (name === undefined || (name !== own && !LOCAL_NAMES.has(name))) return false;
  const origins = valuesOf(request, "origin");
  if (origins.some((origin) => origin.toLowerCase() !== `http://${host.toLowerCase()}`)) return false;
  const sites = valuesOf(request, "sec-fetch-site");
  return sites.every((site) => site === "same-origin" || (site === "none" && isShell));
}

/** A script that a browser would keep as a service worker: nothing here is one. */
export function isForWorker(request: Pick<IncomingMessage, "rawHeaders">): boolean {
  return valuesOf(request, "service-worker").length > 0;
}

/** The token of a tab. */
export function bearerOf(request: Pick<IncomingMessage, "rawHeaders">): string | undefined {
  const [value, ...more] = valuesOf(request, "authorization");
  if (value === undefined || more.length > 0) return undefined;
  return /^Bearer ([\w-]{1,128})$/.exec(value)?.[1];
}

/** Whether the body says that it is JSON: a form of another site cannot, without asking first. */
export function isJson(request: Pick<IncomingMessage, "rawHeaders">): boolean {
  const [type, ...more] = valuesOf(request, "content-type");
  return more.length === 0 && type !== undefined && /^application\/json(?:;|$)/i.test(type);
}
