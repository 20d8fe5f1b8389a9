import type { RawFields } from "../message.ts";

/**
 * The cookie of an exposure. Its name ends in letters of that exposure: hosts on a plain LAN address share one cookie jar whatever
 * their port (RFC 6265 §8.5), and one exposure must not overwrite the cookie of another.
 */
export interface CookieName {
  readonly plain: string;
  /** A browser keeps it only with `Secure`, `Path=/` and without `Domain`, so no sibling host can set it (RFC 6265bis §4.1.3.2). */
  readonly secure: string;
}

const STEM = "tunnel-access-";

/** The cookie of any exposure, also of one that is over: none of them is a service's business. */
const OURS = /^(?:__Host-)?tunnel-access-[0-9a-f]{8}$/;

/** @param letters 8 hexadecimal digits */
export function cookieName(letters: string): CookieName {
  return { plain: STEM + letters, secure: `__Host-${STEM}${letters}` };
}

function mentionsOurs(fields: RawFields): boolean {
  return fields.some((text) => text.includes(STEM));
}

/** Name and value of a cookie pair (RFC 6265 §5.4); one without a name is sent as its value alone. */
function pairOf(text: string): { readonly name: string; readonly value: string } {
  const pair = text.trim().replace(/^=+/, "");
  const at = pair.indexOf("=");
  return at === -1
    ? { name: pair, value: "" }
    : { name: pair.slice(0, at).trimEnd(), value: pair.slice(at + 1).trimStart() };
}

/**
 * Takes the cookies of exposures out of the fields. Those of the service stay byte for byte; a field that has nothing left is dropped.
 * @returns the rest, and the values under these names, of which a browser may send several
 */
export function takeCookies(
  fields: RawFields,
  name: CookieName,
): { readonly fields: RawFields; readonly values: readonly string[] } {
  // Each request and each response comes by here.
  if (!mentionsOurs(fields)) return { fields, values: [] };
  const kept: string[] = [];
  const values: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const field = fields[index] ?? "";
    const value = fields[index + 1] ?? "";
    if (field.toLowerCase() !== "cookie") {
      kept.push(field, value);
      continue;
    }
    const pairs = value.split(";");
    const others = pairs.filter((text) => {
      const pair = pairOf(text);
      if (pair.name === name.plain || pair.name === name.secure) values.push(pair.value);
      return !OURS.test(pair.name);
    });
    if (others.length === pairs.length) kept.push(field, value);
    else if (others.some((text) => text.trim() !== "")) kept.push(field, others.join(";").trimStart());
  }
  return { fields: kept, values };
}

/** The fields of a response without those that set a cookie of an exposure: the service has no say in who gets in. */
export function withoutOurSetCookies(fields: RawFields): RawFields {
  if (!mentionsOurs(fields)) return fields;
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const field = fields[index] ?? "";
    const value = fields[index + 1] ?? "";
    const [pair = ""] = value.split(";", 1);
    if (field.toLowerCase() !== "set-cookie" || !OURS.test(pairOf(pair).name)) kept.push(field, value);
  }
  return kept;
}

/** The field that gives a visitor its cookie: for this host alone, out of reach of scripts, not sent with posts of other sites. */
export function setCookie(
  name: CookieName,
  value: string,
  about: { readonly isSecure: boolean; readonly maxAgeSec: number },
): readonly [name: string, value: string] {
  const shown = about.isSecure ? name.secure : name.plain;
  const secure = about.isSecure ? "; Secure" : "";
  return [
    "Set-Cookie",
    `${shown}=${value}; Path=/; Max-Age=${about.maxAgeSec}; HttpOnly; SameSite=Lax${secure}`,
  ];
}
