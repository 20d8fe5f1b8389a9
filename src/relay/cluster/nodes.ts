import { unlessAway, type Bucket } from "./engine.ts";
import { parseNodeEntry, type NodeFacts } from "./entries.ts";

/** Other nodes' facts, as far as they were asked for. */
export class Nodes {
  readonly #bucket: Bucket;
  readonly #known = new Map<string, NodeFacts>();
  readonly #asked = new Map<string, Promise<NodeFacts | undefined>>();

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /**
   * Where a node is and what it speaks never changes: what is known is good, also while the engine is away. Those who ask at once share
   * one question. Undefined for a node that was never there, and where nobody can be asked.
   */
  facts(node: string): Promise<NodeFacts | undefined> {
    const known = this.#known.get(node);
    if (known !== undefined) return Promise.resolve(known);
    const asked = this.#asked.get(node) ?? this.#ask(node).finally(() => this.#asked.delete(node));
    this.#asked.set(node, asked);
    return asked;
  }

  async #ask(node: string): Promise<NodeFacts | undefined> {
    const entry = await unlessAway(this.#bucket.get(node));
    const facts = entry === undefined ? undefined : parseNodeEntry(entry.value)?.facts;
    if (facts === undefined) return undefined;
    this.#known.set(node, facts);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    return facts;
  }

  /** All that are there, as they are now. @throws {EngineAway} */
  async all(): Promise<readonly { readonly node: string; readonly facts: NodeFacts }[]> {
    const nodes = await Promise.all(
      (await this.#bucket.keys()).map(async (node) => {
        const entry = await this.#bucket.get(node);
        const found = entry === undefined ? undefined : parseNodeEntry(entry.value);
        return found?.state === "live" ? [{ node, facts: found.facts }] : [];
      }),
    );
    return nodes.flat();
  }
}

const MAX_KNOWN = 10_000;
