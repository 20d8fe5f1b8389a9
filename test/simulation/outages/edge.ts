import assert from "node:assert/strict";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { LINK } from "../../../src/protocol/base/limits.ts";
import {
  SAFE_TRAITS,
  type Provider,
  type Tunnel,
  type TunnelHealth,
  type TunnelRequest,
} from "../../../src/tunnel/provider.ts";
import type { Chance } from "../../support/random.ts";
import { ORIGIN, type World } from "../../support/wire.ts";
import type { WorldClock } from "./clock.ts";

const SECOND = 1_000;

/** What members and tunnels meet while it lasts. */
export const OUTAGES = [
  /** Connections are cut, and dials end at once. */
  "refused",
  /** Connections are cut, and dials end in silence. */
  "hanging",
  /** Nothing passes, and nobody is told; what was under way arrives at the end. */
  "stalled",
  /** Connections end in silence, and so do dials. */
  "swallowed",
  /** As `refused`, and the first name never leads anywhere again. */
  "half-gone",
  /** As `hanging`, and no name of before ever leads anywhere again. */
  "gone",
] as const;
export type OutageKind = (typeof OUTAGES)[number];

export interface Outage {
  readonly kind: OutageKind;
  readonly ms: number;
  /** How long a tunnel takes after the end until it leads here again. */
  readonly returnMs: number;
}

class SimulatedTunnel implements Tunnel {
  readonly description = "simulated";
  readonly url: string;
  isStopped = false;
  /** It has not noticed yet, or has nothing to notice. */
  isUp = true;
  readonly #edge: Edge;
  #error: TunnelError | undefined;
  #onDown: ((error: TunnelError) => void) | undefined;

  constructor(edge: Edge, url: string) {
    this.#edge = edge;
    this.url = url;
  }

  get isDead(): boolean {
    return this.isStopped || this.#error !== undefined;
  }

  health(): TunnelHealth {
    if (this.#error !== undefined) return { state: "down", error: this.#error };
    return this.isUp ? { state: "up" } : { state: "degraded", reason: "an outage", sinceMs: 0 };
  }

  onDown(listener: (error: TunnelError) => void): () => void {
    this.#onDown = listener;
    return () => (this.#onDown = undefined);
  }

  die(): void {
    this.#error = new TunnelError("cloudflared-exited");
    this.#onDown?.(this.#error);
  }

  stop(): Promise<void> {
    if (this.isStopped) return Promise.resolve();
    this.isStopped = true;
    this.#edge.stopped(this);
    return Promise.resolve();
  }
}

/** Everything between a host and the world: tunnels of several names, and their outages. */
export class Edge {
  readonly #world: World;
  readonly #clock: WorldClock;
  readonly #chance: Chance;
  readonly first: SimulatedTunnel;
  readonly tunnels: SimulatedTunnel[] = [];
  /** Whether somebody who is away may still dial this address. */
  isMissed: (url: string) => boolean = () => false;
  isOver = false;
  #outage: Outage | undefined;
  #latency = (): number => 0;

  constructor(world: World, clock: WorldClock, chance: Chance) {
    this.#world = world;
    this.#clock = clock;
    this.#chance = chance;
    this.first = this.#tunnel(ORIGIN);
    world.latency = () => this.#latency();
    this.#latency = this.#usual;
  }

  readonly #usual = (): number => 10 + this.#chance.below(80);

  /** Opens tunnels as Quick Tunnels are: each has a name of its own, and none can be had during an outage. */
  get provider(): Provider {
    const traits = { ...SAFE_TRAITS, title: "an edge", advice: "simulated", canHaveSpare: true };
    return { ...traits, open: (request) => this.#open(request) };
  }

  /** Names that lead to the host now. */
  leading(): string[] {
    return this.tunnels.filter(({ url }) => this.#world.origins.get(url) === "up").map(({ url }) => url);
  }

  /** Lets an outage pass; afterwards its tunnels are on their way back. */
  async suffer(outage: Outage, meanwhile: () => Promise<void>): Promise<void> {
    const { kind, ms, returnMs } = outage;
    const end = this.#world.now + ms;
    this.#outage = outage;
    const isStalled = kind === "stalled";
    if (isStalled) this.#latency = () => Math.max(0, end - this.#world.now) + this.#usual();
    const first = this.tunnels.find(isAlive);
    for (const tunnel of this.tunnels.filter(isAlive)) {
      if (!isStalled) this.#lose(tunnel.url, kind);
      const mayDie = kind === "gone" || (kind === "half-gone" && tunnel === first);
      if (mayDie) tunnel.die();
      else this.#clock.after(Math.min(ms, 1 + this.#chance.below(15 * SECOND)), () => (tunnel.isUp = false));
    }
    while (this.#world.now < end) {
      await meanwhile();
      await this.#clock.advance(Math.min(end - this.#world.now, 500 + this.#chance.below(20 * SECOND)));
    }
    this.#outage = undefined;
    this.#latency = this.#usual;
    for (const tunnel of this.tunnels.filter(isAlive))
      this.#clock.after(isStalled ? 0 : returnMs, () => this.#returns(tunnel));
  }

  stopped(tunnel: SimulatedTunnel): void {
    const isWanted = !this.isOver && tunnel.health().state !== "down" && this.isMissed(tunnel.url);
    // The pool has one more for a moment, when it lets go of the one that is missed least.
    const alive = this.tunnels.filter((one) => one !== tunnel && isAlive(one)).length;
    assert.ok(!isWanted || alive >= LINK.maxAddresses, `${tunnel.url} was ended, and somebody may dial it`);
    this.#world.setOrigin(tunnel.url, "dead");
  }

  #lose(url: string, kind: OutageKind): void {
    this.#world.setOrigin(url, kind === "swallowed" ? "hole" : "dead");
    if (kind === "hanging" || kind === "gone") this.#world.origins.set(url, "hole");
  }

  #returns(tunnel: SimulatedTunnel): void {
    if (tunnel.isDead) return;
    tunnel.isUp = true;
    this.#world.setOrigin(tunnel.url, "up");
  }

  #tunnel(url: string): SimulatedTunnel {
    const tunnel = new SimulatedTunnel(this, url);
    this.tunnels.push(tunnel);
    return tunnel;
  }

  #open({ signal }: TunnelRequest): Promise<Tunnel> {
    return new Promise((resolve, reject) => {
      const ms = 2 * SECOND + this.#chance.below(4 * SECOND);
      const cancel = this.#clock.after(ms, () => {
        if (this.#outage !== undefined) return reject(new TunnelError("cloudflared-exited"));
        const url = `ws://127.0.0.1:${this.tunnels.length + 1}`;
        const tunnel = this.#tunnel(url);
        this.#world.setOrigin(url, "up");
        resolve(tunnel);
      });
      signal.addEventListener("abort", () => {
        cancel();
        reject(new TunnelError("cancelled"));
      });
    });
  }
}

function isAlive({ isDead }: SimulatedTunnel): boolean {
  return !isDead;
}
