import { equalBytes, toHex, type Bytes } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { hashOf, newSecret, type Secret } from "./secret.ts";

/** Claim links of one exposure, revoked ones included. */
const MAX_CLAIMS = 64;

/** A claim as its owner sees it; no secret. Times are milliseconds since the epoch. */
export interface ClaimState {
  readonly id: string;
  readonly state: "unused" | "claimed" | "revoked";
  readonly claimedAt: number | undefined;
  readonly lastSeenAt: number | undefined;
  /** Where it was last seen. */
  readonly address: string | undefined;
}

/** Who has claimed a link: a person on one device. */
interface Visit {
  readonly cookieHash: Bytes;
  readonly claimedAt: number;
  lastSeenAt: number;
  address: string;
}

type State =
  | { readonly kind: "unused"; readonly secret: Secret }
  | { readonly kind: "claimed"; readonly visit: Visit }
  | { readonly kind: "revoked"; readonly visit: Visit | undefined };

interface Claim {
  readonly id: string;
  state: State;
}

/** A claim that has been used, by id. */
export interface Visitor {
  readonly id: string;
  readonly visit: Visit;
}

/** Single-use links: each is good once, for the one who claims it first, until it is revoked. */
export class Claims {
  readonly #clock: Clock;
  readonly #primitives: Primitives;
  readonly #claims = new Map<string, Claim>();

  constructor(clock: Clock, primitives: Primitives) {
    this.#clock = clock;
    this.#primitives = primitives;
  }

  /**
   * Makes so many more; revoked ones give way, the oldest first.
   * @returns their ids
   * @throws {TunnelError} claims-too-many
   */
  add(count: number): readonly string[] {
    const all = [...this.#claims.values()];
    const revoked = all.filter(({ state }) => state.kind === "revoked");
    if (all.length - revoked.length + count > MAX_CLAIMS)
      throw new TunnelError("claims-too-many", { detail: `at most ${MAX_CLAIMS}` });
    const excess = Math.max(0, all.length + count - MAX_CLAIMS);
    for (const { id } of revoked.slice(0, excess)) this.#claims.delete(id);
    return Array.from({ length: count }, () => this.#addOne());
  }

  #addOne(): string {
    let id: string;
    do id = `claim-${toHex(this.#primitives.random(4))}`;
    while (this.#claims.has(id));
    this.#claims.set(id, { id, state: { kind: "unused", secret: newSecret(this.#primitives) } });
    return id;
  }

  /** Links that nobody has used yet, with their secrets. */
  unused(): readonly { readonly id: string; readonly secret: string }[] {
    return [...this.#claims.values()].flatMap(({ id, state }) =>
      state.kind === "unused" ? [{ id, secret: state.secret.text }] : [],
    );
  }

  list(): readonly ClaimState[] {
    return [...this.#claims.values()].map(({ id, state }) => {
      const visit = state.kind === "unused" ? undefined : state.visit;
      return {
        id,
        state: state.kind,
        claimedAt: visit?.claimedAt,
        lastSeenAt: visit?.lastSeenAt,
        address: visit?.address,
      };
    });
  }

  /** Ends a link, or the visit of the one who claimed it, at once. False where there is none to end. */
  revoke(id: string): boolean {
    const claim = this.#claims.get(id);
    if (claim === undefined || claim.state.kind === "revoked") return false;
    claim.state = { kind: "revoked", visit: claim.state.kind === "claimed" ? claim.state.visit : undefined };
    return true;
  }

  /** Uses a link up; undefined for one that is used, revoked or unknown, which take the same time. */
  redeem(secret: string, address: string): { readonly id: string; readonly cookie: string } | undefined {
    const hash = hashOf(this.#primitives, secret);
    const cookie = newSecret(this.#primitives);
    const found = this.#find(hash, (state) => (state.kind === "unused" ? state.secret.hash : undefined));
    if (found === undefined) return undefined;
    const now = this.#clock.now();
    const visit = { cookieHash: cookie.hash, claimedAt: now, lastSeenAt: now, address };
    found.state = { kind: "claimed", visit };
    return { id: found.id, cookie: cookie.text };
  }

  /** The visitor that one of these cookies belongs to. */
  visitorOf(cookies: readonly string[]): Visitor | undefined {
    let visitor: Visitor | undefined;
    for (const cookie of cookies) {
      const hash = hashOf(this.#primitives, cookie);
      const found = this.#find(hash, (state) =>
        state.kind === "claimed" ? state.visit.cookieHash : undefined,
      );
      if (found?.state.kind === "claimed") visitor = { id: found.id, visit: found.state.visit };
    }
    return visitor;
  }

  /** Forgets everything: no link and no cookie is good any more. */
  end(): void {
    this.#claims.clear();
  }

  /** Looks at every claim, also behind the one that is found. */
  #find(hash: Bytes, hashIn: (state: State) => Bytes | undefined): Claim | undefined {
    let found: Claim | undefined;
    for (const claim of this.#claims.values()) {
      const own = hashIn(claim.state);
      if (own !== undefined && equalBytes(hash, own)) found = claim;
    }
    return found;
  }
}
