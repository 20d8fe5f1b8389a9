import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import * as z from "zod/mini";
import type { Access, FailureCode } from "./routes.ts";

/** Who asks: the operator, who sees all, or the holder of a token of the relay, who sees what was opened with it. */
export type Caller =
  | { readonly kind: "operator" }
  | { readonly kind: "tenant"; readonly tokenId: string }
  | { readonly kind: "anybody" };

const caller = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("operator") }),
  z.object({ kind: z.literal("tenant"), tokenId: z.string() }),
]);

/** The caller who has asked at another node of the cluster. */
export function parseCaller(text: string): Caller | undefined {
  try {
    return caller.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export interface CallersOptions {
  /** Of the operator; undefined where there is none, and then only what is open is answered. */
  readonly adminToken: () => string | undefined;
  /** Whether the operator has chosen it, and it was not made for want of one. */
  readonly isChosen: () => boolean;
  readonly isLoopback: boolean;
  /** The id of a good token of the relay. */
  readonly tokenIdOf: (token: string) => Promise<string | undefined>;
}

const OPERATOR: Caller = { kind: "operator" };
const ANYBODY: Caller = { kind: "anybody" };

/** Tells who asks, and whether they may. */
export class Callers {
  readonly #options: CallersOptions;
  readonly #key = randomBytes(32);

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  async callerFor(access: Access, authorization: string | undefined): Promise<Caller | FailureCode> {
    const { adminToken, isChosen, isLoopback, tokenIdOf } = this.#options;
    if (access === "open") return ANYBODY;
    // Figures without names, for a scraper on this machine: nobody has asked for more.
    if (access === "metrics" && isLoopback && !isChosen()) return ANYBODY;
    const wanted = adminToken();
    if (wanted === undefined) return "no-admin-token";
    const given = bearerIn(authorization);
    if (given === undefined) return "token-missing";
    if (this.#isSame(given, wanted)) return OPERATOR;
    const tokenId = await tokenIdOf(given);
    if (tokenId === undefined) return "token-wrong";
    return access === "any" ? { kind: "tenant", tokenId } : "not-allowed";
  }

  /** In constant time: what is compared are keyed hashes of the same length. */
  #isSame(given: string, wanted: string): boolean {
    const hash = (text: string): Buffer => createHmac("sha256", this.#key).update(text).digest();
    return timingSafeEqual(hash(given), hash(wanted));
  }
}

/** RFC 6750 §2.1; the scheme's case does not count (RFC 9110 §11.1). */
function bearerIn(authorization: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,1024})$/i.exec(authorization ?? "")?.[1];
}
