import { OAUTH } from "./limits.ts";

/** Characters of a URI (RFC 3986 §2): what a header, a page and a parser all read in the same way. */
const URI = /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/;

/** Loopback as native clients name it (RFC 8252 §7.3): the port is theirs to choose at each sign-in. */
const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?(\/.*)?$/;

/** Schemes that a browser gives another meaning than to open a program (RFC 9700 §2.1, RFC 8252 §7.1). */
const NEVER: ReadonlySet<string> = new Set([
  "about:",
  "blob:",
  "chrome:",
  "data:",
  "file:",
  "filesystem:",
  "ftp:",
  "intent:",
  "jar:",
  "javascript:",
  "mailto:",
  "sms:",
  "tel:",
  "vbscript:",
  "view-source:",
  "ws:",
  "wss:",
]);

/** A program's own scheme, which needs an authority or a path. Handlers of Microsoft's system take commands. */
const OWN_SCHEME = /^(?!ms-)[a-z][a-z0-9+.-]*:\/\/?[^/]/;

/** Whether a client may be sent there: an https page, a loopback address, or a program by a scheme of its own. */
export function isRedirect(text: string): boolean {
  if (text.length > OAUTH.redirectChars || !URI.test(text) || text.includes("#")) return false;
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  // An empty user name is none to the parser, and may hide the host from a reader.
  if (protocol === "https:") return /^https:\/\/[^/?@]+(?:[/?]|$)/.test(text);
  if (protocol === "http:") return LOOPBACK.test(text);
  return !NEVER.has(protocol) && OWN_SCHEME.test(text);
}

/** Whether a redirect is one of the registered: equal in each character (RFC 9700 §4.1.3), but for a loopback's port. */
export function isRegistered(redirect: string, registered: readonly string[]): boolean {
  if (!isRedirect(redirect)) return false;
  if (registered.includes(redirect)) return true;
  const wanted = portless(redirect);
  return wanted !== undefined && registered.some((one) => portless(one) === wanted);
}

function portless(redirect: string): string | undefined {
  const [, host, , rest = "/"] = LOOPBACK.exec(redirect) ?? [];
  return host === undefined ? undefined : `http://${host}${rest}`;
}

/** Where the answer goes, for a person: a host, this machine, or a program. */
export function placeOf(redirect: string): string {
  if (LOOPBACK.test(redirect)) return "a program on the machine of the browser";
  const { protocol, host } = new URL(redirect);
  return protocol === "https:" ? host : `the program that opens ${protocol} links`;
}

/** The redirect with the answer in its query (RFC 6749 §4.1.2); what the query has already is kept. */
export function redirectWith(redirect: string, answer: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(answer)) if (value !== undefined) query.append(name, value);
  return `${redirect}${redirect.includes("?") ? "&" : "?"}${query.toString()}`;
}
