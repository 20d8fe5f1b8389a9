import { randomBytes } from "node:crypto";
import { homedir } from "node:os";
import { TunnelError } from "../errors/tunnel-error.ts";
import { openGateway } from "../expose/gateway/gateway.ts";
import { OPEN_GATE } from "../expose/gateway/open-gate.ts";
import { proxyAgents } from "../net/proxy.ts";
import { trustOf } from "../net/trust.ts";
import { systemClock as clock } from "../runtime/clock.ts";
import { relayOrigin } from "../tunnel/relay/address.ts";
import type { LineFailure } from "../tunnel/relay/failure.ts";
import { keptKey } from "../tunnel/relay/keys.ts";
import { takePlace, urlFor, type Place } from "../tunnel/relay/place.ts";
import { SOURCE_FIELD, UPLINK } from "../uplink/limits.ts";
import type { Registered } from "../uplink/messages.ts";
import type { Expose, Exposed, ExposeOptions } from "./contract.ts";
import { LocalService } from "./upstream.ts";

/**
 * The gateway stands in between, as it does for the server's own exposures: framing, hop-by-hop fields, forwarding fields and limits
 * are the same whatever program is behind. Its gate lets everybody pass: a caller wants the service to be public, has ways of its own to
 * tell visitors apart, and judges `Origin` itself.
 * @throws {TunnelError} input-invalid, config-invalid, cancelled, relay-*, bind-failed
 */
export const expose: Expose = async (options) => {
  const { port, token, subdomain, signal } = checked(options);
  const origin = originOf(options.relay);
  const service = new LocalService(port, clock);
  const word = (): string => randomBytes(16).toString("hex");
  await service.look();
  const gateway = await openGateway({
    bind: "127.0.0.1",
    port: 0,
    gate: OPEN_GATE,
    upstream: () => service.upstream,
    proof: { path: `/.tunnel/proof/${word()}`, answer: word() },
    sourceHeader: SOURCE_FIELD,
    hostHeader: undefined,
    pseudonym: `tunnel-${word().slice(0, 12)}`,
    clock,
    onNews: ({ kind }) => {
      if (kind === "unreachable") service.isAway = true;
      if (kind === "back") service.isAway = false;
    },
  });
  const waiting = new AbortController();
  let url: string | undefined;
  let place: Place | undefined;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll());
  const abort = (): void => {
    waiting.abort();
    void close();
  };
  async function closeAll(): Promise<void> {
    signal?.removeEventListener("abort", abort);
    await place?.stop();
    await gateway.close();
  }
  /** An error of the caller's function is the caller's, and breaks nothing here. */
  const later = (tell: () => void): void => {
    if (closing === undefined) queueMicrotask(tell);
  };
  const events = {
    onConnected(registered: Registered) {
      url = urlFor("http", origin, registered).replace(/^ws/, "http");
      gateway.publish(new URL(url));
      later(() => options.onConnected?.(url ?? ""));
    },
    onDisconnected(failure: LineFailure) {
      // Until there is an address, the call itself tells what is wrong.
      if (url !== undefined) later(() => options.onDisconnected?.(failure.error, { willReconnect: true }));
    },
    onOver({ error, comesBack }: LineFailure) {
      if (url === undefined) return;
      if (comesBack === "evicted") later(() => options.onEvicted?.());
      else later(() => options.onDisconnected?.(error, { willReconnect: false }));
      void close();
    },
  };
  signal?.addEventListener("abort", abort);
  try {
    if (signal?.aborted === true) throw new TunnelError("cancelled");
    const { env } = process;
    const trust = trustOf(env, [env["TUNNEL_RELAY_CA"]]);
    place = await takePlace({
      origin,
      network: { proxies: proxyAgents(env, trust), trust },
      clock,
      kind: "http",
      name: subdomain,
      key: await keptKey({
        env,
        home: homedir(),
        purpose: [process.cwd(), origin.host, "http", subdomain ?? `of port ${port}`],
      }),
      token: async () => token,
      target: { address: "127.0.0.1", port: gateway.port },
      events,
      signal: waiting.signal,
    });
  } catch (error) {
    await close();
    throw error;
  }
  return handle(() => url ?? "", close);
};

const handle = (url: () => string, close: () => Promise<void>): Exposed => ({
  get url() {
    return url();
  },
  close,
});

/** @throws {TunnelError} input-invalid */
function originOf(relay: string | URL): URL {
  try {
    if (typeof relay === "string" || relay instanceof URL) return relayOrigin(String(relay));
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
  }
  throw new TunnelError("input-invalid", {
    detail:
      "relay must be https://HOST with an optional port; http:// on this machine and private addresses alone",
  });
}

/** @throws {TunnelError} input-invalid */
function checked(options: ExposeOptions): ExposeOptions {
  const { port, token, subdomain } = options;
  const isPort = Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (!isPort)
    throw new TunnelError("input-invalid", { detail: "port must be a whole number from 1 to 65535" });
  if (token !== undefined && !(/^[\x21-\x7e]+$/.test(token) && token.length <= UPLINK.maxTokenChars))
    throw new TunnelError("input-invalid", { detail: "token must be one word" });
  if (subdomain !== undefined && typeof subdomain !== "string")
    throw new TunnelError("input-invalid", { detail: "subdomain must be text" });
  return options;
}
