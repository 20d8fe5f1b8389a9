import * as z from "zod/mini";
import { bytesOf, decodeJson, jsonText, ordinal, signingKey } from "../base/header.ts";
import { SIGN_OFF } from "../base/limits.ts";
import { isText } from "../base/text.ts";
import { MADE, VERDICTS } from "./signed-bytes.ts";

/** The texts of signing off (PROTOCOL §9.2). */

export function isOutcome(text: string): boolean {
  return isText(text) && Array.from(text).length <= SIGN_OFF.maxOutcomeChars;
}

export function isReason(text: string): boolean {
  return isText(text) && Array.from(text).length <= SIGN_OFF.maxReasonChars;
}

/** The content of a message that proposes an outcome (Z1). */
const proposalSchema = z.strictObject({ proposes: z.string().check(z.refine(isOutcome)) });

const reason = z.string().check(z.refine(isReason));

/** A person's word on a proposal, with their key and its certificate (Z3). */
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
