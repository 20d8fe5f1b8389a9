import type { ClusterOptions } from "../../../src/relay/node/join.ts";
import type { Relay, RelayOptions } from "../../../src/relay/node/relay.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { aRelay } from "../support.ts";
import { FakeEngine, FakeServer, type Network } from "./fake-engine.ts";

const NETWORK: Network = { send: (_from, _to, deliver) => void setImmediate(deliver) };

/** Nodes of one cluster, on an engine in memory. @param each what a node has for itself */
export async function nodesOf(
  count: number,
  options: Partial<RelayOptions> = {},
  each: (index: number) => Partial<ClusterOptions> = () => ({}),
): Promise<readonly Relay[]> {
  const server = new FakeServer(() => Date.now());
  const relays: Relay[] = [];
  for (let index = 0; index < count; index += 1) {
    const engine = new FakeEngine(`end${index}`, server, NETWORK, systemClock);
    const own = { engine, address: { host: "127.0.0.1", port: 0 }, tls: undefined };
    relays.push(await aRelay({ ...options, cluster: { ...own, ...each(index) } }));
  }
  return relays;
}

export function pair([one, other]: readonly Relay[]): readonly [Relay, Relay] {
  if (one === undefined || other === undefined) throw new Error("too few nodes");
  return [one, other];
}

/** The port at which a node listens for others. */
export async function peerPort(relay: Relay): Promise<number> {
  const facts = await relay.cluster?.nodes.all();
  const address = facts?.find(({ node }) => node === relay.context.node)?.facts.address ?? "";
  return Number(address.split(":")[1]);
}
