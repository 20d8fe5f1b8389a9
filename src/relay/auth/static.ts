import type { Authority, Verdict } from "./authority.ts";
import { Emitter } from "../../runtime/emitter.ts";
import type { Clock } from "../../runtime/clock.ts";
import { hashOfToken, type TokenEntry } from "./tokens.ts";

/** Tokens that the operator has made. The file is read by others; a new content is put in with {@link replace}. */
export class StaticAuthority implements Authority {
  readonly isOpen = false;
  readonly #clock: Clock;
  readonly #changes = new Emitter<void>();
  #byHash: ReadonlyMap<string, TokenEntry>;

  constructor(tokens: readonly TokenEntry[], clock: Clock) {
    this.#clock = clock;
    this.#byHash = byHash(tokens);
  }

  get tokens(): readonly TokenEntry[] {
    return [...this.#byHash.values()];
  }

  /** From now on these tokens count, for those who are in, too. */
  replace(tokens: readonly TokenEntry[]): void {
    this.#byHash = byHash(tokens);
    this.#changes.emit();
  }

  async check(token: string | undefined): Promise<Verdict> {
    if (token === undefined) return { kind: "refused", reason: "token-missing" };
    const entry = this.#byHash.get(hashOfToken(token));
    if (entry === undefined) return { kind: "refused", reason: "token-invalid" };
    const { id, kinds, names, limits, expiresAt } = entry;
    const endsAt = expiresAt === undefined ? undefined : Date.parse(expiresAt);
    if (endsAt !== undefined && endsAt <= this.#clock.now())
      return { kind: "refused", reason: "token-expired" };
    return {
      kind: "granted",
      grant: { tokenId: id, kinds: new Set(kinds), names, limits, recheckAt: endsAt },
    };
  }

  onChange(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }
}

const byHash = (tokens: readonly TokenEntry[]): ReadonlyMap<string, TokenEntry> =>
  new Map(tokens.map((entry) => [entry.sha256, entry]));
