import { crc32 } from "node:zlib";

/**
 * Checksums that some issuers put at the end of their tokens. A right one makes a finding certain. A wrong one clears
 * nothing: the token may have been cut or changed on its way.
 */

const BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS = 6;

/** CRC-32 of the text as GitHub and npm write it: six digits of base 62. */
function base62Checksum(text: string): string {
  let rest = crc32(text);
  let digits = "";
  while (digits.length < DIGITS) {
    digits = BASE_62.charAt(rest % BASE_62.length) + digits;
    rest = Math.floor(rest / BASE_62.length);
  }
  return digits;
}

/** `ghp_`, `npm_` and their like: thirty random characters, then the checksum of those. */
export function hasBase62Checksum(token: string): boolean {
  const body = token.slice(token.indexOf("_") + 1);
  return body.slice(-DIGITS) === base62Checksum(body.slice(0, -DIGITS));
}

/** Of GitLab's routable tokens: seven digits of base 36 at the end, over all that stands before them. */
export function hasBase36Checksum(token: string): boolean {
  const end = token.length - 7;
  return token.slice(end) === crc32(token.slice(0, end)).toString(36).padStart(7, "0");
}
