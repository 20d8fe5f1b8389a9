import type { Clock } from "../../runtime/clock.ts";
import { Emitter } from "../../runtime/emitter.ts";
import {
  claimId,
  type Claim,
  type ClaimEvent,
  type ClaimName,
  type ClaimOutcome,
  type Claims,
  type NewClaim,
  type NodeMessage,
} from "./claims.ts";
import type { KeptName, NameKeeper } from "./keeper.ts";
import { isOfKey } from "./proof.ts";

interface Entry {
  readonly claim: Claim;
  readonly state: "held" | "away" | "done";
  readonly since: number;
  /** Whom the name is counted for. */
  readonly owner: string | undefined;
}

export interface MemoryClaimsOptions {
  readonly node: string;
  readonly clock: Clock;
  /** Keeps name → key over a restart; without one all is forgotten. */
  readonly keeper?: NameKeeper;
  readonly limits: MemoryClaimsLimits;
}

interface MemoryClaimsLimits {
  /** A room whose host has been away for so long is forgotten, in ms. */
  readonly roomAwayMs: number;
  /** Of names without a host; the oldest room goes first. */
  readonly maxIdle: number;
}

/** The register of a single node. */
export class MemoryClaims implements Claims {
  readonly state = "ready";
  readonly isProven = true;
  readonly #options: MemoryClaimsOptions;
  readonly #entries = new Map<string, Entry>();
  /** Those without a host, oldest first. */
  readonly #idle = new Set<string>();
  /** Names of each owner. */
  readonly #held = new Map<string, number>();
  readonly #events = new Emitter<ClaimEvent>();
  readonly #told = new Emitter<NodeMessage>();
  #epoch: number;

  private constructor(options: MemoryClaimsOptions, kept: readonly KeptName[]) {
    this.#options = options;
    const now = options.clock.now();
    // Above every epoch of an earlier run, so that nothing of that can pass for newer.
    this.#epoch = now;
    for (const { kind, name, key, port, owner } of kept) {
      const claim: Claim = { kind, name, key, port, epoch: this.#epoch, node: undefined };
      this.#put({ claim, state: kind === "room" ? "away" : "done", since: now, owner });
      this.#idle.add(claimId(claim));
    }
  }

  /** @throws {TunnelError} relay-state, where the kept names cannot be read */
  static async open(options: MemoryClaimsOptions): Promise<MemoryClaims> {
    return new MemoryClaims(options, (await options.keeper?.load()) ?? []);
  }

  async claim({ kind, name, key, node, port, owner }: NewClaim): Promise<ClaimOutcome> {
    const id = claimId({ kind, name });
    const before = this.#entries.get(id);
    if (before !== undefined && before.claim.key !== key) return { kind: "taken" };
    // Its own name nobody loses to a limit.
    if (before === undefined && owner !== undefined && (this.#held.get(owner.id) ?? 0) >= owner.maxNames)
      return { kind: "used-up" };
    this.#epoch += 1;
    const claim: Claim = { kind, name, key, node, port, epoch: this.#epoch };
    this.#put({ claim, state: "held", since: this.#options.clock.now(), owner: owner?.id });
    this.#idle.delete(id);
    this.#events.emit({ type: "claimed", claim });
    const isKnown = before !== undefined && before.claim.port === port && before.owner === owner?.id;
    try {
      // A name is its key's only once that is on the disk.
      if (!isKnown) await this.#options.keeper?.keep({ kind, name, key, port, owner: owner?.id });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      await this.release({ kind, name }, claim.epoch, "away");
      return { kind: "unavailable" };
    }
    return { kind: "claimed", epoch: claim.epoch };
  }

  async renew(claim: NewClaim, epoch: number): Promise<ClaimOutcome> {
    const entry = this.#entries.get(claimId(claim));
    const isOurs = entry?.claim.key === claim.key && entry.claim.epoch === epoch;
    return isOurs ? { kind: "claimed", epoch } : { kind: "taken" };
  }

  async release(name: ClaimName, epoch: number, how: "away" | "done"): Promise<boolean> {
    const id = claimId(name);
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.claim.epoch !== epoch) return false;
    const claim: Claim = { ...entry.claim, node: undefined };
    this.#idle.delete(id);
    if (how === "done" && (name.kind === "room" || isOfKey(name.name, claim.key))) {
      this.#forget(id);
    } else {
      this.#put({ ...entry, claim, state: how, since: this.#options.clock.now() });
      this.#idle.add(id);
      this.#sweep();
    }
    this.#events.emit(how === "away" ? { type: "away", claim } : { type: "released", claim: name, epoch });
    return true;
  }

  async find(name: ClaimName): Promise<Claim | undefined> {
    return this.findNow(name);
  }

  /** It is always a new look. */
  forget(): void {}

  /** The same at once, where there is nothing to ask. */
  findNow(name: ClaimName): Claim | undefined {
    const entry = this.#entries.get(claimId(name));
    if (entry === undefined || entry.state === "done" || this.#isStale(entry)) return undefined;
    return entry.claim;
  }

  watch(listener: (event: ClaimEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  async tell(node: string, message: NodeMessage): Promise<boolean> {
    if (node !== this.#options.node) return false;
    this.#told.emit(message);
    return true;
  }

  onTold(listener: (message: NodeMessage) => void): () => void {
    return this.#told.subscribe(listener);
  }

  async close(): Promise<void> {
    await this.#options.keeper?.close();
  }

  #isStale({ claim, state, since }: Entry): boolean {
    const { clock, limits } = this.#options;
    return claim.kind === "room" && state === "away" && clock.now() - since > limits.roomAwayMs;
  }

  /** Only from the oldest on, and only rooms: a service's name is its key's. */
  #sweep(): void {
    for (const id of this.#idle) {
      const entry = this.#entries.get(id);
      if (entry === undefined || entry.claim.kind !== "room") continue;
      if (!this.#isStale(entry) && this.#idle.size <= this.#options.limits.maxIdle) return;
      this.#idle.delete(id);
      this.#forget(id);
    }
  }

  #put(entry: Entry): void {
    const id = claimId(entry.claim);
    this.#count(this.#entries.get(id)?.owner, -1);
    this.#entries.set(id, entry);
    this.#count(entry.owner, 1);
  }

  #count(owner: string | undefined, step: 1 | -1): void {
    if (owner === undefined) return;
    const held = (this.#held.get(owner) ?? 0) + step;
    if (held === 0) this.#held.delete(owner);
    else this.#held.set(owner, held);
  }

  #forget(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    this.#count(entry?.owner, -1);
    this.#idle.delete(id);
    if (entry !== undefined) this.#options.keeper?.forget(entry.claim);
  }
}
