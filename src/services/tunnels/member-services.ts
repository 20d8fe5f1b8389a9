import { Emitter, type Observable } from "../../runtime/emitter.ts";
import type { ServicesEvent } from "../news.ts";
import type { ServicesContext } from "./tunnel-services.ts";
import { TunnelServices } from "./tunnel-services.ts";
import type { ServiceTunnel } from "../port.ts";

/** The services of all tunnels of this process. */
export class MemberServices implements Observable<ServicesEvent> {
  readonly #context: Omit<ServicesContext, "count" | "onNews">;
  readonly #events = new Emitter<ServicesEvent>();
  readonly #tunnels = new Map<string, TunnelServices>();

  constructor(context: Omit<ServicesContext, "count" | "onNews">) {
    this.#context = context;
  }

  subscribe(listener: (event: ServicesEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  /** Those of one tunnel. */
  of(tunnel: ServiceTunnel): TunnelServices {
    const known = this.#tunnels.get(tunnel.tunnelId);
    if (known !== undefined) return known;
    const made = new TunnelServices(tunnel, {
      ...this.#context,
      count: () => this.all.reduce((sum, { taker }) => sum + taker.taken.length, 0),
      onNews: (news) => this.#events.emit({ ...news, tunnelId: tunnel.tunnelId }),
    });
    this.#tunnels.set(tunnel.tunnelId, made);
    return made;
  }

  /** Those of one tunnel, where anything was offered or used in it. */
  known(tunnelId: string): TunnelServices | undefined {
    return this.#tunnels.get(tunnelId);
  }

  get all(): readonly TunnelServices[] {
    return [...this.#tunnels.values()];
  }

  /** Ports on which this process listens for services: none of them is offered again. */
  get ports(): readonly number[] {
    return this.all.flatMap(({ taker }) => taker.ports);
  }

  /** Ends everything for good; resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    await Promise.all(this.all.map((one) => one.end()));
  }
}
