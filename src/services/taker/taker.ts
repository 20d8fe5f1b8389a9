import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { HeardOffer, ServiceId } from "../../session/service-offers.ts";
import type { SendTurns } from "../connection/turns.ts";
import type { WindowPool } from "../connection/window.ts";
import { isPagePort, SERVICES_LIMITS } from "../limits.ts";
import type { ConnectionNews, ServicesNews } from "../news.ts";
import type { ServiceTunnel } from "../port.ts";
import { Dialler } from "./dialler.ts";
import { listenHttp, listenTcp, type Listening, type ListenOptions } from "./listener.ts";
import { Places } from "./places.ts";

/** Why a listener is over. */
export type ListenerEnd = "stopped" | "withdrawn" | "expired" | "owner-left" | "denied" | "tunnel-over";

/** A service of somebody else on this machine. */
export interface Taken {
  readonly heard: HeardOffer;
  readonly listening: Listening;
  /** Since it was opened; bytes as this machine's programs see them. */
  readonly stats: { connections: number; bytesIn: number; bytesOut: number };
  /** The code with which the last connection was refused, if none has been made since. */
  readonly trouble: string | undefined;
}

interface Kept extends Taken {
  trouble: string | undefined;
  cancelTimer: () => void;
}

/** A call for a service, as far as it came. */
export type Connected = { readonly taken: Taken; readonly wasOpen: boolean } | "asked";

export interface TakerOptions {
  readonly tunnel: ServiceTunnel;
  readonly clock: Clock;
  readonly primitives: Primitives;
  readonly pool: WindowPool;
  readonly turns: SendTurns;
  /** Whether other users of this machine could use a TCP listener, and nobody has said that they may. */
  readonly isShared: () => Promise<boolean>;
  /** Listeners of this process. */
  readonly count: () => number;
  readonly onEnd: (taken: Taken, why: ListenerEnd) => void;
  readonly onNews: (news: ServicesNews) => void;
}

/** Where every bridge has its server. */
const MCP_PATH = "/mcp";

/** Codes after which an owner lets nobody in any more. */
const OVER: ReadonlyMap<string, ListenerEnd> = new Map<string, ListenerEnd>([
  ["gone", "withdrawn"],
  ["unknown", "withdrawn"],
  ["no-service", "withdrawn"],
  ["nobody", "owner-left"],
  ["denied", "denied"],
]);

/** The services of others that this side uses in one tunnel: a listener on this machine for each. */
export class Taker {
  readonly #options: TakerOptions;
  readonly #places: Places;
  readonly #dialler: Dialler;
  readonly #taken = new Map<ServiceId, Kept>();
  readonly #unsubscribe: () => void;

