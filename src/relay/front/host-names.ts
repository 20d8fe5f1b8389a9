/** The wish of a visitor, by its field `Host`. */
export type Asked =
  /** The relay's own name, or one that it does not know: rooms and hosts. */
  | { readonly kind: "relay" }
  | { readonly kind: "service"; readonly name: string }
  /** No proper host, or one deeper below the domain than a service is. */
  | { readonly kind: "none" };

/**
 * NAME.DOMAIN is a service; only the whole suffix counts, never a first label alone.
 * @param authority the one value of `Host`, with or without a port
 */
export function askedFor(authority: string | undefined, domain: string | undefined): Asked {
  if (authority === undefined) return { kind: "none" };
  const host = authority
    .replace(/:\d{0,5}$/, "")
    .replace(/\.$/, "")
    .toLowerCase();
  if (domain === undefined || !host.endsWith(`.${domain}`)) return { kind: "relay" };
  const name = host.slice(0, -domain.length - 1);
  return /^[a-z0-9-]{1,63}$/.test(name) ? { kind: "service", name } : { kind: "none" };
}

/** The one value of a field; undefined where it is missing or repeated. Node keeps the first of two `Host` fields. */
export function single(rawHeaders: readonly string[], wanted: string): string | undefined {
  let found: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== wanted) continue;
    if (found !== undefined) return undefined;
    found = rawHeaders[index + 1];
  }
  return found;
}
