import { hash, randomBytes } from "node:crypto";
import * as z from "zod/mini";
import { KINDS } from "../../uplink/messages.ts";
import { isPattern } from "./patterns.ts";

const whole = z.int().check(z.nonnegative());

/** The limits that a token may have of its own. */
export const tokenLimits = z.strictObject({
  tunnels: z.optional(whole),
  names: z.optional(whole),
  inFlight: z.optional(whole),
  bytesPerSecond: z.optional(whole),
  requestBytes: z.optional(whole),
  responseBytes: z.optional(whole),
});

const entry = z.strictObject({
  /** Names the token in lists and logs. */
  id: z.string().check(z.regex(/^[a-z0-9]{8}$/)),
  label: z.string().check(z.minLength(1), z.maxLength(64)),
  /** SHA-256 of the token, hexadecimal: a token is random enough for that. */
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  kinds: z._default(z.array(z.enum(KINDS)).check(z.minLength(1)), ["room", "http"]),
  names: z._default(z.array(z.string().check(z.refine(isPattern))), ["*"]),
  createdAt: z.iso.datetime(),
  expiresAt: z.optional(z.iso.datetime()),
  limits: z._default(tokenLimits, {}),
});

const tokenFile = z.strictObject({ tokens: z.array(entry).check(z.maxLength(100_000)) });

export type TokenEntry = z.infer<typeof entry>;

/**
 * The tokens in the text of a file.
 * @returns a sentence where it is no such file; it holds no word of the file
 */
export function parseTokens(text: string): readonly TokenEntry[] | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return "it is no JSON";
    throw error;
  }
  const parsed = tokenFile.safeParse(json);
  if (!parsed.success)
    return `${parsed.error.issues[0]?.path.map(String).join(".") ?? ""} is not as it must be`;
  const { tokens } = parsed.data;
  return new Set(tokens.map(({ id }) => id)).size === tokens.length ? tokens : "two tokens have the same id";
}

export const writeTokens = (tokens: readonly TokenEntry[]): string =>
  `${JSON.stringify({ tokens }, undefined, 2)}\n`;

export const hashOfToken = (token: string): string => hash("sha256", token, "hex");

/** A new token, and what is kept of it. */
export function newToken(
  about: Pick<TokenEntry, "label"> & Partial<Pick<TokenEntry, "kinds" | "names" | "expiresAt" | "limits">>,
  now: number,
): { readonly token: string; readonly entry: TokenEntry } {
  const token = `tmr_${randomBytes(32).toString("base64url")}`;
  const { label, kinds = ["room", "http"], names = ["*"], expiresAt, limits = {} } = about;
  const id = randomBytes(4).toString("hex");
  const createdAt = new Date(now).toISOString();
  const made = { id, label, sha256: hashOfToken(token), kinds, names, createdAt, limits };
  return { token, entry: expiresAt === undefined ? made : { ...made, expiresAt } };
}
