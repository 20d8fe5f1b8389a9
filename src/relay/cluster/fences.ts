import type { Clock } from "../../runtime/clock.ts";
import type { Bucket } from "./engine.ts";
import { parseNodeEntry, type ClusterMessage, type NodeEntry } from "./entries.ts";
import { CLUSTER } from "./timing.ts";
import { isWitnessed, type Closed, type Mark } from "./witnesses.ts";

export interface FencesOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly nodes: Bucket;
  readonly random: () => string;
  readonly closed: Closed;
  /** @returns whether the node has answered */
  readonly tell: (node: string, message: ClusterMessage) => Promise<boolean>;
  /** Whether nothing of that name is at its address any more. */
  readonly isGone: (node: string) => Promise<boolean>;
}

interface Fencing {
  readonly running: Promise<number>;
  next: Promise<number> | undefined;
}

/** Closes leases of other nodes, for whoever takes a claim of a node that does not answer. */
export class Fences {
  readonly #options: FencesOptions;
  /** When the lease behind each mark is over, by this node's clock. */
  readonly #over = new Map<string, number>();
  readonly #running = new Map<string, Fencing>();

  constructor(options: FencesOptions) {
    this.#options = options;
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
    const { nodes, random, closed } = this.#options;
    const own = random();
    for (;;) {
      const entry = await nodes.get(node);
      const found = entry === undefined ? undefined : parseNodeEntry(entry.value);
      // The mark is written anew even where it is there: only a write proves that it still is.
      const fence = found?.state === "fenced" ? found.fence : own;
      const witnesses = found?.witnesses ?? [];
      const mark = { state: "fenced", fence, witnesses, facts: found?.facts } as const;
      const value = JSON.stringify(mark satisfies NodeEntry);
      const revision = await nodes.put(node, value, entry?.revision ?? 0);
      if (revision === undefined) continue;
      closed.add(node, revision);
      return (
        this.#over.get(fence) ?? this.#remember(fence, await this.#overAt({ node, revision, witnesses }))
      );
    }
  }

  async #overAt(mark: Mark): Promise<number> {
    const { clock, node, tell, isGone } = this.#options;
    const isKnown = mark.witnesses.length === 0 || mark.witnesses.includes(node);
    if (isKnown || (await isWitnessed(mark, tell)) || (await isGone(mark.node)))
      return clock.now() + CLUSTER.fencedMs;
    return clock.now() + CLUSTER.wordlessMs;
  }

  #remember(fence: string, overAt: number): number {
    this.#over.set(fence, overAt);
    for (const oldest of this.#over.keys()) {
      if (this.#over.size <= MAX_REMEMBERED) break;
      this.#over.delete(oldest);
    }
    return overAt;
  }
}

/** One that is forgotten is only waited for anew. */
const MAX_REMEMBERED = 1_000;
