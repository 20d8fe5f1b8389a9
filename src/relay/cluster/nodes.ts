import type { Clock } from "../../runtime/clock.ts";
import { EngineAway, type Bucket } from "./engine.ts";
import { parseNodeEntry, type NodeFacts } from "./entries.ts";
import { CLUSTER } from "./timing.ts";

/** What other nodes tell of themselves, as far as it was asked for. */
export class Nodes {
  readonly #clock: Clock;
  readonly #bucket: Bucket;
  readonly #known = new Map<string, { readonly facts: NodeFacts | undefined; readonly at: number }>();
  readonly #asked = new Map<string, Promise<NodeFacts | undefined>>();

  constructor(clock: Clock, bucket: Bucket) {
    this.#clock = clock;
    this.#bucket = bucket;
  }

  /** Undefined for a node that is not there. Those who ask at once share one question. */
  facts(node: string): Promise<NodeFacts | undefined> {
    const known = this.#known.get(node);
    if (known !== undefined && this.#clock.now() - known.at < CLUSTER.foundMs)
      return Promise.resolve(known.facts);
    const asked = this.#asked.get(node) ?? this.#ask(node).finally(() => this.#asked.delete(node));
    this.#asked.set(node, asked);
    return asked;
  }

  async #ask(node: string): Promise<NodeFacts | undefined> {
    try {
      const entry = await this.#bucket.get(node);
      const found = entry === undefined ? undefined : parseNodeEntry(entry.value);
      const facts = found?.state === "live" ? found.facts : undefined;
      this.#known.delete(node);
      this.#known.set(node, { facts, at: this.#clock.now() });
      for (const oldest of this.#known.keys()) {
        if (this.#known.size <= MAX_KNOWN) break;
        this.#known.delete(oldest);
      }
      return facts;
    } catch (error) {
      // An address that was good a while ago is better than none: the node proves that it is the one.
      if (error instanceof EngineAway) return this.#known.get(node)?.facts;
      throw error;
    }
  }

  /** All that are there. @throws {EngineAway} */
  async all(): Promise<readonly { readonly node: string; readonly facts: NodeFacts }[]> {
    const nodes: { node: string; facts: NodeFacts }[] = [];
    for (const node of await this.#bucket.keys()) {
      const facts = await this.facts(node);
      if (facts !== undefined) nodes.push({ node, facts });
    }
    return nodes;
  }
}

const MAX_KNOWN = 10_000;
