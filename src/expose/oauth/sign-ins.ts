import { must } from "../../errors/must.ts";
import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { hashOf, isAmong, newSecret, secretOf, type Secret } from "../access/secret.ts";
import type { Agreed } from "./grants.ts";
import { Kept } from "./kept.ts";
import { OAUTH } from "./limits.ts";

/** One client that waits for the owner. */
export interface SignIn {
  /** In the form of its page alone: whoever posts it was shown the page. */
  readonly ticket: string;
  /** For the owner's eyes. */
  readonly code: string;
  readonly agreed: Agreed;
  /** Given back to the client as it came (RFC 6749 §4.1.1). */
  readonly state: string | undefined;
  readonly endsAt: number;
  readonly triesLeft: number;
}

interface Waiting {
  readonly signIn: Omit<SignIn, "triesLeft">;
  readonly secret: Secret;
  /** The request that began it. */
  readonly query: string;
  triesLeft: number;
}

export type Tried =
  | { readonly kind: "right"; readonly signIn: SignIn }
  | { readonly kind: "wrong"; readonly signIn: SignIn }
  /** That was the last try. */
  | { readonly kind: "over"; readonly signIn: SignIn };

/** Letters that are not taken for others and make no words (RFC 8628 §6.1). */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
/** 34 bits: with ten tries a guess is right once in 2.5 thousand million sign-ins. */
const CODE_LETTERS = 8;

/** Those that wait: each has a code, and ten tries at it. */
export class SignIns {
  readonly #clock: Clock;
  readonly #primitives: Primitives;
  readonly #waiting: Kept<Waiting>;

  constructor(clock: Clock, primitives: Primitives) {
    this.#clock = clock;
    this.#primitives = primitives;
    this.#waiting = new Kept(clock, OAUTH.signIns);
  }

  get waiting(): readonly SignIn[] {
    return this.#waiting.values().map(shown);
  }

  begin(agreed: Agreed, state: string | undefined, query: string): SignIn {
    const code = this.#newCode();
    const ticket = newSecret(this.#primitives).text;
    const endsAt = this.#clock.now() + OAUTH.signInMs;
    const one: Waiting = {
      signIn: { ticket, code, agreed, state, endsAt },
      secret: secretOf(this.#primitives, plain(code)),
      query,
      triesLeft: OAUTH.tries,
    };
    this.#waiting.set(this.#key(ticket), one, OAUTH.signInMs);
    return shown(one);
  }

  /** The one that the same request has begun, for a page that is loaded again. */
  begun(query: string): SignIn | undefined {
    const found = this.#waiting.values().find((one) => one.query === query);
    return found && shown(found);
  }

  /** @returns undefined where nobody waits with this ticket */
  try(ticket: string, typed: string): Tried | undefined {
    const key = this.#key(ticket);
    const found = this.#waiting.get(key);
    if (found === undefined) return undefined;
    if (isAmong(this.#primitives, [plain(typed)], found.secret.hash)) {
      this.#waiting.delete(key);
      return { kind: "right", signIn: shown(found) };
    }
    found.triesLeft -= 1;
    if (found.triesLeft > 0) return { kind: "wrong", signIn: shown(found) };
    this.#waiting.delete(key);
    return { kind: "over", signIn: shown(found) };
  }

  /** Ends one. @returns undefined where nobody waits with this ticket */
  end(ticket: string): SignIn | undefined {
    const key = this.#key(ticket);
    const found = this.#waiting.get(key);
    this.#waiting.delete(key);
    return found && shown(found);
  }

  clear(): void {
    this.#waiting.clear();
  }

  #newCode(): string {
    let letters = "";
    while (letters.length < CODE_LETTERS) {
      const byte = must(this.#primitives.random(1)[0], "a random byte");
      // 240 is the last multiple of 20: beyond it some letters would come more often.
      if (byte < 240) letters += LETTERS.charAt(byte % LETTERS.length);
    }
    return `${letters.slice(0, 4)}-${letters.slice(4)}`;
  }

  #key(ticket: string): string {
    return toHex(hashOf(this.#primitives, ticket));
  }
}

const shown = ({ signIn, triesLeft }: Waiting): SignIn => ({ ...signIn, triesLeft });

/** As people type it: small letters, spaces and dashes count for nothing. */
const plain = (typed: string): string =>
  typed
    .slice(0, 64)
    .toUpperCase()
    .replace(/[\s\-_.]/g, "");