  constructor(options: TakerOptions) {
    const { tunnel, clock } = options;
    this.#options = options;
    this.#places = new Places(clock, tunnel.role);
    this.#dialler = new Dialler({ ...options, places: this.#places });
    this.#unsubscribe = tunnel.serviceOffers.subscribe(({ serviceId, isWithdrawn }) => {
      if (isWithdrawn) void this.#end(serviceId, "withdrawn");
    });
  }

  get taken(): readonly Taken[] {
    return [...this.#taken.values()];
  }

  get ports(): readonly number[] {
    return this.taken.map(({ listening }) => listening.port);
  }

  /** Connections of this machine that wait for a place. */
  get waiting(): number {
    return this.#places.waiting;
  }

  /**
   * Opens a listener for a service, or finds the one that is open.
   * @param about.port that one and no other
   * @throws {TunnelError} service-unknown, -gone, -away, -denied, -busy, -limit, -port-taken, -shared-machine, -kind-unavailable, cancelled
   */
  async connect(
    serviceId: ServiceId,
    about: { readonly port: number | undefined; readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Connected> {
    const { tunnel } = this.#options;
    const heard = this.#offer(serviceId);
    const known = this.#taken.get(serviceId);
    if (known !== undefined && (about.port === undefined || about.port === known.listening.port))
      return { taken: known, wasOpen: true };
    if (known !== undefined) await this.#end(serviceId, "stopped");
    if (!tunnel.streamPort.isConnected(heard.entry.from)) throw new TunnelError("service-away");
    await this.#assertPossible(heard, about.port);
    const knocked = await this.#dialler.knock(heard, about.timeoutMs, about.signal);
    if (about.signal.aborted) throw new TunnelError("cancelled");
    if (knocked === "asked") return "asked";
    if (knocked !== "yes") throw knocked;
    const open = this.#taken.get(serviceId);
    if (open !== undefined) return { taken: open, wasOpen: true };
    return { taken: await this.#listen(heard, about.port), wasOpen: false };
  }

  /** @returns whether it was open */
  async stop(serviceId: ServiceId): Promise<boolean> {
    return this.#end(serviceId, "stopped");
  }

  /** Somebody came or went. */
  rosterChanged(): void {
    for (const { heard } of this.taken)
      if (!this.#options.tunnel.streamPort.isMember(heard.entry.from))
        void this.#end(heard.serviceId, "owner-left");
  }

  /** The tunnel is over. */
  async end(): Promise<void> {
    this.#unsubscribe();
    this.#places.end();
    await Promise.all(Array.from(this.#taken.keys(), (serviceId) => this.#end(serviceId, "tunnel-over")));
  }

  /** @throws {TunnelError} service-unknown, service-gone */
  #offer(serviceId: ServiceId): HeardOffer {
    const { tunnel, clock } = this.#options;
    const heard = tunnel.serviceOffers.find(serviceId);
    if (heard === undefined) throw new TunnelError("service-unknown");
    const isOver = heard.isWithdrawn || (heard.endsAt !== undefined && heard.endsAt <= clock.now());
    if (isOver || tunnel.end !== undefined || !tunnel.streamPort.isMember(heard.entry.from))
      throw new TunnelError("service-gone");
    return heard;
  }

  /** @throws {TunnelError} */
  async #assertPossible({ entry }: HeardOffer, port: number | undefined): Promise<void> {
    const { isShared, count } = this.#options;
    if (count() >= SERVICES_LIMITS.maxListeners) throw new TunnelError("service-limit");
    if (port !== undefined && isPagePort(port)) {
      const { first, last } = SERVICES_LIMITS.pagePorts;
      throw new TunnelError("service-port-taken", {
        detail: `${first} to ${last} are kept for a page of your human`,
      });
    }
    if (entry.offer.service === "tcp" && (await isShared())) throw new TunnelError("service-shared-machine");
  }

  async #listen(heard: HeardOffer, port: number | undefined): Promise<Taken> {
    const { clock, primitives, tunnel, onNews } = this.#options;
    const { serviceId, entry, endsAt } = heard;
    const stats = { connections: 0, bytesIn: 0, bytesOut: 0 };
    const options: ListenOptions = {
      clock,
      primitives,
      wanted: port ?? entry.offer.port,
      isExact: port !== undefined,
      ...(entry.offer.service === "mcp" ? { path: MCP_PATH } : {}),
      dial: (origin) => {
        const counts = { bytesIn: 0, bytesOut: 0 };
        const tell = (change: ConnectionNews["change"]): void =>
          onNews({
            type: "connection",
            change,
            side: "taken",
            serviceId,
            name: entry.offer.name,
            member: entry.from,
            ...counts,
          });
        const socket = this.#dialler.dial(heard, {
          origin,
          onBytes: (direction, count) => {
            const counted = direction === "in" ? "bytesIn" : "bytesOut";
            stats[counted] += count;
            counts[counted] += count;
          },
          onCode: (code) => this.#refused(serviceId, code),
        });
        socket.once("connect", () => {
          stats.connections += 1;
          if (kept.trouble !== undefined) onNews({ type: "changed" });
          kept.trouble = undefined;
          tell("opened");
          socket.once("close", () => tell("closed"));
        });
        return socket;
      },
    };
    const listening = await (entry.offer.service === "tcp" ? listenTcp(options) : listenHttp(options));
    const kept: Kept = { heard, listening, stats, trouble: undefined, cancelTimer: () => undefined };
    if (endsAt !== undefined)
      kept.cancelTimer = clock.after(
        Math.max(0, endsAt - clock.now()),
        () => void this.#end(serviceId, "expired"),
      );
    this.#taken.set(serviceId, kept);
    const { name } = entry.offer;
    tunnel.keptServices?.begins({ side: "taken", serviceId, name, until: endsAt });
    onNews({ type: "changed" });
    return kept;
  }

  #refused(serviceId: ServiceId, code: string): void {
    const kept = this.#taken.get(serviceId);
    if (kept === undefined) return;
    kept.trouble = code;
    this.#options.onNews({ type: "changed" });
    const why = OVER.get(code);
    if (why !== undefined) void this.#end(serviceId, why);
  }

  async #end(serviceId: ServiceId, why: ListenerEnd): Promise<boolean> {
    const kept = this.#taken.get(serviceId);
    if (kept === undefined) return false;
    this.#taken.delete(serviceId);
    if (why !== "tunnel-over") this.#options.tunnel.keptServices?.over(serviceId);
    kept.cancelTimer();
    this.#options.onEnd(kept, why);
    await kept.listening.close();
    return true;
  }
}
