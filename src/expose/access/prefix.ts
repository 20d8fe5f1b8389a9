import { without, type RawFields, type ResponseHead } from "../message.ts";
import { SECRET_CHARS } from "./secret.ts";

/** Fetchers that can set no field get in by a secret in the path: `/.tunnel/p/SECRET/feed.xml` is `/feed.xml` of the service. */
const ROOT = "/.tunnel/p/";

/** A prefix with a secret, wherever it stands in a field. Found by its form, so that nothing is compared with the secret. */
const PREFIX = new RegExp(
  `${ROOT.replaceAll(".", String.raw`\.`)}[A-Za-z0-9_-]{${SECRET_CHARS}}(?![A-Za-z0-9_-])`,
  "g",
);

const POLICY: ReadonlySet<string> = new Set(["referrer-policy"]);

/** The path that stands before every path of the service. */
export function prefixPath(secret: string): string {
  return ROOT + secret;
}

/** The secret that is presented in a target, and what the target is for the service; undefined where there is no prefix. */
export function splitPrefix(target: string): { readonly secret: string; readonly rest: string } | undefined {
  if (!target.startsWith(ROOT)) return undefined;
  const [secret = ""] = target.slice(ROOT.length).split(/[/?]/, 1);
  const rest = target.slice(ROOT.length + secret.length);
  return { secret, rest: rest.startsWith("/") ? rest : `/${rest}` };
}

/** The target with dots in the place of a secret, right or wrong: for the log. */
export function hidePrefix(target: string): string {
  const split = splitPrefix(target);
  return split === undefined ? target : `${ROOT}...${split.rest}`;
}

/** The fields without any prefix in their values: `Referer` has it, and some libraries send the page's address in fields of their own. */
export function withoutPrefixes(fields: RawFields): RawFields {
  if (!fields.some((text) => text.includes(ROOT))) return fields;
  return fields.map((text, index) => (index % 2 === 1 ? text.replace(PREFIX, "") : text));
}

/**
 * A response on its way back through the prefix: `Location` and `Content-Location` get it where they name a path of the
 * service, and no other site learns the address as a referrer. `Link` and bodies stay as they are.
 * @param way.target what the service was asked for
 */
export function throughPrefix(
  head: ResponseHead,
  way: { readonly prefix: string; readonly origin: string; readonly target: string },
): ResponseHead {
  const fields = without(head.fields, POLICY).map((text, index, all) => {
    const name = index % 2 === 1 ? all[index - 1]?.toLowerCase() : undefined;
    return name === "location" || name === "content-location" ? prefixed(text, way) : text;
  });
  return { ...head, fields: [...fields, "Referrer-Policy", "same-origin"] };
}

/** A reference (RFC 3986 §4) with the prefix where it would leave it. */
function prefixed(
  reference: string,
  { prefix, origin, target }: { readonly prefix: string; readonly origin: string; readonly target: string },
): string {
  if (/^\/(?!\/)/.test(reference)) return prefix + reference;
  for (const own of [origin, origin.replace(/^https?:/, "")]) {
    const rest = reference.slice(own.length);
    if (reference.toLowerCase().startsWith(own) && /^(?:$|[/?#])/.test(rest))
      return own + prefix + (rest.startsWith("/") ? rest : `/${rest}`);
  }
  // Relative to the address with the prefix it is right, unless it climbs: for the service the prefix is not there.
  const climbs = !/^[a-z][a-z0-9+.-]*:|^\/\//i.test(reference) && /(?:^|\/)\.\.(?:[/?#]|$)/.test(reference);
  if (!climbs || !URL.canParse(reference, origin + target)) return reference;
  const { pathname, search, hash } = new URL(reference, origin + target);
  return prefix + pathname + search + hash;
}
