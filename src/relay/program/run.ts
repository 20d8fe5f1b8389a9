import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { addressKind, hostForUrl } from "../../net/address.ts";
import { proxyAgents } from "../../net/proxy.ts";
import { trustOf } from "../../net/trust.ts";
import type { Clock } from "../../runtime/clock.ts";
import { listeningAt, type PublicAddress } from "../admin/addresses.ts";
import { tokenPlaces } from "../admin/admin-token.ts";
import { startAdmin, type RunningAdmin } from "../admin/start-admin.ts";
import type { Authority } from "../auth/authority.ts";
import { openAuthority } from "../auth/open.ts";
import { ProviderAuthority } from "../auth/provider.ts";
import { StaticAuthority } from "../auth/static.ts";
import { nodeTls } from "../cluster/peers/node-tls.ts";
import { conflicts, readFiles, type RelayFiles } from "../config/files.ts";
import { relayHelp } from "../config/help.ts";
import type { RelayConfig } from "../config/options.ts";
import { readConfig } from "../config/read.ts";
import type { RelayEvent } from "../events.ts";
import { trustedProxies } from "../front/sources.ts";
import { RELAY_LIMITS, type RelayLimits } from "../limits/limits.ts";
import { Log } from "../log/log.ts";
import { Tags } from "../log/tags.ts";
import { startRelay, type Relay, type RelayOptions } from "../node/relay.ts";
import { keptSecret } from "../state/kept-secret.ts";
import { runToken } from "../token/command.ts";

/** The outside world of the program. */
export interface RelayHost {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly clock: Clock;
  readonly out: (text: string) => void;
  /** How much of that waits for its reader. */
  readonly unread: () => number;
  readonly err: (text: string) => void;
  /** Calls for each signal that the program gets: the end, and new files. */
  readonly onSignal: (listener: (signal: "end" | "reload") => void) => void;
  readonly exitNow: (code: number) => void;
}

/** Runs a relay until it is told to end. 0: ended in order. 1: it could not start. 2: options that cannot be used. */
export async function runRelay(host: RelayHost): Promise<0 | 1 | 2> {
  const { args, env, err, out, clock, version } = host;
  if (args[0] === "token") return runToken({ args: args.slice(1), env, clock, out, err });
  if (args.some((arg) => arg === "--help" || arg === "-h")) {
    out(relayHelp(version));
    return 0;
  }
  const read = readConfig({ args, env });
  if ("problems" in read) return unusable(read.problems, err);
  const { config, isCheck, where } = read;
  const clashes = conflicts(config, where);
  const files = readFiles(config, where);
  const problems = [...clashes, ...("problems" in files ? files.problems : [])];
  if (problems.length > 0 || "problems" in files) return unusable(problems, err);
  if (isCheck) {
    out("the options are good\n");
    for (const note of notes(config, files)) out(`note: ${note}\n`);
    return 0;
  }
  let current: RelayFiles = files;
  const authority = authorityFor(config, () => current, env, clock);
  const cluster = await clusterOf(config, (what) => err(`tunnel-mcp relay: ${what}\n`));
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
    cluster,
  }).catch(async (error: unknown) => {
    await cluster?.engine.close();
    throw error;
  });
  const tags = await tagsFor(config, relay);
  // Hosts may come at once; the first line is that it listens, all the same.
  const early: RelayEvent[] = [];
  const stopEarly = relay.events.subscribe((event) => early.push(event));
  const admin = await adminFor(relay, host, config, authority, tags, () => current).catch(
    async (error: unknown) => {
      await relay.close();
      throw error;
    },
  );
  const [hasAccess, hasNames] = [config["access-log"], config["log-names"]];
  const log = new Log({ clock, write: out, unread: host.unread, tags, hasAccess, hasNames });
  log.line("info", "listening", startFacts(relay, config, authority, admin));
  stopEarly();
  for (const event of early) log.take(event);
  relay.events.subscribe((event) => log.take(event));
  const reload = (): void => {
    const fresh = readFiles(config, where);
    if ("problems" in fresh) {
      // What was good goes on.
      for (const problem of fresh.problems) err(`tunnel-mcp relay: ${problem}; nothing is changed\n`);
      return;
    }
    current = fresh;
    relay.reload();
    if (authority instanceof StaticAuthority && fresh.tokens !== undefined) authority.replace(fresh.tokens);
    if (authority instanceof ProviderAuthority) authority.recheck();
    log.line("info", "reloaded", { tokens: fresh.tokens?.length, blocked: fresh.blocked.size });
  };
  await untilEnd(host, reload, relay, config["drain-seconds"] * 1_000);
  await admin.close();
  log.line("info", "ended", {});
  log.close();
  return 0;
}

