import { readFileSync } from "node:fs";
import { hostForUrl } from "../net/address.ts";
import { proxyAgents } from "../net/proxy.ts";
import { trustOf } from "../net/trust.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Authority } from "./auth/authority.ts";
import { openAuthority } from "./auth/open.ts";
import { ProviderAuthority } from "./auth/provider.ts";
import { StaticAuthority } from "./auth/static.ts";
import { conflicts, readFiles, type RelayFiles } from "./config/files.ts";
import type { RelayConfig } from "./config/options.ts";
import { readConfig } from "./config/read.ts";
import { trustedProxies } from "./front/sources.ts";
import { RELAY_LIMITS, type RelayLimits } from "./limits/limits.ts";
import { startRelay, type Relay, type RelayOptions } from "./relay.ts";
import { runToken } from "./token/command.ts";

/** The outside world of the program. */
export interface RelayHost {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly clock: Clock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Calls for each signal that the program gets: the end, and new files. */
  readonly onSignal: (listener: (signal: "end" | "reload") => void) => void;
  readonly exitNow: (code: number) => void;
}

/** Runs a relay until it is told to end. 0: ended in order. 1: it could not start. 2: options that cannot be used. */
export async function runRelay(host: RelayHost): Promise<0 | 1 | 2> {
  const { args, env, err, out, clock } = host;
  if (args[0] === "token") return runToken({ args: args.slice(1), env, clock, out, err });
  const read = readConfig({ args, env });
  if ("problems" in read) return unusable(read.problems, err);
  const { config, isCheck } = read;
  const clashes = conflicts(config);
  const files = readFiles(config);
  const problems = [...clashes, ...("problems" in files ? files.problems : [])];
  if (problems.length > 0 || "problems" in files) return unusable(problems, err);
  if (isCheck) {
    out("the options are good\n");
    return 0;
  }
  let current: RelayFiles = files;
  const authority = authorityFor(config, () => current, env, clock);
  const relay = await startRelay({
    clock,
    host: config.listen.host,
    port: config.listen.port,
    domain: domainOf(config),
    authority,
    limits: limitsOf(config),
    isTrusted: trustedProxies(config["trusted-proxy"]) ?? (() => false),
    hasProxyHeader: config["proxy-protocol"],
    certificates: certificatesOf(config),
    isBlocked: (word) => current.blocked.has(word.toLowerCase()),
    warnsBrowsers: config["warn-browsers"],
    contact: config["abuse-contact"],
    state: config.state,
    tcp: tcpOf(config),
  });
  out(`${JSON.stringify(startLine(relay, config, authority))}\n`);
  const reload = (): void => {
    const fresh = readFiles(config);
    if ("problems" in fresh) {
      // What was good goes on.
      for (const problem of fresh.problems) err(`tunnel-mcp relay: ${problem}; nothing is changed\n`);
      return;
    }
    current = fresh;
    relay.reload();
    if (authority instanceof StaticAuthority && fresh.tokens !== undefined) authority.replace(fresh.tokens);
    if (authority instanceof ProviderAuthority) authority.recheck();
    out(
      `${JSON.stringify({ event: "reloaded", tokens: fresh.tokens?.length, blocked: fresh.blocked.size })}\n`,
    );
  };
  await untilEnd(host, reload, relay, config["drain-seconds"] * 1_000);
  return 0;
}

function unusable(problems: readonly string[], err: (text: string) => void): 2 {
  for (const problem of problems) err(`tunnel-mcp relay: ${problem}\n`);
  return 2;
}

/** The first signal drains, the second one ends at once. */
function untilEnd(host: RelayHost, reload: () => void, relay: Relay, graceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let isEnding = false;
    host.onSignal((signal) => {
      if (signal === "reload") return reload();
      if (isEnding) return host.exitNow(1);
      isEnding = true;
      relay.drain({ backMs: BACK_MS, graceMs }).then(resolve, reject);
    });
  });
}

/** Hosts come back within so many ms, to whatever answers at the address by then. */
const BACK_MS = 2_000;

function authorityFor(
  config: RelayConfig,
  files: () => RelayFiles,
  env: RelayHost["env"],
  clock: Clock,
): Authority {
  const url = config["auth-url"];
  if (url !== undefined) {
    const trust = trustOf(env);
    const network = { trust, proxies: proxyAgents(env, trust) };
    return new ProviderAuthority({ url, secret: () => files().authSecret, network, clock });
  }
  const { tokens } = files();
  return tokens === undefined ? openAuthority(config["allow-open-http"]) : new StaticAuthority(tokens, clock);
}

/** On loopback alone every name below `localhost` leads here by itself (RFC 6761 §6.3). */
function domainOf({ domain, listen }: RelayConfig): string | undefined {
  return domain ?? (/^(?:127\.|::1$)/.test(listen.host) ? "localhost" : undefined);
}

function certificatesOf(config: RelayConfig): RelayOptions["certificates"] {
  const [cert, key] = [config["tls-cert"], config["tls-key"]];
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

function tcpOf(config: RelayConfig): RelayOptions["tcp"] {
  const range = config["tcp-ports"];
  return range === undefined ? undefined : { range, bind: config.listen.host, shownHost: config["tcp-host"] };
}

/** For listeners, files and connections to others. */
const SPARE_FILES = 200;

/** Descriptors that this process may have; those of a connection must not run out in the middle of something else. */
function openFiles(): number {
  try {
    const [, most = ""] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return most === "" ? Number.POSITIVE_INFINITY : Math.max(2 * SPARE_FILES, Number(most));
  } catch (error) {
    // Only Linux has the file.
    if (error instanceof Error) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function limitsOf(config: RelayConfig): RelayLimits {
  return {
    ...RELAY_LIMITS,
    connections: Math.min(config["max-connections"], openFiles() - SPARE_FILES),
    connectionsPerSource: config["max-connections-per-source"],
    tunnels: config["max-tunnels"],
    tunnelsPerToken: config["max-tunnels-per-token"],
    inFlight: config["max-in-flight"],
    registrationsPerMinute: config["registrations-per-minute"],
    bytesPerSecond: config["bytes-per-second"],
    requestBytes: config["max-request-bytes"],
    responseBytes: config["max-response-bytes"],
  };
}

function startLine(relay: Relay, config: RelayConfig, { isOpen }: Authority): object {
  const { host } = config.listen;
  const scheme = config["tls-cert"] === undefined ? "http" : "https";
  return {
    event: "listening",
    url: `${scheme}://${hostForUrl(host)}:${relay.port}`,
    domain: relay.context.domain,
    auth: isOpen ? "open" : "tokens",
    keepsNames: relay.context.keepsNames,
  };
}
