import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { PoolNews, type PoolEvent } from "./news.ts";
import { NEED, Opener, stopQuietly, type Need, type OpenerState } from "./opener.ts";
import type { LocalRelay, Provider, Tunnel, TunnelHealth } from "../provider.ts";

const POOL = {
  /** Between two looks at the tunnels, in ms. A look only reads memory. */
  pollMs: 2_000,
  /** A degraded first tunnel keeps its place for so many ms: most recover in that time, and moving costs everybody a reconnection. */
  demoteMs: 10_000,
  /** A tunnel that has not led here for so many ms is not worth keeping when there is another. */
  staleMs: 60_000,
} as const;

export type { PoolEvent };

export interface PoolHealth {
  /** The first address, or the attempts to have one again. */
  readonly active: TunnelHealth | Exclude<OpenerState, { state: "idle" }> | { readonly state: "stopped" };
  /** The second address; `off` when none is wanted. While there is no first one, these are the attempts at that. */
  readonly standby:
    | Exclude<OpenerState, { state: "idle" }>
    | { readonly state: "off" }
    | { readonly state: "ready"; readonly url: string; readonly health: TunnelHealth };
}

export interface PoolOptions {
  /** Open already; the pool owns it from now on. */
  readonly active: Tunnel;
  /** Opens the others, to the same relay. */
  readonly provider: Provider;
  readonly relay: LocalRelay;
  readonly clock: Clock;
  /** Whether a spare one may be opened ahead of a loss. */
  readonly standby: boolean;
  /** At least 0 and below 1. */
  readonly random: () => number;
  /** May call back into the pool; what it throws is dropped. */
  readonly onEvent: (event: PoolEvent) => void;
}

/** A tunnel in the pool. `degradedMs` counts looks and not the clock: a machine that sleeps loses nothing by it. */
interface Line {
  readonly tunnel: Tunnel;
  readonly openedAt: number;
  degradedMs: number | undefined;
  unsubscribe: () => void;
}

/**
 * Keeps a room reachable when tunnels end, lose the edge, or cannot be opened for a while. Every tunnel opened is either
 * one of the lines here, or stopped. At most one opening is in flight, whatever it will be used for.
 */
export class TunnelPool {
  readonly #options: PoolOptions;
  readonly #opener: Opener;
  readonly #endings = new Set<Promise<void>>();
  readonly #news: PoolNews;
  /** Best first. */
  #lines: Line[] = [];
  #isStandbyAsked = false;
  #stopping: Promise<void> | undefined;
  #cancelPoll: () => void;

