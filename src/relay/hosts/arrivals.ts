import type { Duplex } from "node:stream";
import { claimId, type Claim, type ClaimName } from "../claims/claims.ts";
import type { RelayContext } from "../context.ts";
import { Counts } from "../limits/counts.ts";
import type { Host } from "./host.ts";
import type { Hosts } from "./hosts.ts";

/** A visitor's host: here, at another node, known but away for longer than the visitor is held, or never heard of. */
export type Found =
  | { readonly kind: "host"; readonly host: Host }
  /** At another node, to which this connection leads; it serves the claim, and nothing else. */
  | { readonly kind: "elsewhere"; readonly claim: Claim; readonly connection: Duplex }
  | { readonly kind: "away" }
  | { readonly kind: "unknown" }
  /** Too many wait already. */
  | { readonly kind: "crowded" };

interface Waiting {
  readonly wake: () => void;
}

/** Finds hosts, and holds visitors of those that are away for a moment. */
export class Arrivals {
  readonly #context: RelayContext;
  readonly #hosts: Hosts;
  readonly #startedAt: number;
  readonly #perName = new Counts();
  readonly #perSource = new Counts();
  readonly #waiting = new Map<string, Set<Waiting>>();

  constructor(context: RelayContext, hosts: Hosts) {
    this.#context = context;
    this.#hosts = hosts;
    this.#startedAt = context.clock.now();
    hosts.onReady.subscribe((id) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      for (const { wake } of waiting ?? []) wake();
    });
  }

  get held(): number {
    return this.#perName.total;
  }

  /** The host at once, where it is here. */
  now(name: ClaimName): Host | undefined {
    const host = this.#hosts.get(name);
    // Where it may be another node's by now, nobody new is led to it; those who are in stay.
    return host?.isReady === true && this.#context.claims.isProven ? host : undefined;
  }

  /** @param signal aborts when the visitor has left */
  async find(name: ClaimName, source: string, signal: AbortSignal): Promise<Found> {
    const host = this.now(name);
    if (host !== undefined) return { kind: "host", host };
    const { clock, limits } = this.#context;
    const until = clock.now() + limits.held.ms;
    for (let tries = 0; ; tries += 1) {
      const claim = await this.#look(name);
      const reached = await this.#reach(claim);
      if (reached !== undefined) return reached;
      // It does not know whose host was there a moment before its start: they come back within seconds.
      const isForgetful = clock.now() - this.#startedAt < limits.forgetfulMs;
      if (claim === undefined && !isForgetful) return { kind: "unknown" };
      const leftMs = until - clock.now();
      if (leftMs <= 0 || signal.aborted) return { kind: claim === undefined ? "unknown" : "away" };
      const held = await this.#hold(name, source, signal, Math.min(leftMs, this.#pauseMs(tries)));
      if (held === "crowded") return { kind: "crowded" };
      const later = this.now(name);
      if (later !== undefined) return { kind: "host", host: later };
    }
  }

  /** Nobody tells when a host is ready at another node, so that is looked at again and again. */
  #pauseMs(tries: number): number {
    return this.#context.elsewhere === undefined
      ? Number.POSITIVE_INFINITY
      : Math.min(1_000, 100 * 2 ** tries);
  }

  /** `unasked`: the register is away, and nothing is known. */
  async #look(name: ClaimName): Promise<Claim | "unasked" | undefined> {
    try {
      return await this.#context.claims.find(name);
    } catch (error) {
      if (error instanceof Error) return "unasked";
      throw error;
    }
  }

  async #reach(claim: Claim | "unasked" | undefined): Promise<Found | undefined> {
    const { elsewhere, claims, node } = this.#context;
    if (elsewhere === undefined || claim === undefined || claim === "unasked") return undefined;
    if (claim.node === undefined || claim.node === node) return undefined;
    const connection = await elsewhere.reach(claim);
    if (connection !== undefined) return { kind: "elsewhere", claim, connection };
    claims.forget(claim);
    return undefined;
  }

  async #hold(
    name: ClaimName,
    source: string,
    signal: AbortSignal,
    ms: number,
  ): Promise<"crowded" | "woken" | "over"> {
    const { clock, limits } = this.#context;
    const { all, perTunnel, perSource } = limits.held;
    const id = claimId(name);
    if (this.held >= all) return "crowded";
    const ofName = this.#perName.take(id, perTunnel);
    if (ofName === undefined) return "crowded";
    const ofSource = this.#perSource.take(source, perSource);
    if (ofSource === undefined) {
      ofName();
      return "crowded";
    }
    return new Promise((resolve) => {
      const end = (how: "woken" | "over"): void => {
        cancel();
        signal.removeEventListener("abort", leave);
        const others = this.#waiting.get(id);
        others?.delete(waiting);
        if (others?.size === 0) this.#waiting.delete(id);
        ofName();
        ofSource();
        resolve(how);
      };
      const leave = (): void => end("over");
      const waiting: Waiting = { wake: () => end("woken") };
      const cancel = clock.after(ms, leave);
      signal.addEventListener("abort", leave);
      const others = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, others.add(waiting));
      // It may have come between the question and this line.
      if (signal.aborted) leave();
      else if (this.now(name) !== undefined) end("woken");
    });
  }
}
