import { BlockList, isIPv4 } from "node:net";
import { labelProblem, shown } from "./names.ts";

/** A name in front of the tunnel's domain, and where the proxy forwards what comes to it. */
export interface Route {
  readonly label: string;
  /** Exactly `scheme://host:port`. */
  readonly upstream: string;
}

/** How the proxy verifies `https` upstreams: it needs one of the two. */
export type UpstreamCas = "none" | "system" | "file";

/** Where upstreams may be: what the proxy allows by itself, or the list that replaces it. */
export interface Reach {
  /** IPv4 addresses and ranges; empty: the private ranges of RFC 1918. */
  readonly allowedIps: readonly string[];
  readonly upstreamCas: UpstreamCas;
}

const PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
const MAX_ROUTES = 100;
const MAX_HOST = 253;
const MAX_PORT = 65_535;
/** A range this wide switches the check off instead of widening it. */
const MIN_PREFIX = 4;

/** `LABEL=scheme://host:port`, as it is typed. @returns a sentence where it is none */
export function parseRoute(typed: string): Route | string {
  const at = typed.indexOf("=");
  if (at < 1) return "a route is NAME=URL, as in wiki=http://wiki:3000";
  const [label, upstream] = [typed.slice(0, at), typed.slice(at + 1)];
  const problem = labelProblem(label) ?? formProblem(upstream);
  return problem === undefined ? { label, upstream } : problem;
}

/** The faults of a set of routes, one sentence each. */
export function routeProblems(routes: readonly Route[], reach: Reach): string[] {
  const labels = routes.map(({ label }) => label);
  const twice = labels.filter((label, at) => labels.indexOf(label) !== at);
  const isTooMany = routes.length > MAX_ROUTES;
  return [
    ...(routes.length === 0 ? ["there is no route"] : []),
    ...(isTooMany ? [`there are more than ${MAX_ROUTES} routes`] : []),
    ...twice.map((label) => `the route ${shown(label)} is there twice`),
    ...routes.slice(0, MAX_ROUTES).flatMap(({ label, upstream }) => {
      const problem = labelProblem(label) ?? formProblem(upstream) ?? reachProblem(upstream, reach);
      return problem === undefined ? [] : [`route ${shown(label)}: ${problem}`];
    }),
  ];
}

const UPSTREAM = /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9](?:[\w.-]*[a-z0-9])?):(\d{1,5})$/i;

function formProblem(upstream: string): string | undefined {
  const [, scheme, host = "", port] = UPSTREAM.exec(upstream) ?? [];
  if (scheme !== undefined) {
    if (scheme !== scheme.toLowerCase()) return "write http or https in small letters";
    if (Number(port) < 1 || Number(port) > MAX_PORT) return `the port is a number from 1 to ${MAX_PORT}`;
    if (host.length > MAX_HOST || host.includes("..")) return "the host is no name";
    return undefined;
  }
  if (!/^https?:\/\//i.test(upstream)) return "the upstream begins with http:// or https://";
  const rest = upstream.replace(/^\w+:\/\//, "");
  if (rest.includes("@")) return "the upstream has a user name or password, which the proxy does not take";
  if (/[/?#]/.test(rest))
    return "the upstream has a path: it is exactly scheme://host:port, and the path belongs into the connector's URL";
  if (!/:\d+$/.test(rest)) return "the upstream has no port: it is exactly scheme://host:port";
  return "the upstream is not exactly scheme://host:port";
}

const LOOPBACK = /^(?:localhost|.*\.localhost|127\..*|0\.0\.0\.0|\[::1?\])$/i;

function reachProblem(upstream: string, { allowedIps, upstreamCas }: Reach): string | undefined {
  const [, scheme, host = ""] = UPSTREAM.exec(upstream) ?? [];
  if (scheme === "https" && upstreamCas === "none")
    return "an https upstream needs certificates to check it by: --upstream-ca system, or --upstream-ca FILE";
  // The short and the numeric forms of an address (127.1, 0x7f000001) read like names.
  const plain = host.startsWith("[") ? host : new URL(`http://${host}`).hostname;
  if (LOOPBACK.test(plain))
    return "the upstream is the loopback of the proxy's own container: give the name of a service in docker-compose.yaml, an address of this machine, or host.docker.internal";
  if (host.startsWith("[")) return "the proxy reaches upstreams over IPv4 only";
  if (!isIPv4(plain)) return undefined;
  if (plain !== host) return `write the address as ${plain}`;
  if (isWithin(host, allowedIps.length === 0 ? PRIVATE_RANGES : allowedIps)) return undefined;
  return allowedIps.length === 0
    ? `${host} is not a private address: allow it with --allow-ip ${host}, which replaces the private ranges`
    : `${host} is not among the addresses of --allow-ip`;
}

/** An IPv4 address, or a range of them such as `10.1.0.0/16`. */
export function rangeProblem(range: string): string | undefined {
  const [address = "", prefix = "32", ...more] = range.split("/");
  if (!isIPv4(address) || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32 || more.length > 0)
    return `${shown(range)} is no IPv4 address or range, such as 203.0.113.7 or 10.1.0.0/16`;
  return Number(prefix) < MIN_PREFIX ? `${range} is too wide: name what the proxy needs to reach` : undefined;
}

function isWithin(address: string, ranges: readonly string[]): boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [base = "", prefix = "32"] = range.split("/");
    if (rangeProblem(range) === undefined) list.addSubnet(base, Number(prefix), "ipv4");
  }
  return list.check(address, "ipv4");
}