  constructor(options: PoolOptions) {
    const { active, provider, relay, clock, random } = options;
    this.#options = options;
    this.#opener = new Opener({
      provider,
      relay,
      clock,
      random,
      onOpened: (tunnel) => this.#opened(tunnel),
      onWaiting: (error, retryInMs) => this.#waiting(error, retryInMs),
    });
    this.#news = new PoolNews(active.url, options.onEvent);
    this.#add(active);
    // The first look is at once, but not in the constructor, whose caller has no pool yet when an event arrives.
    this.#cancelPoll = clock.after(0, () => this.#poll());
  }

  /** Best first, never a dead one. */
  get urls(): readonly string[] {
    return this.#alive().map(({ tunnel }) => tunnel.url);
  }

  get active(): Tunnel | undefined {
    return this.#alive()[0]?.tunnel;
  }

  health(): PoolHealth {
    const [first, second] = this.#alive();
    return { active: this.#activeHealth(first), standby: this.#standbyHealth(first, second) };
  }

  /** From now on a spare one is kept, if the options allow it. Idempotent. */
  keepStandby(): void {
    if (this.#isStandbyAsked) return;
    this.#isStandbyAsked = true;
    this.#reconcile();
  }

  /** Resolves when nothing is left running, openings in flight included. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#news.end();
    this.#cancelPoll();
    const opener = this.#opener.stop();
    for (const line of this.#lines) this.#remove(line);
    await Promise.all([opener, ...this.#endings]);
  }

  #activeHealth(first: Line | undefined): PoolHealth["active"] {
    if (first !== undefined) return first.tunnel.health();
    if (this.#stopping !== undefined) return { state: "stopped" };
    const state = this.#opener.state;
    // Idle for a moment only: the next look notices the end at the latest.
    return state.state === "idle" ? { state: "opening", attempts: 0 } : state;
  }

  #standbyHealth(first: Line | undefined, second: Line | undefined): PoolHealth["standby"] {
    if (second !== undefined) {
      return { state: "ready", url: second.tunnel.url, health: second.tunnel.health() };
    }
    const state = this.#opener.state;
    const isForStandby = first !== undefined || this.#wanted === 2;
    return isForStandby && state.state !== "idle" ? state : { state: "off" };
  }

  get #wanted(): 1 | 2 {
    return this.#options.standby && this.#isStandbyAsked ? 2 : 1;
  }

  /** A tunnel is dead as soon as it says so, even if it has told nobody. */
  #alive(): Line[] {
    return this.#lines.filter(({ tunnel }) => tunnel.health().state !== "down");
  }

  #add(tunnel: Tunnel): void {
    const openedAt = this.#options.clock.now();
    const line: Line = { tunnel, openedAt, degradedMs: undefined, unsubscribe: () => undefined };
    this.#lines.push(line);
    line.unsubscribe = tunnel.onDown((error) => this.#down(line, error));
  }

  #remove(line: Line): void {
    this.#lines = this.#lines.filter((other) => other !== line);
    line.unsubscribe();
    // A tunnel that is down may still have a process or a folder.
    const ending = stopQuietly(line.tunnel).finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
  }

  #lose(line: Line, error: TunnelError): void {
    if (!this.#lines.includes(line)) return;
    this.#remove(line);
    this.#opener.ended(this.#options.clock.now() - line.openedAt, error);
    this.#news.lost(line.tunnel.url, error);
  }

  #opened(tunnel: Tunnel): void {
    this.#add(tunnel);
    this.#look(0);
    this.#reconcile();
  }

  #waiting(error: TunnelError, retryInMs: number): void {
    if (this.#lines.length > 0) return;
    this.#news.failed(error, retryInMs);
    this.#news.tell();
  }

  #down(line: Line, error: TunnelError): void {
    this.#lose(line, error);
    this.#reconcile();
  }

  #poll(): void {
    this.#cancelPoll = this.#options.clock.after(POOL.pollMs, () => this.#poll());
    this.#look(POOL.pollMs);
    this.#reconcile();
  }

  #look(passedMs: number): void {
    for (const line of this.#lines) {
      const health = line.tunnel.health();
      if (health.state === "down") this.#lose(line, health.error);
      else if (health.state === "up") line.degradedMs = undefined;
      else line.degradedMs = line.degradedMs === undefined ? 0 : line.degradedMs + passedMs;
    }
  }

  /** Brings the lines into order, asks for a missing one, and tells what has changed. */
  #reconcile(): void {
    this.#promote();
    this.#retire();
    this.#news.addresses(this.#lines.map(({ tunnel }) => tunnel.url));
    // After the addresses, since it may report a failure at once.
    this.#opener.need(this.#missing());
    this.#news.tell();
  }

  #promote(): void {
    const [first, ...others] = this.#lines;
    if (first === undefined || (first.degradedMs ?? 0) < POOL.demoteMs) return;
    const better = others.find(isUp);
    if (better === undefined) return;
    this.#lines = [better, first, ...others.filter((line) => line !== better)];
  }

  /** Lets go of what is stale or too many. Never of the only one, which may come back. */
  #retire(): void {
    // The first is stale only if no other is up: else that one has been promoted.
    for (const line of this.#lines.slice(1)) if (isStale(line)) this.#lose(line, this.#staleError());
    const working = this.#lines.filter((line) => !isStale(line));
    for (const surplus of working.slice(this.#wanted)) this.#remove(surplus);
  }

  #staleError(): TunnelError {
    return new TunnelError(this.#options.provider.staleCode, { detail: `${POOL.staleMs / 1000} s` });
  }

  #missing(): Need {
    if (this.#lines.length === 0) return NEED.address;
    const working = this.#lines.filter((line) => !isStale(line)).length;
    if (working === 0) return NEED.working;
    return working < this.#wanted ? NEED.spare : NEED.none;
  }
}

function isUp({ degradedMs }: Line): boolean {
  return degradedMs === undefined;
}

function isStale({ degradedMs }: Line): boolean {
  return degradedMs !== undefined && degradedMs >= POOL.staleMs;
}
