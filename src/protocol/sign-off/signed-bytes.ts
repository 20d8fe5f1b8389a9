import { ascii, lengthPrefixed, u64be, type Bytes } from "../base/bytes.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import { encodeUtf8 } from "../base/utf8.ts";

/** The bytes under the signatures of signing off (PROTOCOL §9.2). Apart from its texts, whose schemas a page does not need. */

export const VERDICTS = ["done", "not-done"] as const;
export type Verdict = (typeof VERDICTS)[number];

export const MADE = ["page", "terminal"] as const;
/** Where a person's key was made: in a tab of a browser, or in a program at a terminal. */
export type Made = (typeof MADE)[number];

/** The bytes whose SHA-256 is the digest of a proposal: its place in the room, and the outcome (Z2). */
export function outcomeBytes(
  room: RoomId,
  { seq, chain }: { readonly seq: number; readonly chain: Bytes },
  outcomeHash: Bytes,
): Bytes {
  return lengthPrefixed(ascii("tunnel-mcp/1 outcome"), ascii(room), u64be(seq), chain, outcomeHash);
}

/** The bytes that a person's key signs (Z4). */
export function statementBytes(
  digest: Bytes,
  member: MemberId,
  { verdict, reason: why = "" }: { readonly verdict: Verdict; readonly reason?: string | undefined },
): Bytes {
  return lengthPrefixed(
    ascii("tunnel-mcp/1 sign-off"),
    digest,
    ascii(member),
    ascii(verdict),
    encodeUtf8(why),
  );
}

/** The bytes with which a member's key says that `key` is its person's, for this proposal (Z4). */
export function certificateBytes(
  digest: Bytes,
  member: MemberId,
  { made, key }: { readonly made: Made; readonly key: Bytes },
): Bytes {
  return lengthPrefixed(ascii("tunnel-mcp/1 human-key"), digest, ascii(member), ascii(made), key);
}
