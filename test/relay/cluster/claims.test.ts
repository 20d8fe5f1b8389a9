import { randomBytes } from "node:crypto";
import { describe } from "vitest";
import { ClusterClaims } from "../../../src/relay/cluster/cluster-claims.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { claimsContract } from "../claims/contract.ts";
import { atEnd } from "../support.ts";
import { FakeEngine, FakeServer, NO_PEERS, type Network } from "./fake-engine.ts";

const NETWORK: Network = { send: (_from, _to, deliver) => void setImmediate(deliver) };
const random = (): string => randomBytes(8).toString("hex");

describe("the register of many nodes, on an engine in memory", () => {
  claimsContract(async () => {
    const server = new FakeServer(() => Date.now());
    const nodes = ["a", "b", "c"];
    const ends = await Promise.all(
      nodes.map(async (node) => {
        const engine = new FakeEngine(node, server, NETWORK, systemClock);
        const facts = () => ({ versions: [1], isLeaving: false, hosts: 0, connections: 0 });
        const limits = { roomAwayMs: 60_000 };
        const claims = await ClusterClaims.open({
          node,
          clock: systemClock,
          engine,
          peers: NO_PEERS,
          facts,
          random,
          limits,
        });
        atEnd(() => claims.close());
        return { node, claims };
      }),
    );
    return { ends };
  });
});
