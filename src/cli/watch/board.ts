import type { NewCommand } from "../../watch/client.ts";
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

interface Known {
  readonly server: Server;
  readonly tunnels: Map<string, TunnelView>;
  readonly asks: Map<number, AskView>;
}

/** Everything that the servers of this user have told: what a person's words are about. */
export class Board {
  readonly #servers = new Map<Server, Known>();

  heard(server: Server, event: WatchEvent): void {
    const known = this.#servers.get(server) ?? { server, tunnels: new Map(), asks: new Map() };
    this.#servers.set(server, known);
    switch (event.t) {
      case "hello":
        for (const tunnel of event.tunnels) known.tunnels.set(tunnel.tunnelId, tunnel);
        for (const ask of event.asks) known.asks.set(ask.ask, ask);
        return;
      case "tunnel":
        return void known.tunnels.set(event.tunnel.tunnelId, event.tunnel);
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
