/** The register of a node of a cluster, without the node: claims as fast as they go. */
import { randomBytes } from "node:crypto";
import { ClusterClaims } from "../src/relay/cluster/cluster-claims.ts";
import { NatsEngine } from "../src/relay/cluster/nats/nats-engine.ts";
import { parseServers } from "../src/relay/cluster/nats/servers.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { now, serve, usage } from "./side.mjs";

let register;
let made = 0;

async function open({ cluster }) {
  const servers = parseServers(cluster);
  const engine = await NatsEngine.open({ servers, name: "bench", onTrouble: () => undefined });
  register = await ClusterClaims.open({
    node: "bench",
    clock: systemClock,
    engine,
    peers: { meet: async () => undefined, ask: async () => ({ kind: "silent" }) },
    facts: () => ({ versions: [1], isLeaving: false, hosts: 0, connections: 0 }),
    random: () => randomBytes(9).toString("base64url"),
    limits: { roomAwayMs: 3_600_000 },
  });
}

/** Claims a second, of names that are free. */
async function claims({ count, atOnce }) {
  let left = count;
  const work = async () => {
    for (; left > 0;) {
      left -= 1;
      made += 1;
      const name = `c${String(made).padStart(21, "0")}`;
      const { kind } = await register.claim({ kind: "room", name, key: "key", node: "bench" });
      if (kind !== "claimed") throw new Error(`a claim was ${kind}`);
    }
  };
  const began = now();
  await Promise.all(Array.from({ length: atOnce }, work));
  return count / ((now() - began) / 1_000);
}

serve({ open, claims, usage });
