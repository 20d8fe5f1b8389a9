import type { Server } from "../../watch/servers.ts";
import { foldedName } from "../../protocol/base/names.ts";
import type { ServicesView } from "../../view/services.ts";
import type { AskView, TunnelView, WatchedServices, WatchEvent } from "../../watch/protocol.ts";
import type { ExposureView } from "../../view/expose/exposures.ts";

/** A waiting ask with the server that can be told the answer. */
export interface Waiting {
  readonly server: Server;
  readonly ask: AskView;
}

/** A public address with the server that has it. */
export interface Exposed {
  readonly server: Server;
  /** The folder of the server. */
  readonly folder: string;
  readonly exposure: ToldExposure;
}

interface ToldExposure extends ExposureView {
  /** ms since the epoch */
  readonly toldAt: number;
}

/** A service that is offered from here, or used here, with the server that does so. */
export interface Served {
  readonly server: Server;
  readonly tunnelId: string;
  readonly serviceId: string;
  readonly name: string;
  readonly side: "offered" | "taken";
}

/** The services of a tunnel, and when that was told. */
export interface ToldServices {
  readonly server: Server;
  readonly tunnelId: string;
  readonly services: ServicesView;
  /** ms since the epoch */
  readonly toldAt: number;
}

interface Known {
  readonly server: Server;
  folder: string;
  readonly tunnels: Map<string, TunnelView>;
  /** Those that are not over, by id. */
  readonly exposures: Map<string, ToldExposure>;
  /** Of tunnels that have any, by tunnel. */
  readonly services: Map<string, ToldServices>;
  readonly asks: Map<number, AskView>;
}

/** Everything that the servers of this user have told: what a person's words are about. */
export class Board {
  readonly #servers = new Map<Server, Known>();

  /** @param now ms since the epoch: what a server says of the time left counts from there */
  heard(server: Server, event: WatchEvent, now = 0): void {
    const known = this.#servers.get(server) ?? unknownYet(server);
    this.#servers.set(server, known);
    switch (event.t) {
      case "hello":
        known.folder = event.server.folder;
        for (const tunnel of event.tunnels) known.tunnels.set(tunnel.tunnelId, tunnel);
        for (const one of event.exposures) known.exposures.set(one.exposureId, { ...one, toldAt: now });
        for (const one of event.services) this.#serve(known, one, now);
        for (const ask of event.asks) known.asks.set(ask.ask, ask);
        return;
      case "tunnel":
        return void known.tunnels.set(event.tunnel.tunnelId, event.tunnel);
      case "exposure":
        return exposureHeard(known, event.exposure, now);
      case "services":
        return this.#serve(known, event, now);
      case "visit":
        return visitHeard(known, event);
      case "ask":
        if (event.ask.state === "waiting") known.asks.set(event.ask.ask, event.ask);
        else known.asks.delete(event.ask.ask);
        return;
      default:
    }
  }

  #serve(known: Known, { tunnelId, services }: WatchedServices, toldAt: number): void {
    if (services === undefined) known.services.delete(tunnelId);
    else known.services.set(tunnelId, { server: known.server, tunnelId, services, toldAt });
  }

  gone(server: Server): void {
    this.#servers.delete(server);
  }

  /** Oldest first. */
  get waiting(): readonly Waiting[] {
    const all = [...this.#servers.values()].flatMap(({ server, asks }) =>
      Array.from(asks.values(), (ask) => ({ server, ask })),
    );
    return all.toSorted((a, b) => (a.ask.askedAt < b.ask.askedAt ? -1 : 1));
  }

  /** Tunnels that are open, with their servers. */
  get open(): readonly { readonly server: Server; readonly tunnel: TunnelView }[] {
    return [...this.#servers.values()].flatMap(({ server, tunnels }) =>
      [...tunnels.values()].flatMap((tunnel) => (tunnel.ended === undefined ? [{ server, tunnel }] : [])),
    );
  }

  /** Public addresses that are not over. */
  get exposed(): readonly Exposed[] {
    return [...this.#servers.values()].flatMap(({ server, folder, exposures }) =>
      Array.from(exposures.values(), (exposure) => ({ server, folder, exposure })),
    );
  }

  /** The services of all tunnels. */
  get services(): readonly ToldServices[] {
    return [...this.#servers.values()].flatMap(({ services }) => [...services.values()]);
  }

  /** Those of one tunnel, as they were told last. */
  servicesOf(server: Server, tunnelId: string): ServicesView | undefined {
    return this.#servers.get(server)?.services.get(tunnelId)?.services;
  }

  /** The name of a service, as far as its tunnel has been told of. */
  serviceName(server: Server, tunnelId: string, serviceId: string): string | undefined {
    const { offered = [], listeners = [], toYou = [] } = this.servicesOf(server, tunnelId) ?? {};
    return [...offered, ...listeners, ...toYou].find((one) => one.serviceId === serviceId)?.name;
  }

  /** Those that a person may mean by a name, or by an id, among what this side offers or uses. */
  servedAs(word: string, side: Served["side"]): readonly Served[] {
    const all = this.services.flatMap(({ server, tunnelId, services }) => {
      const running = services.offered.filter(({ status }) => status !== "over");
      const views = side === "offered" ? running : services.listeners;
      return views.map(({ serviceId, name }) => ({ server, tunnelId, serviceId, name, side }));
    });
    const byId = all.filter(({ serviceId }) => serviceId === word);
    return byId.length > 0 ? byId : all.filter(({ name }) => foldedName(name) === foldedName(word));
  }

  /** Those that a person may mean by a name, or by an id. */
  exposedAs(name: string): readonly Exposed[] {
    const byId = this.exposed.filter(({ exposure }) => exposure.exposureId === name);
    if (byId.length > 0) return byId;
    return this.exposed.filter(({ exposure }) => exposure.name === name.toLowerCase());
  }

  tunnel(tunnelId: string): TunnelView | undefined {
    for (const { tunnels } of this.#servers.values()) {
      const found = tunnels.get(tunnelId);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** How an ask is called here: its number, with its tunnel where two servers have the same one. */
  nameOf({ ask }: Pick<Waiting, "ask">): string {
    // Also of one that is no longer waiting: its number may be that of another server's.
    const isUnique = this.waiting.every(
      (one) => one.ask.ask !== ask.ask || one.ask.tunnelId === ask.tunnelId,
    );
    return isUnique ? String(ask.ask) : `${ask.ask}@${ask.tunnelId}`;
  }

  /** Those that a person may mean by `3`, or by `3@ab12`. */
  asksNamed(name: string): readonly Waiting[] {
    const [digits, tunnelId] = name.split("@");
    return this.waiting.filter(
      ({ ask }) => String(ask.ask) === digits && (tunnelId === undefined || ask.tunnelId === tunnelId),
    );
  }
}

function unknownYet(server: Server): Known {
  return {
    server,
    folder: "",
    tunnels: new Map(),
    exposures: new Map(),
    services: new Map(),
    asks: new Map(),
  };
}

function exposureHeard({ exposures }: Known, exposure: ExposureView, now: number): void {
  const { exposureId, status } = exposure;
  if (status === "over" || status === "failed") exposures.delete(exposureId);
  else exposures.set(exposureId, { ...exposure, toldAt: now });
}

/** Counts as the server does: those that were let in. */
function visitHeard({ exposures }: Known, { name, request }: Extract<WatchEvent, { t: "visit" }>): void {
  if (request.way === undefined || request.way === "probe") return;
  const named = [...exposures.values()].find((one) => one.name === name);
  if (named !== undefined) exposures.set(named.exposureId, { ...named, requests: named.requests + 1 });
}
