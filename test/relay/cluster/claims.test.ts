import { describe } from "vitest";
import { systemClock } from "../../../src/runtime/clock.ts";
import { claimsContract } from "../claims/contract.ts";
import { atEnd } from "../support.ts";
import { FakeEngine, FakeServer, type Network } from "./fake-engine.ts";
import { openClaims } from "./open-claims.ts";

const NETWORK: Network = { send: (_from, _to, deliver) => void setImmediate(deliver) };

describe("the register of many nodes, on an engine in memory", () => {
  claimsContract(async () => {
    const server = new FakeServer(() => Date.now());
    const nodes = ["a", "b", "c"];
    const ends = await Promise.all(
      nodes.map(async (node) => {
        const engine = new FakeEngine(node, server, NETWORK, systemClock);
        const claims = await openClaims(node, engine);
        atEnd(() => claims.close());
        return { node, claims };
      }),
    );
    return { ends };
  });
});