/** Notes on options that are possible, and perhaps not meant. */
function notes(config: RelayConfig, { adminToken }: RelayFiles): readonly string[] {
  const { host } = config["admin-listen"];
  const isOpen = config["token-file"] === undefined && config["auth-url"] === undefined;
  return [
    ...(adminToken === undefined && addressKind(host) !== "loopback"
      ? ["without admin-token-file only health is answered at admin-listen, which is not on loopback"]
      : []),
    ...(isOpen ? ["without token-file and auth-url everybody who reaches the relay may have rooms"] : []),
    ...(config.state === undefined && config.cluster !== undefined
      ? ["without state the history is kept in memory alone"]
      : []),
    ...(config.state === undefined && config.cluster === undefined
      ? ["without state no name outlives a restart, and the history is kept in memory alone"]
      : []),
  ];
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

/** The engine's client is loaded by those who have a cluster alone. */
async function clusterOf(
  { cluster, "node-address": address, "node-tls": tls }: RelayConfig,
  onTrouble: (what: string) => void,
): Promise<RelayOptions["cluster"]> {
  if (cluster === undefined || address === undefined) return undefined;
  const { NatsEngine } = await import("../cluster/nats/nats-engine.ts");
  const engine = await NatsEngine.open({ servers: cluster, name: "tunnel-mcp relay", onTrouble });
  return { engine, address, tls: tls === undefined ? undefined : nodeTls(tls) };
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
    namesPerToken: config["max-names-per-token"],
    inFlight: config["max-in-flight"],
    registrationsPerMinute: config["registrations-per-minute"],
    bytesPerSecond: config["bytes-per-second"],
    requestBytes: config["max-request-bytes"],
    responseBytes: config["max-response-bytes"],
  };
}

/** With a folder for what lasts, the words for tunnels last, too; in a cluster all nodes have the same. */
async function tagsFor({ state }: RelayConfig, { cluster }: Relay): Promise<Tags> {
  if (cluster !== undefined) return new Tags(createHmac("sha256", cluster.key).update(TAGS).digest());
  if (state === undefined) return new Tags(randomBytes(32));
  return new Tags(Buffer.from(await keptSecret(state, "tag-key", process.platform), "base64url"));
}

const TAGS = "tunnel-mcp relay words 1";

function adminFor(
  relay: Relay,
  { env, version }: RelayHost,
  config: RelayConfig,
  authority: Authority,
  tags: Tags,
  files: () => RelayFiles,
): Promise<RunningAdmin> {
  return startAdmin({
    relay,
    version,
    ...config["admin-listen"],
    chosenToken: () => files().adminToken,
    places: tokenPlaces(config.state, env),
    authority,
    address: publicAddress(relay, config),
    tags,
    hasNames: config["log-names"],
  });
}

const schemeOf = (config: RelayConfig): "http" | "https" =>
  config["tls-cert"] === undefined ? "http" : "https";

function publicAddress(relay: Relay, config: RelayConfig): PublicAddress {
  const { host } = config.listen;
  const { domain } = relay.context;
  const listening = listeningAt({ scheme: schemeOf(config), host, port: relay.port, domain });
  return { chosen: config["public-url"], listening, tcpHost: config["tcp-host"] };
}

function startFacts(
  relay: Relay,
  config: RelayConfig,
  { isOpen }: Authority,
  { port, tokenFile }: RunningAdmin,
): Readonly<Record<string, string | boolean | undefined>> {
  return {
    url: `${schemeOf(config)}://${hostForUrl(config.listen.host)}:${relay.port}`,
    domain: relay.context.domain,
    auth: isOpen ? "open" : "tokens",
    keepsNames: relay.context.keepsNames,
    node: relay.cluster === undefined ? undefined : relay.context.node,
    admin: `http://${hostForUrl(config["admin-listen"].host)}:${port}`,
    adminTokenFile: tokenFile,
  };
}
