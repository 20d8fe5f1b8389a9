import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { cloudflared } from "../../../src/tunnel/cloudflared/declaration.ts";
import type { Provider, Tunnel, TunnelHealth, TunnelOpener } from "../../../src/tunnel/provider.ts";

/**
 * What an outage does to those who dial the edge. `refused`: connections break and dials fail at once. `hanging`: nothing answers
 * any more. `stalled`: connections stay and carry nothing, dials hang.
 */
export type Outage = "refused" | "hanging" | "stalled";

/** As cloudflared has them: what it takes to notice a silence, to dial in vain, and to open a tunnel. */
const TIMES = { idleMs: 5_000, dialMs: 5_000, resendMs: 2_000, apiMs: 15_000, openMs: 6_000 } as const;

/** The network between a host and the edge, in memory: every tunnel through it behaves as cloudflared does in an outage. */
export class Weather {
  readonly tunnels: WeatherTunnel[] = [];
  readonly clock: Clock;
  readonly random: () => number;
  /** The value of `--retries`. */
  readonly retries: number;
  outage: Outage | undefined;
  requests = 0;

  constructor(clock: Clock, random: () => number, retries = 0) {
    this.clock = clock;
    this.random = random;
    this.retries = retries;
  }

  begin(outage: Outage): void {
    this.outage = outage;
    for (const tunnel of this.tunnels) tunnel.outageBegan();
  }

  end(): void {
    this.outage = undefined;
    for (const tunnel of this.tunnels) tunnel.outageEnded();
  }

  /** A tunnel that is open. */
  tunnel(): WeatherTunnel {
    const tunnel = new WeatherTunnel(`w${this.tunnels.length}`, this);
    this.tunnels.push(tunnel);
    return tunnel;
  }

  at(url: string): WeatherTunnel | undefined {
    return this.tunnels.find((tunnel) => tunnel.url === url);
  }

  get provider(): Provider {
    return { ...cloudflared, open: this.#open };
  }

  readonly #open: TunnelOpener = async ({ signal }) => {
    this.requests += 1;
    const { outage } = this;
    if (outage === "refused") throw new TunnelError("cloudflared-api-down");
    await new Promise<void>((resolve, reject) => {
      const cancel = this.clock.after(outage === undefined ? TIMES.openMs : TIMES.apiMs, resolve);
      signal.addEventListener("abort", () => {
        cancel();
        reject(new TunnelError("cancelled"));
      });
    });
    if (outage !== undefined || this.outage !== undefined) throw new TunnelError("cloudflared-api-down");
    return this.tunnel();
  };
}

export class WeatherTunnel implements Tunnel {
  readonly description = "through the weather";
  readonly url: string;
  isStopped = false;
  readonly #weather: Weather;
  #health: TunnelHealth = { state: "up" };
  #retries = 0;
  #cancel = (): void => undefined;
  #isDialling = false;
  readonly #listeners = new Set<(error: TunnelError) => void>();

  constructor(name: string, weather: Weather) {
    this.url = `wss://${name}.example`;
    this.#weather = weather;
  }

  /** Whether a member that dials it now gets through. */
  get leadsHere(): boolean {
    return this.#health.state === "up" && !this.isStopped && this.#weather.outage === undefined;
  }

  get isAlive(): boolean {
    return this.#health.state !== "down" && !this.isStopped;
  }

  health(): TunnelHealth {
    return this.#health;
  }

  onDown(listener: (error: TunnelError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): Promise<void> {
    this.isStopped = true;
    this.#cancel();
    return Promise.resolve();
  }

  /** Its process dies. */
  die(): void {
    if (!this.isAlive) return;
    const error = new TunnelError("cloudflared-exited");
    this.#cancel();
    this.#health = { state: "down", error };
    for (const listener of this.#listeners) listener(error);
  }

  /** This one alone does not get through until then, whatever the others do. */
  leadsHereAgainAt(at: number): void {
    if (!this.isAlive) return;
    this.#health = { state: "degraded", reason: "no edge", sinceMs: this.#weather.clock.now() };
    this.#isDialling = false;
    this.#after(at - this.#weather.clock.now(), () => this.#dial());
  }

  outageBegan(): void {
    if (!this.isAlive || this.#health.state !== "up") return;
    if (this.#weather.outage === "refused") this.#lose();
    else this.#after(TIMES.idleMs, () => this.#lose());
  }

  outageEnded(): void {
    if (!this.isAlive) return;
    // A connection that has not been given up yet goes on; a dial that is under way sends its packets again.
    if (this.#health.state === "up") this.#cancel();
    else if (this.#isDialling) this.#after(this.#weather.random() * TIMES.resendMs, () => this.#connected());
  }

  #lose(): void {
    this.#health = { state: "degraded", reason: "no edge", sinceMs: this.#weather.clock.now() };
    this.#wait();
  }

  /** One wait of up to a second, and one that begins at 10 s and doubles as often as `--retries` says, each cut at random. */
  #wait(): void {
    const { random, retries } = this.#weather;
    this.#isDialling = false;
    this.#retries = Math.min(this.#retries + 1, retries);
    const ceiling = 2 ** this.#retries;
    this.#after(random() * 1_000 * ceiling + random() * 10_000 * ceiling, () => this.#dial());
  }

  #dial(): void {
    const { outage } = this.#weather;
    if (outage === undefined) return this.#connected();
    if (outage === "refused") return this.#wait();
    this.#isDialling = true;
    this.#after(TIMES.dialMs, () => this.#wait());
  }

  #connected(): void {
    this.#isDialling = false;
    this.#retries = 0;
    this.#health = { state: "up" };
  }

  #after(ms: number, then: () => void): void {
    this.#cancel();
    this.#cancel = this.#weather.clock.after(Math.max(1, ms), then);
  }
}
