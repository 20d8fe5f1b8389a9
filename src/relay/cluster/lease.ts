import type { Clock } from "../../runtime/clock.ts";
import { every } from "../../runtime/wait.ts";
import { unlessAway, type Bucket } from "./engine.ts";
import { parseNodeEntry, type NodeEntry, type NodeFacts } from "./entries.ts";
import { CLUSTER } from "./timing.ts";

export interface LeaseOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly nodes: Bucket;
  /** What the lease tells of this node, anew with each renewal. */
  readonly facts: () => NodeFacts;
  /**
   * Another node has closed the lease, and this one has a new one: looks at every claim of this node, and stops serving those that
   * it has lost. The lease proves nothing before.
   * @throws {EngineAway}
   */
  readonly verify: () => Promise<void>;
  /** Called after each renewal that the engine has taken. */
  readonly onRenewed: () => void;
}

/**
 * The word of this node that it still holds its claims. It times the lease itself, from before each renewal was sent, so that a node
 * whose engine, network or processor stands still for too long stops by its own clock. Others take no claim of it before they have
 * either its own answer, or have closed the lease and waited for its end (see {@link Fences}): a renewal that comes after that fails.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #revision = 0;
  #provenUntil = Number.NEGATIVE_INFINITY;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #generation = 0;
  #isVerified = true;
  #isRenewing = false;
  #isOver = false;
  #stop: () => void = () => undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Whether what this node holds is its own beyond doubt, at this moment. */
  get isProven(): boolean {
    return this.#isVerified && this.#options.clock.now() < this.#provenUntil;
  }

  /** Whether the engine has taken a renewal lately. */
  get isRenewed(): boolean {
    return this.#options.clock.now() < this.#renewedAt + CLUSTER.leaseMs;
  }

  /** Grows whenever the lease is a new one: what was under way before may be lost. */
  get generation(): number {
    return this.#generation;
  }

  /** Resolves after the first attempt. */
  async start(): Promise<void> {
    this.#stop = every(this.#options.clock, CLUSTER.renewMs, () => void this.renew());
    await this.renew();
  }

  async renew(): Promise<void> {
    if (this.#isRenewing || this.#isOver) return;
    this.#isRenewing = true;
    try {
      await unlessAway(this.#renew());
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Gives the lease back: nothing is served from here on, and nobody has to wait for its end. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#stop();
    this.#provenUntil = Number.NEGATIVE_INFINITY;
    const { nodes, node } = this.#options;
    if (this.#revision > 0) await unlessAway(nodes.remove(node, this.#revision));
  }

  async #renew(): Promise<void> {
    const { clock, nodes, node, facts, onRenewed, verify } = this.#options;
    const value = JSON.stringify({ state: "live", facts: facts() } satisfies NodeEntry);
    const sentAt = clock.now();
    const revision = await nodes.put(node, value, this.#revision);
    if (this.#isOver) return;
    if (revision !== undefined) {
      this.#revision = revision;
      if (!this.#isVerified) {
        // From here on: what was looked at before this lease began proves nothing.
        this.#generation += 1;
        await verify();
        this.#isVerified = true;
      }
      this.#provenUntil = sentAt + CLUSTER.leaseMs;
      this.#renewedAt = clock.now();
      return onRenewed();
    }
    const entry = await nodes.get(node);
    const found = entry === undefined ? undefined : parseNodeEntry(entry.value);
    // A renewal whose answer was lost: nobody but this node writes that, and the chain of its revisions was never cut.
    if (entry !== undefined && found?.state === "live" && this.#revision > 0) {
      this.#revision = entry.revision;
      return;
    }
    this.#isVerified = false;
    this.#revision = entry?.revision ?? 0;
    return this.#renew();
  }
}

interface Fencing {
  readonly running: Promise<number>;
  next: Promise<number> | undefined;
}

/** Closes leases of other nodes, for whoever takes a claim of a node that does not answer. */
export class Fences {
  readonly #clock: Clock;
  readonly #nodes: Bucket;
  readonly #random: () => string;
  /** When this node has first seen each mark. */
  readonly #seen = new Map<string, number>();
  readonly #running = new Map<string, Fencing>();

  constructor(clock: Clock, nodes: Bucket, random: () => string) {
    this.#clock = clock;
    this.#nodes = nodes;
    this.#random = random;
  }

  /**
   * Closes the lease by a write that begins after this call: what the node has claimed before it cannot renew from then on without
   * looking at its claims. Those who ask at the same time share the write.
   * @returns when the lease is over, by this node's clock
   * @throws {EngineAway}
   */
  close(node: string): Promise<number> {
    const running = this.#running.get(node);
    if (running === undefined) return this.#start(node);
    // The write that runs may have begun before the caller's own was done.
    running.next ??= running.running.then(
      () => this.#start(node),
      () => this.#start(node),
    );
    return running.next;
  }

  #start(node: string): Promise<number> {
    const running = this.#close(node).finally(() => {
      if (this.#running.get(node)?.running === running) this.#running.delete(node);
    });
    this.#running.set(node, { running, next: undefined });
    return running;
  }

  async #close(node: string): Promise<number> {
    const own = this.#random();
    for (;;) {
      const entry = await this.#nodes.get(node);
      const found = entry === undefined ? undefined : parseNodeEntry(entry.value);
      // The mark is written anew even where it is there: only a write proves that it still is.
      const fence = found?.state === "fenced" ? found.fence : own;
      const value = JSON.stringify({ state: "fenced", fence } satisfies NodeEntry);
      if ((await this.#nodes.put(node, value, entry?.revision ?? 0)) === undefined) continue;
      const seenAt = this.#seen.get(fence) ?? this.#clock.now();
      this.#seen.delete(fence);
      this.#seen.set(fence, seenAt);
      for (const oldest of this.#seen.keys()) {
        if (this.#seen.size <= MAX_SEEN) break;
        this.#seen.delete(oldest);
      }
      return seenAt + CLUSTER.fencedMs;
    }
  }
}

/** Marks that are remembered; one that is forgotten is only waited for anew. */
const MAX_SEEN = 1_000;
