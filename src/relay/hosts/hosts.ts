import { Emitter } from "../../runtime/emitter.ts";
import { CLOSE, REASONS } from "../../uplink/close-codes.ts";
import { claimId, type ClaimName } from "../claims/claims.ts";
import type { RelayContext } from "../context.ts";
import { Counts } from "../limits/counts.ts";
import type { Host, HostEnd } from "./host.ts";

/** Whether visitors should wait for this host: not where it has given its name up, or was told not to come again. */
function comesBack(end: HostEnd): boolean {
  return end === "cut" || (end !== "released" && REASONS[end] === CLOSE.tryLater);
}

/** A host whose claim is lost comes back after this, in ms. */
const LOST_MS = 200;

/** The hosts that are registered at this node. */
export class Hosts {
  readonly perToken = new Counts();
  readonly perSource = new Counts();
  /** Names whose host can take visitors from now on. */
  readonly onReady = new Emitter<string>();
  readonly #context: RelayContext;
  readonly #hosts = new Map<string, Host>();
  readonly #leaving = new Set<Host>();
  readonly #stops: readonly (() => void)[];

  constructor(context: RelayContext) {
    this.#context = context;
    this.#stops = [
      context.claims.watch((event) => {
        if (event.type !== "claimed" && event.type !== "lost") return;
        const host = this.#hosts.get(claimId(event.claim));
        if (host === undefined) return;
        if (event.type === "lost" && host.facts.epoch === event.epoch)
          host.close("claims-unavailable", LOST_MS);
        if (event.type === "claimed" && host.facts.epoch < event.claim.epoch) host.close("evicted");
      }),
      context.claims.onTold((message) => {
        const host = this.#hosts.get(claimId(message.claim));
        if (host !== undefined && host.facts.epoch === message.epoch) host.close("closed");
      }),
    ];
  }

  get all(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  get size(): number {
    return this.#hosts.size;
  }

  get(name: ClaimName): Host | undefined {
    return this.#hosts.get(claimId(name));
  }

  add(host: Host): void {
    this.#hosts.set(claimId(host.facts), host);
  }

  ready(host: Host): void {
    host.becomeReady();
    if (host.isReady) this.onReady.emit(claimId(host.facts));
  }

  /** Its line has ended. A successor under the same name stays what it is. */
  ended(host: Host, end: HostEnd): void {
    const { kind, name, epoch } = host.facts;
    const id = claimId(host.facts);
    this.#leaving.delete(host);
    if (this.#hosts.get(id) === host) this.#hosts.delete(id);
    const { claims, clock, events } = this.#context;
    claims
      .release({ kind, name }, epoch, comesBack(end) ? "away" : "done")
      .catch(() => events.emit({ type: "trouble", what: "a claim could not be released" }));
    const { tokenId } = host.grant;
    events.emit({
      type: "unregistered",
      kind,
      name,
      epoch,
      tokenId,
      why: end,
      lastedMs: clock.now() - host.since,
    });
  }

  /** Tells every host to come back later, at different times. */
  leave(withinMs: number): void {
    for (const host of this.#hosts.values()) host.leave(withinMs);
  }

  /** Asks again whether each may be here. */
  recheck(): void {
    for (const host of this.#hosts.values()) host.recheck();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    for (const host of this.#hosts.values()) host.close("going-away");
  }
}
