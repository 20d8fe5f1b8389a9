import type { Bucket } from "./engine.ts";
import { parseNodeEntry, parseWord, type ClusterMessage, type Word } from "./entries.ts";
import { CLUSTER } from "./timing.ts";

/** How another node has answered. `gone`: nothing of its name is at its address any more. */
export type PeerAnswer =
  { readonly kind: "said"; readonly text: string } | { readonly kind: "gone" } | { readonly kind: "silent" };

/** Words from node to node that do not go through the engine. */
export interface PeerTalk {
  /** Finds out where a node is, as long as that can be asked. */
  meet(node: string): Promise<void>;
  ask(node: string, text: string, withinMs: number): Promise<PeerAnswer>;
}

/**
 * Nodes that are there by the engine's clock, the next ones after this node: so every node is a witness of few others.
 * @throws {EngineAway}
 */
export async function chooseWitnesses(
  nodes: Bucket,
  peers: PeerTalk,
  node: string,
): Promise<readonly string[]> {
  const keys = (await nodes.keys()).toSorted();
  const now = (await nodes.get(node))?.writtenAt ?? 0;
  const next = [...keys.filter((key) => key > node), ...keys.filter((key) => key < node)];
  const chosen: string[] = [];
  for (const key of next) {
    if (chosen.length === CLUSTER.witnesses) break;
    const entry = await nodes.get(key);
    const isLive = entry !== undefined && parseNodeEntry(entry.value)?.state === "live";
    if (isLive && now - entry.writtenAt < CLUSTER.quietMs) chosen.push(key);
  }
  await Promise.all(chosen.map((witness) => peers.meet(witness)));
  return chosen;
}

/** A witness's word on the lease of a node; undefined where nothing of it can be read. */
export async function wordOf(
  peers: PeerTalk,
  witness: string,
  about: { readonly node: string; readonly revision: number },
): Promise<Word | undefined> {
  const question = { type: "lease", of: about.node, revision: about.revision } as const;
  const answer = await peers.ask(
    witness,
    JSON.stringify(question satisfies ClusterMessage),
    CLUSTER.witnessMs,
  );
  return answer.kind === "said" ? parseWord(answer.text) : undefined;
}

/**
 * Leases that this node has closed itself, or has been told are closed: it gives its word for none of them. The node that closes one waits from
 * the moment on from which this is known here, so a word that was given before is over by then.
 */
export class Closed {
  /** Revision of the newest mark on each node. */
  readonly #marks = new Map<string, number>();

  add(node: string, mark: number): void {
    const newest = Math.max(mark, this.#marks.get(node) ?? 0);
    this.#marks.delete(node);
    this.#marks.set(node, newest);
    for (const oldest of this.#marks.keys()) {
      if (this.#marks.size <= MAX_MARKS) break;
      this.#marks.delete(oldest);
    }
  }

  /** Whether a lease of that revision is open, as far as this node knows. */
  isOpen(node: string, revision: number): boolean {
    return (this.#marks.get(node) ?? 0) < revision;
  }
}

const MAX_MARKS = 10_000;

/** A mark of a closed lease, as those who are to be told of it. */
export interface Mark {
  readonly node: string;
  readonly revision: number;
  readonly witnesses: readonly string[];
}

/** Whether one at least of the witnesses gives its word no more. */
export async function isWitnessed(
  mark: Mark,
  ask: (node: string, message: ClusterMessage) => Promise<boolean>,
): Promise<boolean> {
  const message = { type: "closed", of: mark.node, revision: mark.revision } as const;
  const answers = await Promise.all(mark.witnesses.map((witness) => ask(witness, message)));
  return answers.includes(true);
}
