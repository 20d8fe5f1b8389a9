import type { Clock } from "../../../src/runtime/clock.ts";
import { EngineAway, type Bucket, type Engine, type Entry } from "../../../src/relay/cluster/engine.ts";
import { CLUSTER } from "../../../src/relay/cluster/timing.ts";
import type { PeerTalk } from "../../../src/relay/cluster/witnesses.ts";

/** A word is an event or a question to a node; the others are reads and writes of a bucket. */
export type Sent = BucketName | "word";

/** Carries what one end sends to another: at once, late or never. */
export interface Network {
  send(from: string, to: string, deliver: () => void, what?: Sent): void;
}

export const ENGINE = "engine";

/** Nodes that reach each other by the engine alone. */
export const NO_PEERS: PeerTalk = {
  meet: () => Promise.resolve(),
  ask: () => Promise.resolve({ kind: "silent" }),
};

type BucketName = "claims" | "nodes";

/** The engine itself: what is written when a request has reached it. */
export class FakeServer {
  readonly #buckets = { claims: new Map<string, Entry>(), nodes: new Map<string, Entry>() };
  readonly #last = { claims: 0, nodes: 0 };
  readonly #now: () => number;
  /** Ends by subject. */
  readonly listeners = new Map<string, Set<{ node: string; hear: Listener }>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  get(bucket: BucketName, key: string): Entry | undefined {
    const entry = this.#buckets[bucket].get(key);
    if (bucket === "nodes" && entry !== undefined && this.#now() - entry.writtenAt > CLUSTER.forgottenMs)
      return undefined;
    return entry;
  }

  put(bucket: BucketName, key: string, value: string, expected: number): number | undefined {
    if ((this.get(bucket, key)?.revision ?? 0) !== expected) return undefined;
    const revision = (this.#last[bucket] += 1);
    this.#buckets[bucket].set(key, { key, value, revision, writtenAt: this.#now() });
    return revision;
  }

  remove(bucket: BucketName, key: string, revision: number): boolean {
    if (this.get(bucket, key)?.revision !== revision) return false;
    return this.#buckets[bucket].delete(key);
  }

  below(bucket: BucketName, prefix: string): readonly Entry[] {
    const entries = [...this.#buckets[bucket].values()].filter(
      ({ key }) => prefix === "" || key.startsWith(`${prefix}.`),
    );
    return entries.toSorted((a, b) => a.revision - b.revision);
  }

  /** All that was written is gone. */
  wipe(): void {
    this.#buckets.claims.clear();
  }
}

type Listener = (text: string, reply: (text: string) => void) => void;

/** One node's end of the engine. */
export class FakeEngine implements Engine {
  readonly claims: Bucket;
  readonly nodes: Bucket;
  isConnected = true;
  readonly #node: string;
  readonly #server: FakeServer;
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #onConnection = new Set<(isConnected: boolean) => void>();
  readonly #own = new Set<() => void>();

  constructor(node: string, server: FakeServer, network: Network, clock: Clock) {
    this.#node = node;
    this.#server = server;
    this.#network = network;
    this.#clock = clock;
    this.claims = this.#bucket("claims");
    this.nodes = this.#bucket("nodes");
  }

  connected(isConnected: boolean): void {
    if (this.isConnected === isConnected) return;
    this.isConnected = isConnected;
    for (const listener of this.#onConnection) listener(isConnected);
  }

  onConnection(listener: (isConnected: boolean) => void): () => void {
    this.#onConnection.add(listener);
    return () => void this.#onConnection.delete(listener);
  }

  publish(subject: string, text: string): void {
    this.#word(this.#node, ENGINE, () => {
      for (const { node, hear } of this.#server.listeners.get(subject) ?? [])
        this.#word(ENGINE, node, () => hear(text, () => undefined));
    });
  }

  subscribe(subject: string, hear: Listener): () => void {
    const { listeners } = this.#server;
    const listener = { node: this.#node, hear };
    listeners.set(subject, (listeners.get(subject) ?? new Set()).add(listener));
    const stop = (): void => void listeners.get(subject)?.delete(listener);
    this.#own.add(stop);
    return stop;
  }

  ask(subject: string, text: string, withinMs: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(withinMs, () => resolve(undefined));
      const answered = (answer: string | undefined): void => {
        cancel();
        resolve(answer);
      };
      this.#word(this.#node, ENGINE, () => {
        const listeners = this.#server.listeners.get(subject) ?? new Set();
        if (listeners.size === 0) this.#word(ENGINE, this.#node, () => answered(undefined));
        for (const { node, hear } of listeners) {
          const reply = (answer: string): void =>
            this.#word(node, ENGINE, () => this.#word(ENGINE, this.#node, () => answered(answer)));
          this.#word(ENGINE, node, () => hear(text, reply));
        }
      });
    });
  }

  async close(): Promise<void> {
    for (const stop of this.#own) stop();
  }

  #word(from: string, to: string, deliver: () => void): void {
    this.#network.send(from, to, deliver, "word");
  }

  #bucket(name: BucketName): Bucket {
    const server = this.#server;
    return {
      get: (key) => this.#request(name, () => server.get(name, key)),
      put: (key, value, expected) => this.#request(name, () => server.put(name, key, value, expected)),
      remove: (key, revision) => this.#request(name, () => server.remove(name, key, revision)),
      keys: (prefix) => this.#request(name, () => server.below(name, prefix ?? "").map(({ key }) => key)),
      next: (prefix, from) =>
        this.#request(name, () => server.below(name, prefix).find(({ revision }) => revision >= from)),
    };
  }

  #request<T>(what: Sent, apply: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(CLUSTER.engineMs, () => reject(new EngineAway()));
      const answer = (result: T): void => {
        cancel();
        resolve(result);
      };
      this.#network.send(
        this.#node,
        ENGINE,
        () => {
          const result = apply();
          this.#network.send(ENGINE, this.#node, () => answer(result), what);
        },
        what,
      );
    });
  }
}
