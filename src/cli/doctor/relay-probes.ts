import { readFileSync } from "node:fs";
import { request as requestPlain, type RequestOptions } from "node:http";
import { request as requestSecure } from "node:https";
import { TLSSocket, type SecureContext } from "node:tls";
import { proxyAgents } from "../../net/proxy.ts";
import { trustOf } from "../../net/trust.ts";
import type { Clock } from "../../runtime/clock.ts";
import { relayOrigin } from "../../tunnel/relay/address.ts";
import { dialFailure } from "../../tunnel/relay/failure.ts";
import { tokenOf } from "../../tunnel/relay/token.ts";
import { tryRelay } from "../../tunnel/relay/trial.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { ProviderName } from "../../tunnel/registry/registry.ts";
import type { Environment } from "../io/environment.ts";
import type { RelayProbes, RelayVisit } from "./relay.ts";

interface RelayProbeSettings {
  readonly relay?: string | undefined;
  readonly relayToken?: string | undefined;
  readonly relayTokenFile?: string | undefined;
  readonly relayCa?: string | undefined;
}

/** For the visit, and for the trial: two of them fit into the doctor's deadline. */
const PROBE_MS = 3_500;

/**
 * The relay of the settings, on the real network.
 * @throws {TunnelError} relay-not-set, config-invalid
 */
function realRelayProbes(config: RelayProbeSettings, env: Environment, clock: Clock): RelayProbes {
  const origin = relayOrigin(config.relay);
  const trust = trustOf(env, [config.relayCa]);
  const network = { proxies: proxyAgents(env, trust), trust };
  return {
    origin,
    hasToken: config.relayToken !== undefined || config.relayTokenFile !== undefined,
    caProblem: config.relayCa === undefined ? undefined : problemOf(config.relayCa),
    now: () => Date.now(),
    visit: (signal) => visit(origin, network, limited(signal)),
    async trial(signal) {
      try {
        return await tryRelay({
          origin,
          network,
          clock,
          token: await tokenOf(config),
          signal: limited(signal),
        });
      } catch (error) {
        if (!(error instanceof TunnelError)) throw error;
        return { versions: undefined, outcome: { kind: "failed", failure: dialFailure(error) } };
      }
    },
  };
}

/** The relay that the settings name or choose; what is wrong with its address; undefined where they do neither. */
export function relayToCheck(
  config: RelayProbeSettings & { readonly transport: ProviderName },
  env: Environment,
  clock: Clock,
): RelayProbes | TunnelError | undefined {
  if (config.relay === undefined && config.transport !== "relay") return undefined;
  try {
    return realRelayProbes(config, env, clock);
  } catch (error) {
    if (error instanceof TunnelError) return error;
    throw error;
  }
}

const limited = (signal: AbortSignal): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);

function problemOf(file: string): string | undefined {
  try {
    const isPem = readFileSync(file, "utf8").includes("-----BEGIN CERTIFICATE-----");
    return isPem ? undefined : "names a file without a certificate";
  } catch (error) {
    if (error instanceof Error) return "names a file that cannot be read";
    throw error;
  }
}

function visit(
  origin: URL,
  { proxies, trust }: { proxies: ReturnType<typeof proxyAgents>; trust: () => SecureContext },
  signal: AbortSignal,
): Promise<RelayVisit> {
  return new Promise((resolve, reject) => {
    const isSecure = origin.protocol === "https:";
    const options: RequestOptions & { secureContext?: SecureContext } = {
      agent: proxies(origin) ?? false,
      signal,
      headers: { "User-Agent": "tunnel-mcp" },
      ...(isSecure ? { secureContext: trust() } : {}),
    };
    const asked = (isSecure ? requestSecure : requestPlain)(origin, options);
    asked.once("error", (error) => reject(signal.aborted ? new Error("no answer in time") : error));
    asked.once("response", (response) => {
      const { socket } = response;
      const ends =
        socket instanceof TLSSocket ? Date.parse(socket.getPeerCertificate().valid_to) : Number.NaN;
      const time = Date.parse(response.headers.date ?? "");
      response.destroy();
      resolve({
        time: Number.isNaN(time) ? undefined : time,
        certificateEnds: Number.isNaN(ends) ? undefined : ends,
      });
    });
    asked.end();
  });
}
