import { must } from "../../errors/must.ts";
import type { ProviderName } from "../../tunnel/registry/registry.ts";

/** The finding of one check. Every problem comes with a fix. */
export type Finding =
  | { readonly level: "ok"; readonly text: string }
  | { readonly level: "warn" | "fail"; readonly text: string; readonly fix: string };

/** The state of the cloudflared program that a tunnel would start. */
export type CloudflaredFact =
  | { readonly state: "verified"; readonly text: string }
  /** Usable, but not a copy whose SHA-256 is pinned. */
  | { readonly state: "unverified"; readonly text: string }
  /** Not there yet; it will be fetched when the first tunnel opens. */
  | { readonly state: "absent"; readonly text: string }
  | { readonly state: "unusable"; readonly text: string; readonly fix: string };

/** The machine and the network, as the doctor uses them. Every method rejects when the thing does not work. */
export interface Probes {
  readonly nodeVersion: string;
  readonly dohEnabled: boolean;
  /** The folder for our copy of cloudflared; undefined when this user has no cache folder. */
  readonly cacheDirectory: string | undefined;
  cloudflared(signal: AbortSignal): Promise<CloudflaredFact>;
  /** Addresses of a name, from the system's resolver. */
  systemLookup(name: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Addresses of a name, over HTTPS from a resolver known by address. */
  dohLookup(name: string, signal: AbortSignal): Promise<readonly string[]>;
  tcpConnect(address: string, port: number, signal: AbortSignal): Promise<void>;
  /** Sends a QUIC packet that any QUIC server answers. */
  quicProbe(address: string, port: number, signal: AbortSignal): Promise<void>;
  /** Listens on the configured address and completes a WebSocket upgrade with itself; resolves to that address. */
  loopback(signal: AbortSignal): Promise<string>;
  /** Whether files may be put into a folder, which need not exist yet. */
  readonly writable: (directory: string) => Promise<void>;
}

export interface Check {
  readonly title: string;
  /** The one provider that needs it; undefined when every tunnel does. */
  readonly neededBy: ProviderName | undefined;
  /** May reject; that is a `fail` without a better explanation. */
  readonly run: (signal: AbortSignal) => Promise<Finding>;
}

/** The name under which Cloudflare's edge takes tunnel connections, and the port, for both TCP and UDP. */
const EDGE_NAME = "region1.v2.argotunnel.com";
const EDGE_PORT = 7844;

const USE_DIRECT = "use TUNNEL_TRANSPORT=direct";

/** Every check, in the order of the report. A fact that several need (the edge's address, both ports) is asked for once. */
export function checksFor(probes: Probes): readonly Check[] {
  const edge = once((signal) => edgeAddress(probes, signal));
  const tcp = once(async (signal) => probes.tcpConnect(await edge(signal), EDGE_PORT, signal));
  const udp = once(async (signal) => probes.quicProbe(await edge(signal), EDGE_PORT, signal));
  return [
    { title: "Node", neededBy: undefined, run: async () => nodeFinding(probes.nodeVersion) },
    {
      title: "cloudflared",
      neededBy: "cloudflared",
      run: async (signal) => cloudflaredFinding(await probes.cloudflared(signal)),
    },
    { title: "System DNS", neededBy: "cloudflared", run: (signal) => systemDnsFinding(probes, signal) },
    { title: "DNS over HTTPS", neededBy: "cloudflared", run: (signal) => dohFinding(probes, signal) },
    {
      title: `TCP ${EDGE_PORT}`,
      neededBy: "cloudflared",
      run: (signal) => tcpFinding(edge, tcp, udp, signal),
    },
    { title: `UDP ${EDGE_PORT}`, neededBy: "cloudflared", run: (signal) => udpFinding(edge, udp, signal) },
    { title: "Local listener", neededBy: undefined, run: (signal) => loopbackFinding(probes, signal) },
    { title: "Cache folder", neededBy: "cloudflared", run: () => cacheFinding(probes) },
  ];
}

type Shared<T> = (signal: AbortSignal) => Promise<T>;

function once<T>(work: Shared<T>): Shared<T> {
  let result: Promise<T> | undefined;
  return (signal) => (result ??= work(signal));
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

async function edgeAddress(probes: Probes, signal: AbortSignal): Promise<string> {
  const lookups = [probes.systemLookup(EDGE_NAME, signal)];
  if (probes.dohEnabled) lookups.push(probes.dohLookup(EDGE_NAME, signal));
  const found = lookups.map(async (lookup) => {
    const [address] = await lookup;
    if (address === undefined) throw new Error("no address");
    return address;
  });
  return Promise.any(found);
}

function nodeFinding(version: string): Finding {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  if (must(major, "Node's major version") > 20 || (major === 20 && must(minor, "Node's minor version") >= 19))
    return { level: "ok", text: version };
  return { level: "fail", text: `${version} is too old`, fix: "install Node 20.19 or newer" };
}

function cloudflaredFinding(fact: CloudflaredFact): Finding {
  switch (fact.state) {
    case "verified":
    case "absent":
      return { level: "ok", text: fact.text };
    case "unverified":
      return {
        level: "warn",
        text: fact.text,
        fix: "check that you trust this program, or unset TUNNEL_CLOUDFLARED to use the verified copy",
      };
    case "unusable":
      return { level: "fail", text: fact.text, fix: fact.fix };
  }
}

async function systemDnsFinding(probes: Probes, signal: AbortSignal): Promise<Finding> {
  if (await succeeds(probes.systemLookup(EDGE_NAME, signal)))
    return { level: "ok", text: `resolves ${EDGE_NAME}` };
  return {
    level: "fail",
    text: `does not resolve ${EDGE_NAME}`,
    fix: `check the network connection and the DNS settings of this machine, or ${USE_DIRECT}`,
  };
}

async function dohFinding(probes: Probes, signal: AbortSignal): Promise<Finding> {
  if (!probes.dohEnabled) {
    return {
      level: "warn",
      text: "switched off, so a new tunnel's name may stay unknown for half an hour",
      fix: "unset TUNNEL_DOH, unless your network forbids it",
    };
  }
  if (await succeeds(probes.dohLookup(EDGE_NAME, signal))) return { level: "ok", text: "answers" };
  return {
    level: "warn",
    text: "no server answers",
    fix: "allow HTTPS to 1.1.1.1 or 8.8.8.8, or set TUNNEL_DOH=off and TUNNEL_SKIP_REACHABILITY_CHECK=1",
  };
}

const EDGE_UNKNOWN: Finding = {
  level: "warn",
  text: "not tested: no address for Cloudflare's edge",
  fix: "fix DNS first, then run doctor again",
};

async function tcpFinding(
  edge: Shared<string>,
  tcp: Shared<void>,
  udp: Shared<void>,
  signal: AbortSignal,
): Promise<Finding> {
  if (!(await succeeds(edge(signal)))) return EDGE_UNKNOWN;
  if (await succeeds(tcp(signal))) return { level: "ok", text: "reaches Cloudflare's edge" };
  if (await succeeds(udp(signal))) {
    return {
      level: "warn",
      text: "blocked; tunnels use UDP and have no way to fall back",
      fix: `allow outgoing TCP ${EDGE_PORT}`,
    };
  }
  return {
    level: "fail",
    text: "blocked, and UDP does not answer either: no tunnel can come up",
    fix: `allow outgoing port ${EDGE_PORT} (TCP or UDP), change the network, or ${USE_DIRECT}`,
  };
}

async function udpFinding(edge: Shared<string>, udp: Shared<void>, signal: AbortSignal): Promise<Finding> {
  if (!(await succeeds(edge(signal)))) return EDGE_UNKNOWN;
  if (await succeeds(udp(signal))) return { level: "ok", text: "reaches Cloudflare's edge" };
  return {
    level: "warn",
    text: "no answer: blocked or dropped; tunnels use TCP instead",
    fix: `allow outgoing UDP ${EDGE_PORT} for a faster connection`,
  };
}

async function loopbackFinding(probes: Probes, signal: AbortSignal): Promise<Finding> {
  try {
    return { level: "ok", text: `accepts a WebSocket on ${await probes.loopback(signal)}` };
  } catch (error) {
    return {
      level: "fail",
      text: `cannot listen and connect here (${reasonOf(error)})`,
      fix:
        reasonOf(error) === "EADDRINUSE"
          ? "close what holds the port in TUNNEL_PORT, or choose another; where it is a tunnel of yours that is open, all is well"
          : "check TUNNEL_BIND and TUNNEL_PORT, and whether a firewall blocks local connections",
    };
  }
}

const CACHE_FIX = "make it writable for your user, or set TUNNEL_CLOUDFLARED to a cloudflared you installed";

async function cacheFinding({ cacheDirectory, writable }: Probes): Promise<Finding> {
  if (cacheDirectory === undefined) return { level: "fail", text: "no home folder is known", fix: CACHE_FIX };
  try {
    await writable(cacheDirectory);
    return { level: "ok", text: `writable: ${cacheDirectory}` };
  } catch (error) {
    return { level: "fail", text: `not writable: ${cacheDirectory} (${reasonOf(error)})`, fix: CACHE_FIX };
  }
}

/** A check that only another provider needs does not fail this machine. */
export function weigh(finding: Finding, check: Check, transport: ProviderName): Finding {
  if (finding.level !== "fail" || check.neededBy === undefined || check.neededBy === transport)
    return finding;
  return { ...finding, level: "warn", fix: `not needed for ${transport} tunnels; otherwise: ${finding.fix}` };
}

/** The code of a system error, else the kind of error: short, and free of anything a peer said. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
