import { randomBytes } from "node:crypto";
import { ClusterClaims } from "../../../src/relay/cluster/cluster-claims.ts";
import type { Engine } from "../../../src/relay/cluster/engine.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { NO_PEERS } from "./fake-engine.ts";

/** The register as one node has it, which knows no other node than by the engine. */
export function openClaims(node: string, engine: Engine): Promise<ClusterClaims> {
  return ClusterClaims.open({
    node,
    clock: systemClock,
    engine,
    peers: NO_PEERS,
    facts: () => ({ versions: [1], isLeaving: false, hosts: 0, connections: 0 }),
    random: () => randomBytes(9).toString("base64url"),
    limits: { roomAwayMs: 60_000 },
  });
}
