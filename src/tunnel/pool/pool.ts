import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import {
  inOrder,
  isNeeded,
  isSilent,
  isStale,
  isUp,
  leastMissed,
  seenDegraded,
  seenUp,
  STALE_MS,
  surplusOf,
  type Absent,
  type Line,
} from "./line.ts";
import { PoolNews, type PoolEvent } from "./news.ts";
import { NEED, Opener, stopQuietly, type Need, type OpenerState } from "./opener.ts";
import type { LocalRelay, Provider, Tunnel, TunnelHealth } from "../provider.ts";

/** Between two looks at the tunnels, in ms. A look only reads memory. */
const POLL_MS = 2_000;

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
  /** Tunnels open at once, at most. */
  readonly limit: number;
  /**
   * Everybody who is not here and may still come, as the addresses that each may dial: members who are away, and links that
   * nobody has used. Asked at every look; no tunnel that one of them may dial is ended, within the limit.
   */
  readonly absent: () => Absent;
  /** At least 0 and below 1. */
  readonly random: () => number;
  /** May call back into the pool; what it throws is dropped. */
  readonly onEvent: (event: PoolEvent) => void;
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
  /** Best first. Those that are stale come last. */
  #lines: Line[] = [];
  #isStandbyAsked = false;
  /** The provider gave an address that led here already, so asking it for a spare one would go on for ever. */
  #hasOneAddress = false;
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

  /** The same in two: those that lead here now, and those that may again. */
  get addresses(): { readonly working: readonly string[]; readonly silent: readonly string[] } {
    const tunnels = this.#alive().map(({ tunnel }) => tunnel);
    const isUp = (tunnel: Tunnel): boolean => tunnel.health().state === "up";
    return {
      working: tunnels.filter((tunnel) => isUp(tunnel)).map(({ url }) => url),
      silent: tunnels.filter((tunnel) => !isUp(tunnel)).map(({ url }) => url),
    };
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

  /** As `stop`, but lets go of the tunnel with this URL instead of ending it, at once: a caretaker holds it. */
  leave(url: string): Promise<void> {
    this.#stopping ??= this.#stop(url);
    return this.#stopping;
  }

  async #stop(left?: string): Promise<void> {
    this.#news.end();
    this.#cancelPoll();
    for (const line of this.#lines) {
      if (line.tunnel.url !== left || line.tunnel.leave === undefined) continue;
      this.#lines = this.#lines.filter((other) => other !== line);
      line.unsubscribe();
      line.tunnel.leave();
    }
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
    const state = this.#opener.state;
    // One that is kept for somebody else's sake is no spare: the attempts at a real one say more.
    if (second !== undefined && (!isStale(second) || state.state === "idle")) {
      return { state: "ready", url: second.tunnel.url, health: second.tunnel.health() };
    }
    const isForStandby = first !== undefined || this.#wanted === 2;
    return isForStandby && state.state !== "idle" ? state : { state: "off" };
  }

  get #wanted(): 1 | 2 {
    return this.#options.standby && this.#isStandbyAsked && !this.#hasOneAddress ? 2 : 1;
  }

  /** A tunnel is dead as soon as it says so, even if it has told nobody. */
  #alive(): Line[] {
    return this.#lines.filter(({ tunnel }) => tunnel.health().state !== "down");
  }

  #add(tunnel: Tunnel): void {
    const openedAt = this.#options.clock.now();
    const line: Line = {
      tunnel,
      openedAt,
      degradedMs: undefined,
      trialMs: undefined,
      unsubscribe: () => undefined,
    };
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
    // A provider may give the same address again: it then leads through the new one.
    for (const line of this.#lines) {
      if (line.tunnel.url !== tunnel.url) continue;
      this.#hasOneAddress ||= isUp(line);
      this.#remove(line);
    }
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
    this.#cancelPoll = this.#options.clock.after(POLL_MS, () => this.#poll());
    this.#look(POLL_MS);
    this.#reconcile();
  }

  #look(passedMs: number): void {
    for (const line of this.#lines) {
      const health = line.tunnel.health();
      if (health.state === "down") this.#lose(line, health.error);
      else if (health.state === "degraded") seenDegraded(line, passedMs);
      else {
        // Where one of them gets through again, another one will.
        if (!isUp(line)) this.#opener.hasten();
        seenUp(line, passedMs);
      }
    }
  }

  /** Brings the lines into order, asks for a missing one, and tells what has changed. */
  #reconcile(): void {
    const absent = this.#options.absent();
    this.#lines = inOrder(this.#lines);
    this.#retire(absent);
    if (this.#lines.some(isUp)) this.#news.reach(true);
    else if (this.#lines.length > 0 && this.#lines.every(isSilent)) this.#news.reach(false);
    this.#news.addresses(this.#lines.map(({ tunnel }) => tunnel.url));
    // After the addresses, since it may report a failure at once.
    this.#opener.need(this.#missing(), absent.length > 0);
    this.#news.tell();
  }

  /** Lets go of what is stale or too many, and never of the only one, which may come back. */
  #retire(absent: Absent): void {
    // The first is stale only if no other is up: else that one has been put first.
    for (const line of this.#lines.slice(1))
      if (isStale(line) && !isNeeded(line, absent)) this.#lose(line, this.#staleError());
    for (const line of surplusOf(this.#lines, this.#wanted)) if (!isNeeded(line, absent)) this.#remove(line);
    while (this.#lines.length > this.#options.limit) {
      const victim = leastMissed(this.#lines, absent);
      if (victim === undefined) return;
      this.#lose(victim, this.#staleError());
    }
  }

  #staleError(): TunnelError {
    return new TunnelError(this.#options.provider.staleCode, { detail: `${STALE_MS / 1000} s` });
  }

  #missing(): Need {
    if (this.#lines.length === 0) return NEED.address;
    const working = this.#lines.filter((line) => !isStale(line)).length;
    if (working === 0) return NEED.working;
    // A spare is not worth an address that somebody may dial.
    const isFull = this.#lines.length >= this.#options.limit;
    return working < this.#wanted && !isFull ? NEED.spare : NEED.none;
  }
}
