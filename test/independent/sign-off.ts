/** Z1 to Z5 and Z7 of docs/PROTOCOL.md: what a member makes of a proposal and of the statements about it. */
import { wordlist } from "@scure/bip39/wordlists/english.js";
import * as z from "zod";
import { isEqual, lp, readBase64url, u64, utf8, type Bytes } from "./bytes.ts";
import { isSignedBy, isWeakSigningKey } from "./ed25519.ts";
import { sha256 } from "./primitives.ts";
import { demand } from "./refusal.ts";
import { isMessageText } from "./text.ts";

const UNREADABLE = "offer-unreadable";
const UNSOUND = "sign-off-unsound";

const isText = (text: string, most: number): boolean =>
  isMessageText(text) && Array.from(text).length <= most;

const proposalSchema = z.strictObject({ proposes: z.string().refine((text) => isText(text, 2_000)) });
const statementSchema = z.strictObject({
  signs: z.string(),
  seq: z.int().min(1),
  verdict: z.enum(["done", "not-done"]),
  reason: z
    .string()
    .refine((text) => isText(text, 500))
    .optional(),
  made: z.enum(["page", "terminal"]),
  key: z.string(),
  certificate: z.string(),
  signature: z.string(),
});

/** F2: a value has one text. */
function read<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = schema.safeParse(value);
  demand(parsed.success && JSON.stringify(value) === text, UNREADABLE, "not of this form");
  return parsed.data;
}

function bytesIn(text: string, size: number): Bytes {
  const bytes = readBase64url(text, size);
  demand(bytes !== undefined, UNREADABLE, "no bytes of this size");
  return bytes;
}

export interface SignOffCase {
  room: string;
  /** The place of the proposal, and the chain there. */
  seq: number;
  chain: Bytes;
  members: readonly { id: string; key: Bytes }[];
  proposal: string;
  statements: readonly { from: string; text: string }[];
}

/** @throws {Refused} where a statement is not in order or does not hold */
export function signOff(one: SignOffCase): { digest: Bytes; words: string; state: string } {
  const { proposes } = read(proposalSchema, one.proposal);
  const digest = sha256(
    lp("tunnel-mcp/1 outcome", one.room, u64(one.seq), one.chain, sha256(utf8(proposes))),
  );
  const counted = new Map<string, { verdict: string; key: Bytes }>();
  for (const { from, text } of one.statements) {
    const said = read(statementSchema, text);
    demand(said.verdict === "not-done" || said.reason === undefined, UNREADABLE, "a reason for a yes");
    // Z5: late, or a second one. Neither counts.
    if (said.seq !== one.seq || counted.has(from)) continue;
    const key = bytesIn(said.key, 32);
    demand(!isWeakSigningKey(key), UNREADABLE, "a key that K10 refuses");
    const [certificate, signature] = [bytesIn(said.certificate, 64), bytesIn(said.signature, 64)];
    const member = one.members.find(({ id }) => id === from);
    demand(member !== undefined, UNSOUND, "somebody who is not asked");
    demand(isEqual(bytesIn(said.signs, 32), digest), UNSOUND, "another digest");
    const taken = [...one.members, ...counted.values()];
    demand(!taken.some((other) => isEqual(other.key, key)), UNSOUND, "a key of somebody else");
    const certified = lp("tunnel-mcp/1 human-key", digest, from, said.made, key);
    demand(isSignedBy(member.key, certified, certificate), UNSOUND, "a key that is not certified");
    const signed = lp("tunnel-mcp/1 sign-off", digest, from, said.verdict, said.reason ?? "");
    demand(isSignedBy(key, signed, signature), UNSOUND, "not signed by the person");
    counted.set(from, { verdict: said.verdict, key });
  }
  const verdicts = one.members.map(({ id }) => counted.get(id)?.verdict);
  const state = verdicts.includes("not-done")
    ? "refused"
    : verdicts.every((verdict) => verdict === "done")
      ? "signed"
      : "open";
  return { digest, words: wordsOf(digest), state };
}

/** Z2 */
function wordsOf(digest: Bytes): string {
  const bits = Array.from(digest, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return [0, 11, 22].map((at) => wordlist[Number.parseInt(bits.slice(at, at + 11), 2)]).join(" ");
}
