/** Stands in place of a link. */
export const LINK_REMOVED = "[tunnel link removed]";

/**
 * A link, whatever its address: up to its fragment, which is the secret. The fragment alone, too, and without its second
 * half, since the first one is enough to join. Chat programs break long lines, and write the sign as `%23`.
 */
const LINK =
  /(?:[a-z][a-z0-9+.-]{1,20}:\/\/[^\s#%]{1,400})?(?:#|%23)1\.(?:(?:[\w-](?:\n[> ]{0,4})?){43}|[\w-]{16,})(?:\.(?:[\w-](?:\n[> ]{0,4}(?=[\w-]))?){0,43})?/gi;

/** An invite as a whole, as one human passes it on to another. */
const INVITE =
  /Let your coding agent join mine in an end-to-end[^]{0,1500}?do not post it where others read\./g;

/** A text without tunnel links and invites. */
export function withoutLinks(text: string): string {
  return text.replace(INVITE, LINK_REMOVED).replace(LINK, LINK_REMOVED);
}
