import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Registered } from "../../uplink/messages.ts";
import type { TunnelOpener, TunnelPurpose } from "../provider.ts";
import { supervise, type Assessment } from "../supervise.ts";
import { throwIfCancelled } from "../wait.ts";
import { relayOrigin } from "./address.ts";
import type { LineFailure } from "./failure.ts";
import { freshKey, keptKey, keyOf, type ClaimKey } from "./keys.ts";
import { takePlace, urlFor } from "./place.ts";
import type { RelaySettings } from "./settings.ts";
import { tokenOf } from "./token.ts";
import type { UplinkEvents } from "./uplink.ts";

/** The uplink tells every change by itself; the looks in between are for nothing else. */
const POLL_MS = { up: 60_000, degraded: 5_000 } as const;
const RECHECK_MS = 1_000;

/** Addresses at a relay. Each tunnel has a line of its own, which comes back by itself. */
export function createRelayOpener(settings: RelaySettings): TunnelOpener {
  const roomKeys = new Map<string, ClaimKey>();
  /** What another process has taken over is not taken back by itself, or the two would go on for ever. */
  const evicted = new Set<string>();

  async function keyFor(purpose: TunnelPurpose, origin: URL): Promise<ClaimKey> {
    if (purpose.kind === "room") {
      const { seed } = purpose;
      const key = roomKeys.get(purpose.room) ?? (seed === undefined ? freshKey() : keyOf(seed));
      roomKeys.set(purpose.room, key);
      return key;
    }
    const subdomain = purpose.kind === "http" ? purpose.subdomain : undefined;
    const { env, home, cwd } = settings;
    return keptKey({
      env,
      home,
      purpose: [cwd, origin.host, purpose.kind, subdomain ?? `of ${purpose.label}`],
    });
  }

  return async (request) => {
    const { signal, proof, port, purpose } = request;
    throwIfCancelled(signal);
    const origin = relayOrigin(settings.relay);
    if (purpose === undefined) throw new TunnelError("internal", { detail: "a relay has to know what for" });
    if (evicted.has(proof.path)) throw new TunnelError("relay-evicted");
    const key = await keyFor(purpose, origin);
    const standing = new Standing();
    request.onProgress?.({ message: "registering at the relay" });
    const place = await takePlace({
      origin,
      network: settings.network,
      clock: settings.clock,
      kind: purpose.kind,
      name: nameOf(purpose),
      key,
      token: () => tokenOf(settings),
      target: { address: purpose.kind === "tcp" ? purpose.address : "127.0.0.1", port },
      events: standing,
      signal,
    });
    const { registered } = place;
    return supervise({
      url: urlFor(purpose.kind, origin, registered),
      description: `a relay of your own${registered.isSubstitute === true ? ", which keeps no names and has given another one" : ""}`,
      clock: settings.clock,
      assess: () => Promise.resolve(standing.state),
      pollMs: POLL_MS,
      recheckMs: RECHECK_MS,
      onChange: (listener) => standing.onChange(listener),
      ended: standing.over.then(({ error, comesBack }) => {
        if (comesBack === "evicted") evicted.add(proof.path);
        return error;
      }),
      stop: () => place.stop(),
    });
  };
}

const nameOf = (purpose: TunnelPurpose): string | undefined =>
  purpose.kind === "room" ? purpose.room : purpose.kind === "http" ? purpose.subdomain : undefined;

/** How a place stands, for the tunnel that is made of it. */
class Standing implements UplinkEvents {
  /** Resolves when nothing more is tried. */
  readonly over: Promise<LineFailure>;
  state: Assessment = { reason: "connecting to the relay" };
  readonly #listeners = new Set<() => void>();
  #end: (failure: LineFailure) => void = () => undefined;
  #url: string | undefined;

  constructor() {
    this.over = new Promise((resolve) => (this.#end = resolve));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onConnected(registered: Registered): void {
    const where = `${registered.host ?? ""}:${registered.port ?? ""}`;
    this.#url ??= where;
    // Links that were given out lead elsewhere now.
    if (this.#url !== where)
      this.#end({ error: new TunnelError("address-lost"), comesBack: "later", waitMs: 0 });
    this.state = "up";
    for (const listener of this.#listeners) listener();
  }

  onDisconnected({ error }: LineFailure): void {
    this.state = { reason: error.message };
    for (const listener of this.#listeners) listener();
  }

  onOver(failure: LineFailure): void {
    this.#end(failure);
  }
}
