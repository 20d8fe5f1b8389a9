import { readFile } from "node:fs/promises";
import { hostForUrl } from "../../net/address.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { UPLINK } from "../../uplink/limits.ts";
import type { ClaimKind, Registered } from "../../uplink/messages.ts";
import type { TunnelOpener, TunnelPurpose, TunnelRequest } from "../provider.ts";
import { supervise, type Assessment } from "../supervise.ts";
import { throwIfCancelled } from "../wait.ts";
import { relayOrigin } from "./address.ts";
import type { LineFailure } from "./failure.ts";
import { freshKey, keptKey, type ClaimKey } from "./keys.ts";
import type { RelaySettings } from "./settings.ts";
import { Uplink } from "./uplink.ts";

/** A relay that is being started again is back by then. */
const OPEN_TIMEOUT_MS = 12_000;
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
      const key = roomKeys.get(purpose.room) ?? freshKey();
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
    const opening = new Opening(request);
    const uplink = new Uplink({
      origin,
      network: settings.network,
      clock: settings.clock,
      kind: purpose.kind,
      name: nameOf(purpose),
      key,
      token: () => tokenOf(settings),
      target: { address: purpose.kind === "tcp" ? purpose.address : "127.0.0.1", port },
      events: opening,
    });
    uplink.start();
    try {
      const registered = await opening.first(settings.clock);
      return supervise({
        url: urlFor(purpose.kind, origin, registered),
        description: `a relay of your own${registered.isSubstitute === true ? ", which keeps no names and has given another one" : ""}`,
        clock: settings.clock,
        assess: () => Promise.resolve(opening.state),
        pollMs: POLL_MS,
        recheckMs: RECHECK_MS,
        onChange: (listener) => opening.onChange(listener),
        ended: opening.over.then(({ error, comesBack }) => {
          if (comesBack === "evicted") evicted.add(proof.path);
          return error;
        }),
        stop: () => uplink.stop(),
      });
    } catch (error) {
      await uplink.stop();
      throw error;
    }
  };
}

const nameOf = (purpose: TunnelPurpose): string | undefined =>
  purpose.kind === "room" ? purpose.room : purpose.kind === "http" ? purpose.subdomain : undefined;

/** @throws {TunnelError} relay-token */
async function tokenOf({ relayToken, relayTokenFile }: RelaySettings): Promise<string | undefined> {
  if (relayTokenFile === undefined) return relayToken;
  let text: string;
  try {
    text = await readFile(relayTokenFile, "utf8");
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new TunnelError("relay-token", { detail: "TUNNEL_RELAY_TOKEN_FILE cannot be read", cause: error });
  }
  const token = text.trim();
  if (token === "" || token.length > UPLINK.maxTokenChars || /\s/.test(token))
    throw new TunnelError("relay-token", { detail: "TUNNEL_RELAY_TOKEN_FILE holds no token" });
  return token;
}

/** A service has the scheme and the port by which its relay is reached. */
function urlFor(kind: ClaimKind, origin: URL, { host, port }: Registered): string {
  const scheme = origin.protocol === "https:" ? "wss" : "ws";
  if (kind === "tcp")
    return `tcp://${hostForUrl(host ?? origin.hostname.replace(/^\[|\]$/g, ""))}:${port ?? 0}`;
  if (kind === "room") return `${scheme}://${origin.host}`;
  return `${scheme}://${host ?? ""}${origin.port === "" ? "" : `:${origin.port}`}`;
}

/** How an uplink stands, for the tunnel that is made of it. */
class Opening {
  /** Resolves when nothing more is tried. */
  readonly over: Promise<LineFailure>;
  state: Assessment = { reason: "connecting to the relay" };
  readonly #request: TunnelRequest;
  readonly #listeners = new Set<() => void>();
  readonly #isFirst: Promise<Registered>;
  #connect: (registered: Registered) => void = () => undefined;
  #fail: (error: TunnelError) => void = () => undefined;
  #end: (failure: LineFailure) => void = () => undefined;
  #last: TunnelError | undefined;
  #url: string | undefined;

  constructor(request: TunnelRequest) {
    this.#request = request;
    this.over = new Promise((resolve) => (this.#end = resolve));
    this.#isFirst = new Promise((resolve, reject) => {
      this.#connect = resolve;
      this.#fail = reject;
    });
    // Nobody waits for it once the address is there.
    this.#isFirst.catch(() => undefined);
  }

  /** @throws {TunnelError} cancelled, or why the relay did not take it */
  async first(clock: Clock): Promise<Registered> {
    const { signal, onProgress = () => undefined } = this.#request;
    onProgress({ message: "registering at the relay" });
    const cancel = (): void => this.#fail(new TunnelError("cancelled"));
    signal.addEventListener("abort", cancel);
    const stop = clock.after(OPEN_TIMEOUT_MS, () =>
      this.#fail(this.#last ?? new TunnelError("relay-unreachable")),
    );
    try {
      return await this.#isFirst;
    } finally {
      stop();
      signal.removeEventListener("abort", cancel);
    }
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
    this.#connect(registered);
    for (const listener of this.#listeners) listener();
  }

  onDisconnected({ error }: LineFailure): void {
    this.#last = error;
    this.state = { reason: error.message };
    for (const listener of this.#listeners) listener();
  }

  onOver(failure: LineFailure): void {
    this.#fail(failure.error);
    this.#end(failure);
  }
}
