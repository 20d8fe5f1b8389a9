/** Names that stand for the relay itself, or that people trust: nobody gets them. */
const RESERVED: ReadonlySet<string> = new Set(
  (
    "www api app admin administrator root mail email smtp imap pop mx ns ns1 ns2 dns ftp ssh vpn proxy relay tunnel " +
    "status health metrics login auth account accounts sso oauth secure security support help abuse postmaster " +
    "webmaster hostmaster billing pay payment payments bank static assets cdn img localhost wpad autodiscover autoconfig"
  ).split(" "),
);

/** A label of DNS in lower case (RFC 1123 §2.1), of at most 63 characters, that looks like no encoded one (`xn--`). */
export function isLabel(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name) && name.slice(2, 4) !== "--";
}

export const isReserved = (name: string): boolean => RESERVED.has(name);

/** A label, or one with a single `*` for any characters, none included. */
export function isPattern(pattern: string): boolean {
  const parts = pattern.split("*");
  return parts.length <= 2 && /^[a-z0-9*-]{1,63}$/.test(pattern) && (parts.length === 2 || isLabel(pattern));
}

/** Whether the name is one of the pattern. What stands before and after the `*` does not overlap. */
export function fits(name: string, pattern: string): boolean {
  const [before = "", after] = pattern.split("*");
  if (after === undefined) return name === pattern;
  return name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after);
}

/** The pattern with this word in the place of its `*`, cut to what a label takes. */
export function filled(pattern: string, word: string): string {
  const [before = "", after = ""] = pattern.split("*");
  return `${before}${word.slice(0, Math.max(0, 63 - before.length - after.length))}${after}`;
}
