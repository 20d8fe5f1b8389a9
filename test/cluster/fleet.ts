import { expect } from "vitest";
import { z } from "zod";
import { RelayProcess } from "../support/relay-process.ts";
import { Gate, type Block } from "./gate.ts";
import { freePorts, type NatsCluster } from "./nats.ts";

const started = z.looseObject({ event: z.literal("listening"), node: z.string() });

/** A node whose ways to the engine and to the other nodes can be cut, each by itself. */
export interface FleetNode {
  readonly relay: RelayProcess;
  /** Its way to the engine. */
  readonly engine: Gate;
  /** The way of others to it. */
  readonly peers: Gate;
}

/** Some nodes of one cluster, and one address for all of them. */
export class Fleet {
  readonly nodes: readonly FleetNode[];
  readonly balancer: Gate;

  private constructor(nodes: readonly FleetNode[], balancer: Gate) {
    this.nodes = nodes;
    this.balancer = balancer;
  }

  static async start(cluster: NatsCluster, count: number, args: readonly string[] = []): Promise<Fleet> {
    const nodes: FleetNode[] = [];
    for (const own of await freePorts(count)) {
      const engine = await Gate.open(() => cluster.servers.map(({ port }) => port));
      const peers = await Gate.open(() => [own]);
      // Others are told the gate's address in the place of the node's own, which has as many characters.
      const [told, shown] = [`"127.0.0.1:${own}"`, `"127.0.0.1:${peers.port}"`];
      engine.rewrite = (piece) => {
        const text = piece.toString("latin1");
        return text.includes(told) ? Buffer.from(text.replaceAll(told, shown), "latin1") : piece;
      };
      const place = ["--cluster", `nats://127.0.0.1:${engine.port}`, "--node-address", `127.0.0.1:${own}`];
      const log = ["--access-log", "--log-names", "--drain-seconds", "1"];
      const relay = await RelayProcess.start([...place, ...log, ...args]);
      nodes.push({ relay, engine, peers });
    }
    const balancer = await Gate.open(() => nodes.map(({ relay }) => relay.port));
    return new Fleet(nodes, balancer);
  }

  get url(): string {
    return `http://127.0.0.1:${this.balancer.port}`;
  }

  at(index: number): FleetNode {
    const node = this.nodes[index % this.nodes.length];
    if (node === undefined) throw new Error("no node");
    return node;
  }

  /** Neither the engine nor another node is reached by it, nor reaches it. Hosts and guests do. */
  partition(node: FleetNode, how: Block): void {
    const id = idOf(node.relay);
    node.engine.block("partition", how);
    node.peers.block("partition", how);
    for (const other of this.nodes)
      if (other !== node) other.peers.block("partition", how, (first) => first.includes(`"from":"${id}"`));
  }

  heal(): void {
    for (const { engine, peers } of this.nodes) {
      engine.heal("partition");
      peers.heal("partition");
    }
  }

  async ready(): Promise<void> {
    for (const { relay } of this.nodes)
      await expect.poll(() => isReady(relay), { timeout: 30_000, interval: 100 }).toBe(true);
  }

  /** All lines of each run of each node. */
  get logs(): readonly string[] {
    return this.nodes.flatMap(({ relay }) => [...relay.formerStdout, relay.stdout]);
  }

  async end(): Promise<void> {
    this.balancer.close();
    for (const { engine, peers, relay } of this.nodes) {
      relay.signal("SIGCONT");
      await relay.end("SIGKILL");
      engine.close();
      peers.close();
    }
  }
}

export async function isReady(relay: RelayProcess): Promise<boolean> {
  return (await fetch(`${relay.admin}/readyz`).catch(() => undefined))?.status === 200;
}

export function idOf({ stdout }: RelayProcess): string {
  return started.parse(JSON.parse(stdout.split("\n")[0] ?? "")).node;
}
