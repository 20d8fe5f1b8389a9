import { claimId, type ClaimName } from "../claims/claims.ts";
import type { RelayContext } from "../context.ts";
import { Counts } from "../limits/counts.ts";
import type { Host } from "./host.ts";
import type { Hosts } from "./hosts.ts";

/** A visitor's host: here, known but away for longer than the visitor is held, or never heard of. */
export type Found =
  | { readonly kind: "host"; readonly host: Host }
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
    const { claims, clock, limits } = this.#context;
    const claim = await claims.find(name);
    // It does not know whose host was there a moment before its start: they come back within seconds.
    const isForgetful = clock.now() - this.#startedAt < limits.forgetfulMs;
    if (claim === undefined && !isForgetful) return { kind: "unknown" };
    const held = await this.#hold(name, source, signal);
    if (held === "crowded") return { kind: "crowded" };
    const later = this.now(name);
    if (later !== undefined) return { kind: "host", host: later };
    return (await claims.find(name)) === undefined ? { kind: "unknown" } : { kind: "away" };
  }

  async #hold(name: ClaimName, source: string, signal: AbortSignal): Promise<"crowded" | "woken" | "over"> {
    const { clock, limits } = this.#context;
    const { all, perTunnel, perSource, ms } = limits.held;
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
