import type { TokenEntry } from "../auth/tokens.ts";
import { unlessAway } from "../cluster/engine.ts";
import type { Host } from "../hosts/host.ts";
import type { Relay } from "../node/relay.ts";
import type { EndedTunnel } from "../records/ended-tunnel.ts";
import type { VisitRecord } from "../records/visits.ts";
import type { EndedView, Readiness, Status, TokenView, TunnelView, VisitView } from "./schemas.ts";

const momentOf = (at: number): string => new Date(at).toISOString();
/** Where everybody may register there is no token, and its id stands for that. */
const shownToken = (tokenId: string): string | null => (tokenId === "open" ? null : tokenId);

export function readinessOf({ isReady, context }: Relay): Readiness {
  if (isReady) return { ready: true, reason: null };
  return { ready: false, reason: context.claims.state === "away" ? "claims-away" : "draining" };
}

/** Counted over the whole cluster. */
async function nodesOf({ cluster }: Relay): Promise<Status["nodes"]> {
  const all = cluster === undefined ? undefined : await unlessAway(cluster.nodes.all());
  if (all === undefined) return null;
  return all.map(({ node, facts: { address, isLeaving, hosts, connections } }) => ({
    node,
    address: address ?? null,
    leaving: isLeaving,
    tunnels: hosts,
    connections,
  }));
}

export async function statusOf(
  relay: Relay,
  about: { readonly version: string; readonly auth: Status["auth"]; readonly startedAt: number },
): Promise<Status> {
  const { context, hosts, arrivals, connections } = relay;
  const all = hosts.all;
  const of = (kind: string): number => all.filter(({ facts }) => facts.kind === kind).length;
  return {
    version: about.version,
    node: context.node,
    ...readinessOf(relay),
    startedAt: momentOf(about.startedAt),
    uptimeSec: Math.max(0, Math.floor((context.clock.now() - about.startedAt) / 1_000)),
    auth: about.auth,
    domain: context.domain ?? null,
    keepsNames: context.keepsNames,
    tunnels: { total: all.length, room: of("room"), http: of("http"), tcp: of("tcp") },
    visitors: all.reduce((sum, { visits }) => sum + visits.total, 0),
    held: arrivals.held,
    connections,
    nodes: await nodesOf(relay),
  };
}

export function tunnelView(
  host: Host,
  about: { readonly id: string; readonly url: string; readonly tokenLabel: string | undefined },
): TunnelView {
  const { facts, grant, visits, requests, bytesIn, bytesOut, since, isReady } = host;
  return {
    id: about.id,
    kind: facts.kind,
    name: facts.name,
    url: about.url,
    state: isReady ? "ready" : "registered",
    since: momentOf(since),
    tokenId: shownToken(grant.tokenId),
    tokenLabel: about.tokenLabel ?? null,
    source: facts.source,
    visitors: visits.total,
    visits: requests,
    bytesIn,
    bytesOut,
  };
}

export function visitView({
  id,
  type,
  at,
  lastedMs,
  request,
  end,
  bytesIn,
  bytesOut,
  source,
}: VisitRecord): VisitView {
  return {
    id: String(id),
    type,
    at: momentOf(at),
    lastedMs: Math.max(0, Math.round(lastedMs)),
    method: request?.method ?? null,
    path: request?.path ?? null,
    status: request?.status ?? null,
    end,
    bytesIn,
    bytesOut,
    source,
  };
}

export function endedView(entry: EndedTunnel, tunnel: string): EndedView {
  const { id, kind, name, url, tokenId, source, since, until, why, visits, bytesIn, bytesOut } = entry;
  return {
    id: String(id),
    tunnel,
    kind,
    name,
    url,
    tokenId: shownToken(tokenId),
    source,
    since: momentOf(since),
    until: momentOf(until),
    why,
    visits,
    bytesIn,
    bytesOut,
  };
}

export function tokenView(
  entry: TokenEntry,
  about: { readonly now: number; readonly lastUse: number | undefined; readonly tunnels: number },
): TokenView {
  const { id, label, kinds, names, limits, createdAt, expiresAt } = entry;
  return {
    id,
    label,
    kinds: [...kinds],
    names: [...names],
    limits: {
      tunnels: limits.tunnels ?? null,
      names: limits.names ?? null,
      inFlight: limits.inFlight ?? null,
      bytesPerSecond: limits.bytesPerSecond ?? null,
      requestBytes: limits.requestBytes ?? null,
      responseBytes: limits.responseBytes ?? null,
    },
    createdAt,
    expiresAt: expiresAt ?? null,
    isExpired: expiresAt !== undefined && Date.parse(expiresAt) <= about.now,
    lastUsedAt: about.lastUse === undefined ? null : momentOf(about.lastUse),
    tunnels: about.tunnels,
  };
}
