import { randomBytes } from "node:crypto";
import type { Clock } from "../../runtime/clock.ts";
import { Emitter } from "../../runtime/emitter.ts";
import { wait } from "../../runtime/wait.ts";
import type { Authority } from "../auth/authority.ts";
import type { Claims } from "../claims/claims.ts";
import { FileKeeper } from "../claims/keeper.ts";
import { MemoryClaims } from "../claims/memory.ts";
import { joinCluster, type ClusterOptions, type Membership } from "./join.ts";
import { PeerListener } from "../cluster/peers/peer-listener.ts";
import type { PortRange } from "../config/kinds.ts";
import type { RelayContext } from "../context.ts";
import type { RelayEvent } from "../events.ts";
import { Certificates, type CertificateFiles } from "../front/certificates.ts";
import { Front } from "../front/front.ts";
import type { TrustedProxies } from "../front/sources.ts";
import { Arrivals } from "../hosts/arrivals.ts";
import { Fetches } from "../hosts/fetches.ts";
import { Hosts } from "../hosts/hosts.ts";
import { Registrar } from "../hosts/registrar.ts";
import type { RelayLimits } from "../limits/limits.ts";
import { Services } from "../http/services.ts";
import { Door } from "../rooms/door.ts";
import { TcpPorts } from "../tcp/ports.ts";

export interface RelayOptions {
  readonly clock: Clock;
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly domain: string | undefined;
  readonly authority: Authority;
  readonly limits: RelayLimits;
  readonly isTrusted: TrustedProxies;
  readonly hasProxyHeader?: boolean;
  readonly certificates?: CertificateFiles | undefined;
  readonly isBlocked: (word: string) => boolean;
  /** Where left out: as long as everybody may have names. */
  readonly warnsBrowsers?: boolean | undefined;
  readonly contact?: string | undefined;
  /** A private folder that is there already; without it names are forgotten. */
  readonly state: string | undefined;
  /** One of many nodes; the engine keeps the names then. */
  readonly cluster?: ClusterOptions | undefined;
  /** Undefined: no TCP. `shownHost`: where the ports are reached, if that is not the relay's own name. */
  readonly tcp?:
    { readonly range: PortRange; readonly bind: string; readonly shownHost: string | undefined } | undefined;
}

/** One running node. */
export interface Relay {
  readonly port: number;
  readonly context: RelayContext;
  readonly hosts: Hosts;
  readonly arrivals: Arrivals;
  /** Its cluster; undefined for a single node. */
  readonly cluster: Pick<Membership, "nodes" | "questions" | "key"> | undefined;
  readonly events: Emitter<RelayEvent>;
  /** Whether new hosts and visitors are taken. */
  readonly isReady: boolean;
  /** Open ones, of any kind, at the public listener. */
  readonly connections: number;
  /** Tells hosts to come back after about `backMs`, waits up to `graceMs` for what is under way, and closes. */
  drain(timing: { readonly backMs: number; readonly graceMs: number }): Promise<void>;
  /** Looks at its certificate files now, and asks again whether those who are here may be. */
  reload(): void;
  /** At once. */
  close(): Promise<void>;
}

/** The part of all connections from which on a guest of a room takes one, and not two. */
const CROWDED = 0.6;

/** @throws {TunnelError} port-in-use, bind-failed, relay-state */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { clock, limits, domain, authority, isBlocked, state } = options;
  const node = randomBytes(6).toString("hex");
  let front: Front | undefined;
  let listener: PeerListener | undefined;
  let isReady = true;
  const { cluster } = options;
  const { roomAwayMs } = limits;
  const membership =
    cluster === undefined
      ? undefined
      : await joinCluster(cluster, {
          node,
          clock,
          roomAwayMs,
          facts: () => ({ isLeaving: !isReady, hosts: hosts.size, connections: front?.connections ?? 0 }),
          port: () => listener?.port,
        });
  const claims: Claims =
    membership?.claims ??
    (await MemoryClaims.open({
      node,
      clock,
      limits: { roomAwayMs, maxIdle: limits.idleNames },
      ...(state === undefined ? {} : { keeper: new FileKeeper(state) }),
    }));
  const events = new Emitter<RelayEvent>();
  const keepsNames = state !== undefined || cluster !== undefined;
  const { warnsBrowsers = authority.isOpen, contact } = options;
  const rules = { keepsNames, isBlocked, warnsBrowsers, contact };
  const isCrowded = (): boolean => front !== undefined && front.connections > limits.connections * CROWDED;
  const elsewhere = membership?.peers;
  const context = { node, clock, claims, elsewhere, authority, limits, domain, ...rules, events, isCrowded };
  const hosts = new Hosts(context);
  const arrivals = new Arrivals(context, hosts);
  const fetches = new Fetches(context);
  const door = new Door(context, arrivals, fetches);
  const { tcp } = options;
  const ports = tcp === undefined ? undefined : new TcpPorts(context, arrivals, tcp.range, tcp.bind);
  const registrar = new Registrar(context, hosts, ports, tcp?.shownHost);
  registrar.onUnfetched = (host, ticket, isLocal) => fetches.unfetched(host, ticket, isLocal);
  const services = new Services(context, arrivals, fetches);
  const { host, port, isTrusted } = options;
  const certificates =
    options.certificates === undefined
      ? undefined
      : new Certificates(options.certificates, clock, (what) => events.emit({ type: "trouble", what }));
  const { hasProxyHeader = false } = options;
  const doors = { door, fetches, registrar, services };
  const entrance = new Front({ context, ...doors, isTrusted, hasProxyHeader, certificates, host, port });
  front = entrance;
  if (membership !== undefined && cluster !== undefined) {
    const { tallies } = membership;
    tallies.share("tunnels-of-token", hosts.perToken, limits.tunnelsPerToken);
    tallies.share("tunnels-of-source", hosts.perSource, limits.tunnelsPerSource);
    tallies.share("connections-of-source", entrance.perSource, limits.connectionsPerSource);
    tallies.sharePace("registrations-of-source", registrar.pace);
    const { address, tls } = cluster;
    const { key, versions, questions } = membership;
    const answer = (text: string): string | undefined => membership.claims.answer(text);
    const shared = { context, hosts, door, fetches, services, questions };
    listener = new PeerListener({ ...shared, answer, key, versions, tls, ...address });
    await listener.listen();
    await membership.claims.start();
  }
  await entrance.listen();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    isReady = false;
    registrar.close();
    hosts.close();
    fetches.close();
    door.close();
    services.close();
    ports?.close();
    listener?.close();
    membership?.peers.close();
    membership?.tallies.close();
    await entrance.close();
    certificates?.close();
    await claims.close();
  };
  return {
    port: entrance.port,
    context,
    hosts,
    arrivals,
    cluster: membership,
    events,
    get isReady() {
      return isReady && claims.state === "ready";
    },
    get connections() {
      return front.connections;
    },
    async drain({ backMs, graceMs }) {
      if (!isReady) return closing;
      isReady = false;
      events.emit({ type: "draining" });
      registrar.close();
      hosts.leave(backMs);
      entrance.leave();
      const until = clock.now() + graceMs;
      const isBusy = (): boolean =>
        door.size + services.size + (ports?.size ?? 0) > 0 && clock.now() < until && closing === undefined;
      while (isBusy()) await wait(clock, 100);
      await (closing ??= close());
    },
    reload() {
      certificates?.look();
      hosts.recheck();
    },
    close: () => (closing ??= close()),
  };
}
