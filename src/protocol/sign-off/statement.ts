import * as z from "zod/mini";
import { ascii, lengthPrefixed, u64be, type Bytes } from "../base/bytes.ts";
import { bytesOf, decodeJson, jsonText, ordinal, signingKey } from "../base/header.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import { SIGN_OFF } from "../base/limits.ts";
import { isText } from "../base/text.ts";
import { encodeUtf8 } from "../base/utf8.ts";

/** The texts of signing off (PROTOCOL §9.2), and the bytes under its signatures. */

export const VERDICTS = ["done", "not-done"] as const;
export type Verdict = (typeof VERDICTS)[number];

export const MADE = ["page", "terminal"] as const;
/** Where a person's key was made: in a tab of a browser, or in a program at a terminal. */
export type Made = (typeof MADE)[number];

export function isOutcome(text: string): boolean {
  return isText(text) && Array.from(text).length <= SIGN_OFF.maxOutcomeChars;
}

export function isReason(text: string): boolean {
  return isText(text) && Array.from(text).length <= SIGN_OFF.maxReasonChars;
}

/** The content of a message that proposes an outcome (Z1). */
const proposalSchema = z.strictObject({ proposes: z.string().check(z.refine(isOutcome)) });

const reason = z.string().check(z.refine(isReason));

/** What a person says about a proposal, with their key and its certificate (Z3). */
const statementSchema = z
  .strictObject({
    /** The digest of what was proposed (Z2). */
    signs: bytesOf(32),
    /** The place of the proposal. */
    seq: ordinal,
    verdict: z.enum(VERDICTS),
    /** Why not. */
    reason: z.optional(reason),
    made: z.enum(MADE),
    /** The person's, for this statement alone. */
    key: signingKey,
    /** By the member's key. */
    certificate: bytesOf(64),
    /** By the person's key. */
    signature: bytesOf(64),
  })
  .check(z.refine(({ verdict, reason: why }) => verdict === "not-done" || why === undefined));

export type Statement = z.infer<typeof statementSchema>;

/** As the text of a message. */
export function encodeProposal(outcome: string): string {
  return jsonText({ proposes: outcome });
}

/** The outcome; `undefined` for what is no proposal. */
export function decodeProposal(text: string): string | undefined {
  return decodeJson(proposalSchema, text)?.proposes;
}

/** As the text of a message. */
export function encodeStatement(statement: Statement): string {
  return jsonText(statement);
}

/** `undefined` for what is no statement. */
export function decodeStatement(text: string): Statement | undefined {
  return decodeJson(statementSchema, text);
}

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
