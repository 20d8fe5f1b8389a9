import type { NewCommand } from "../../watch/client.ts";
import type { ExposureView } from "../../view/expose/exposures.ts";
import type { AskView, TunnelView, WatchEvent } from "../../watch/protocol.ts";

/** One server of this user, as it is known here. */
export interface Server {
  readonly name: string;
  /** @throws {TunnelError} as the server says */
  readonly ask: (command: NewCommand) => Promise<void>;
}

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

interface Known {
  readonly server: Server;
  folder: string;
  readonly tunnels: Map<string, TunnelView>;
  /** Those that are not over, by id. */
  readonly exposures: Map<string, ToldExposure>;
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
        for (const ask of event.asks) known.asks.set(ask.ask, ask);
        return;
      case "tunnel":
        return void known.tunnels.set(event.tunnel.tunnelId, event.tunnel);
      case "exposure":
        return exposureHeard(known, event.exposure, now);
      case "visit":
        return visitHeard(known, event);
      case "ask":
        if (event.ask.state === "waiting") known.asks.set(event.ask.ask, event.ask);
        else known.asks.delete(event.ask.ask);
        return;
      default:
    }
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
  return { server, folder: "", tunnels: new Map(), exposures: new Map(), asks: new Map() };
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
