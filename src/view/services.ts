import { toBase64url } from "../protocol/base/bytes.ts";
import type { ServiceKind } from "../protocol/services/kinds.ts";
import type { ServiceOffer } from "../protocol/services/offer.ts";
import type { CallEnd } from "../bridge/log.ts";
import type { CallLog } from "../services/owner/call-log.ts";
import type { OwnOffer } from "../services/owner/own-offer.ts";
import { nameOf } from "../services/port.ts";
import type { Taken } from "../services/taker/taker.ts";
import type { TunnelServices } from "../services/tunnels/tunnel-services.ts";
import type { Session } from "../session/sessions.ts";
import { seconds } from "./time.ts";

/** A service as its offer describes it. The name is a label of its owner's. */
export interface ServiceView {
  readonly serviceId: string;
  readonly name: string;
  readonly service: ServiceKind;
  /** At its owner's; undefined where it has none. */
  readonly port: number | undefined;
  readonly readOnly: true | undefined;
  /** From when it was said; undefined where it lives as long as its owner is in the room. */
  readonly livesSec: number | undefined;
  readonly maxConnections: number | undefined;
  /** The owner's person says yes to each connection. */
  readonly confirmEach: true | undefined;
}

export function serviceView(offer: ServiceOffer): ServiceView {
  const { id, name, service, port, readOnly, lifeMs, most, confirms } = offer;
  return {
    serviceId: toBase64url(id),
    name,
    service,
    port,
    readOnly,
    livesSec: lifeMs === undefined ? undefined : seconds(lifeMs),
    maxConnections: most,
    confirmEach: confirms,
  };
}

/** A service that this side offers. */
export interface OwnServiceView extends ServiceView {
  readonly status: "held" | "offered" | "over";
  readonly why: string | undefined;
  /** Where it leads: told to nobody else. */
  readonly target: string;
  /** Names; undefined for everybody. */
  readonly to: readonly string[] | undefined;
  readonly expiresInSec: number | undefined;
  readonly open: number;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The tools of an MCP server that may be called; all of them when undefined. */
  readonly tools: readonly string[] | undefined;
  /** The calls of an MCP server. */
  readonly calls: CallsView | undefined;
}

/** Calls of an MCP server of this side: how many, and the last ones. What they are named is chosen by those who call. */
interface CallsView {
  readonly count: number;
  /** Oldest first. */
  readonly last: readonly {
    readonly fromName: string;
    readonly method: string;
    readonly name: string | undefined;
    readonly end: CallEnd;
    readonly ms: number;
  }[];
}

/** A service of somebody else that programs of this machine can reach. */
export interface ListenerView {
  readonly serviceId: string;
  readonly name: string;
  readonly fromName: string;
  readonly service: ServiceKind;
  readonly host: string;
  readonly port: number;
  readonly expiresInSec: number | undefined;
  /** `away`: its owner is cut off, and connections are refused until it is back. */
  readonly status: "listening" | "away";
  /** Why the last connection was refused, in a word. */
  readonly trouble: string | undefined;
  readonly open: number;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A service that somebody else offers, and that is not used here. */
export interface HeardServiceView extends ServiceView {
  readonly fromName: string;
  readonly expiresInSec: number | undefined;
}

export interface ServicesView {
  readonly offered: readonly OwnServiceView[];
  readonly listeners: readonly ListenerView[];
  readonly toYou: readonly HeardServiceView[];
}

function left(endsAt: number | undefined, now: number): number | undefined {
  return endsAt === undefined ? undefined : seconds(endsAt - now);
}

export function ownServiceView(
  own: OwnOffer,
  { tunnel }: Pick<TunnelServices, "tunnel">,
  now: number,
): OwnServiceView {
  const { state, offer, to, handler, connections, stats } = own;
  return {
    ...serviceView(offer),
    status: state.name,
    why: state.name === "over" ? state.why : undefined,
    target: handler.target,
    to: to?.map((id) => nameOf(tunnel, id)),
    expiresInSec: state.name === "offered" ? left(state.endsAt, now) : undefined,
    open: connections.size,
    ...stats,
    tools: handler.tools,
    calls: handler.calls && callsView(handler.calls, { presence: () => tunnel.presence() }),
  };
}

const LAST_CALLS = 5;

function callsView(
  { count, last }: CallLog,
  { presence }: Pick<TunnelServices["tunnel"], "presence">,
): CallsView | undefined {
  if (count === 0) return undefined;
  const names = new Map(presence().map(({ id, name }): [string, string] => [id, name]));
  const shown = last
    .slice(-LAST_CALLS)
    .map(({ who, method, name, end, ms }) => ({ fromName: names.get(who) ?? who, method, name, end, ms }));
  return { count, last: shown };
}

export function listenerView(
  { heard, listening, stats, trouble }: Taken,
  { tunnel }: Pick<TunnelServices, "tunnel">,
  now: number,
): ListenerView {
  const { serviceId, entry, endsAt } = heard;
  return {
    serviceId,
    name: entry.offer.name,
    fromName: entry.fromName,
    service: entry.offer.service,
    host: listening.host,
    port: listening.port,
    expiresInSec: left(endsAt, now),
    status: tunnel.streamPort.isConnected(entry.from) ? "listening" : "away",
    trouble,
    open: listening.open,
    ...stats,
  };
}

/** The services of one tunnel; undefined where there are none. @param services of this tunnel, where anything was offered or used */
export function servicesView(
  tunnel: Pick<Session, "serviceOffers">,
  services: TunnelServices | undefined,
  now: number,
): ServicesView | undefined {
  const offered =
    services === undefined ? [] : services.owner.offers.map((own) => ownServiceView(own, services, now));
  const taken = services?.taker.taken ?? [];
  const listeners = services === undefined ? [] : taken.map((one) => listenerView(one, services, now));
  const toYou = tunnel.serviceOffers
    .open(now)
    .filter(({ serviceId }) => !taken.some(({ heard }) => heard.serviceId === serviceId))
    .map(({ entry, endsAt }) => ({
      ...serviceView(entry.offer),
      fromName: entry.fromName,
      expiresInSec: left(endsAt, now),
    }));
  if (offered.length + listeners.length + toYou.length === 0) return undefined;
  return { offered, listeners, toYou };
}
