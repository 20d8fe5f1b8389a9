import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { ClusterClaims } from "../cluster/cluster-claims.ts";
import { EngineAway, type Bucket, type Engine } from "../cluster/engine.ts";
import type { NodeFacts } from "../cluster/entries.ts";
import { Nodes } from "../cluster/nodes.ts";
import { PEER_VERSIONS } from "../cluster/peers/greeting.ts";
import type { NodeTls } from "../cluster/peers/node-tls.ts";
import { Peers, type PeerAddress } from "../cluster/peers/peers.ts";
import { Questions } from "../cluster/peers/questions.ts";
import { Tallies } from "../cluster/tallies.ts";

export interface ClusterOptions {
  readonly engine: Engine;
  /** Where this node listens for others, and where they find it. */
  readonly address: { readonly host: string; readonly port: number };
  /** Undefined on loopback alone. */
  readonly tls: NodeTls | undefined;
  /** Versions between nodes; all that this program speaks, where it is left out. */
  readonly versions?: readonly number[];
}

/** This node's part in a cluster. */
export interface Membership {
  readonly claims: ClusterClaims;
  readonly peers: Peers;
  readonly nodes: Nodes;
  readonly questions: Questions;
  readonly tallies: Tallies;
  readonly key: Buffer;
  readonly versions: readonly number[];
}

interface Joining {
  readonly node: string;
  readonly clock: Clock;
  readonly roomAwayMs: number;
  /** The facts of this node that change. */
  readonly facts: () => Pick<NodeFacts, "isLeaving" | "hosts" | "connections">;
  /** The port that the listener for nodes has got. */
  readonly port: () => number | undefined;
}

/** @throws {TunnelError} cluster-unusable */
export async function joinCluster(
  { engine, address, tls, versions = PEER_VERSIONS }: ClusterOptions,
  joining: Joining,
): Promise<Membership> {
  const { node, clock, roomAwayMs, facts, port } = joining;
  const key = await clusterKey(engine.claims).catch((error: unknown) => {
    if (!(error instanceof EngineAway)) throw error;
    throw new TunnelError("cluster-unusable", { detail: "its key cannot be read", cause: error });
  });
  const nodes = new Nodes(engine.nodes);
  const addressOf = async (other: string): Promise<PeerAddress | undefined> => {
    const told = await nodes.facts(other);
    const found = parseAddress(told?.address);
    return told === undefined || found === undefined ? undefined : { ...found, versions: told.versions };
  };
  const peers = new Peers({ node, clock, key, tls, versions, addressOf });
  const claims = new ClusterClaims({
    node,
    clock,
    engine,
    peers,
    facts: () => ({ ...facts(), address: addressText(address.host, port()), versions: [...versions] }),
    random: () => randomBytes(9).toString("base64url"),
    limits: { roomAwayMs },
  });
  const connect = (other: string): Promise<Duplex | undefined> => peers.reachAdmin(other);
  const questions = new Questions({ node, nodes, connect });
  const tallies = new Tallies({ node, clock, engine, key });
  return { claims, nodes, questions, tallies, key, peers, versions };
}

/** The first node makes it. It only keeps strangers from the listener of nodes on a machine that has none but loopback. */
async function clusterKey(bucket: Bucket): Promise<Buffer> {
  for (;;) {
    const entry = await bucket.get(KEY);
    if (entry !== undefined) return Buffer.from(entry.value, "base64url");
    await bucket.put(KEY, randomBytes(KEY_BYTES).toString("base64url"), 0);
  }
}

const KEY = "cluster.node-key";
const KEY_BYTES = 32;

const addressText = (host: string, port: number | undefined): string | undefined =>
  port === undefined ? undefined : `${host.includes(":") ? `[${host}]` : host}:${port}`;

function parseAddress(
  text: string | undefined,
): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, bare, digits = ""] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text ?? "") ?? [];
  const host = bracketed ?? bare;
  return host === undefined ? undefined : { host, port: Number(digits) };
}
