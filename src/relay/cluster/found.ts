import type { Clock } from "../../runtime/clock.ts";
import { claimId, type Claim, type ClaimEvent, type ClaimName } from "../claims/claims.ts";
import { CLUSTER } from "./timing.ts";

/** Knowledge of a name; `claim` undefined: nobody holds it. */
interface Known {
  readonly claim: Claim | undefined;
  readonly epoch: number;
  readonly at: number;
}

/**
 * Owners that this node has found. A hint, and no proof: events may be lost, so each is believed for a while only, and an owner that
 * has lost its claim says so itself.
 */
export class Found {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param forMs how old it may be */
  get(name: ClaimName, forMs: number): { readonly claim: Claim | undefined } | undefined {
    const known = this.#known.get(claimId(name));
    if (known === undefined || this.#clock.now() - known.at > forMs) return undefined;
    return known;
  }

  /** As the engine has told it. */
  put(name: ClaimName, claim: Claim | undefined, epoch = claim?.epoch ?? 0): void {
    const id = claimId(name);
    const before = this.#known.get(id);
    // An event may have overtaken the answer.
    if (before !== undefined && before.epoch > epoch && claim !== undefined) return;
    this.#known.delete(id);
    this.#known.set(id, { claim, epoch, at: this.#clock.now() });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= CLUSTER.maxFound) break;
      this.#known.delete(oldest);
    }
  }

  take(event: ClaimEvent): void {
    if (event.type === "lost") return this.drop(event.claim);
    const { claim } = event;
    if (event.type !== "released") return this.put(claim, event.claim);
    const before = this.#known.get(claimId(claim));
    if (before === undefined || before.epoch <= event.epoch) this.put(claim, undefined, event.epoch);
  }

  drop(name: ClaimName): void {
    this.#known.delete(claimId(name));
  }
}
