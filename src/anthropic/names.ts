/** Names of a tunnel: its domain, and the labels in front of it. Each check returns what is wrong, or undefined. */

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_NAME = 253;
const MAX_LABEL = 63;
/** The Console shows `abcd1234.tunnel.anthropic.com`. */
export const USUAL_DOMAIN = ".tunnel.anthropic.com";

/** The beginning of a Console token. */
const TOKEN_LIKE = /eyJ[\w-]/;

/** Typed text, unless it may be the token or could command a terminal. */
export function shown(typed: string): string {
  return /^[\w.:/*@[\]%-]{1,80}$/.test(typed) && !isPerhapsToken(typed) ? typed : "(not shown)";
}

export function isPerhapsToken(typed: string): boolean {
  return TOKEN_LIKE.test(typed);
}

/** A label of one route, such as `wiki`. */
export function labelProblem(label: string): string | undefined {
  if (LABEL.test(label)) return undefined;
  if (LABEL.test(label.toLowerCase()))
    return `the name ${shown(label)} has capital letters: write ${shown(label.toLowerCase())}`;
  return `the name ${shown(label)} is none for a route: 1 to ${MAX_LABEL} of a-z, 0-9 and -, with no - at its ends`;
}

/** The domain of a tunnel, as the Console shows it. */
export function domainProblem(domain: string): string | undefined {
  if (domain.includes("/") || domain.includes(":"))
    return "the domain is a name alone, without https:// and without a path";
  const labels = domain.split(".");
  if (domain !== domain.toLowerCase()) return "the domain has capital letters";
  if (labels.length < 3 || !labels.every((label) => LABEL.test(label)))
    return "the domain is no name such as abcd1234.tunnel.anthropic.com";
  return domain.length + MAX_LABEL + 1 > MAX_NAME ? "the domain is too long" : undefined;
}

/** The name in front of the domain, of a key of the proxy file: a label, or a whole hostname of this tunnel. */
export function labelOf(key: string, domain: string): string {
  return key.endsWith(`.${domain}`) ? key.slice(0, -domain.length - 1) : key;
}
