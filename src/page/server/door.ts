import { isAmong, newSecret, type Secret } from "../../expose/access/secret.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";

/** An address that nobody has opened works so long. */
export const CODE_MS = 60_000;
/** Addresses that are remembered, so that a second use of each is noticed. */
const MAX_CODES = 256;

interface Code {
  readonly secret: Secret;
  readonly madeAt: number;
  isUsed: boolean;
}

interface Pass {
  readonly token: Secret;
  readonly by: Code;
}

export type Entered =
  | { readonly kind: "in"; readonly token: string }
  | { readonly kind: "refused"; readonly why: "unknown" | "expired" }
  /** The tokens that the first use had given, and that are worth nothing from now on. */
  | { readonly kind: "used-twice"; readonly shutOut: readonly string[] };

/**
 * Lets persons in who may look and decide. One comes by an address with a code that works once and for a minute, and gets a token that lives in
 * their tab. Both live in memory alone and die with this process. A code that comes twice was seen by somebody else: whoever came
 * first is shut out as well, since nobody can say who of the two is the person.
 */
export class Door {
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  #codes: readonly Code[] = [];
  #passes: readonly Pass[] = [];

  constructor(primitives: Primitives, clock: Clock) {
    this.#primitives = primitives;
    this.#clock = clock;
  }

  newCode(): string {
    const code: Code = { secret: newSecret(this.#primitives), madeAt: this.#clock.now(), isUsed: false };
    this.#codes = [...this.#codes, code].slice(-MAX_CODES);
    return code.secret.text;
  }

  enter(presented: string): Entered {
    const code = this.#codes.find(({ secret }) => isAmong(this.#primitives, [presented], secret.hash));
    if (code === undefined) return { kind: "refused", why: "unknown" };
    if (code.isUsed) return { kind: "used-twice", shutOut: this.#shutOut(code) };
    if (this.#clock.now() - code.madeAt >= CODE_MS) return { kind: "refused", why: "expired" };
    code.isUsed = true;
    const token = newSecret(this.#primitives);
    this.#passes = [...this.#passes, { token, by: code }];
    return { kind: "in", token: token.text };
  }

  /** @returns the token as it was given, where it is one */
  admit(presented: string): string | undefined {
    let found: string | undefined;
    for (const { token } of this.#passes)
      if (isAmong(this.#primitives, [presented], token.hash)) found = token.text;
    return found;
  }

  leave(token: string): void {
    this.#passes = this.#passes.filter((pass) => pass.token.text !== token);
  }

  #shutOut(code: Code): readonly string[] {
    const out = this.#passes.filter(({ by }) => by === code).map(({ token }) => token.text);
    this.#passes = this.#passes.filter(({ by }) => by !== code);
    return out;
  }
}
