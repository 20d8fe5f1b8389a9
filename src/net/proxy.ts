import type { Agent } from "node:http";
import { BlockList, isIP } from "node:net";
import { HttpsProxyAgent } from "https-proxy-agent";
import { TunnelError } from "../errors/tunnel-error.ts";
import { addressKind } from "./address.ts";
import type { Trust } from "./trust.ts";

/**
 * The agent that takes a request through the proxy that the environment names for its URL, by CONNECT; `undefined` where the
 * URL is dialled directly.
 * @throws {TunnelError} proxy-invalid
 */
export type ProxyAgents = (url: URL) => Agent | undefined;

type Variables = Readonly<Record<string, string | undefined>>;

/** Without a proxy, whatever the environment says. */
export const NO_PROXIES: ProxyAgents = () => undefined;

/**
 * Proxies as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name them, lower case first, as curl does. A
 * loopback address is never given to a proxy: it means this machine.
 */
export function proxyAgents(env: Variables, trust: Trust): ProxyAgents {
  const isExempt = exemptions(variable(env, "no_proxy")?.value ?? "");
  return (url) => {
    const isSecure = url.protocol === "wss:" || url.protocol === "https:";
    const named = variable(env, isSecure ? "https_proxy" : "http_proxy") ?? variable(env, "all_proxy");
    const host = bareHost(url.hostname);
    const port = url.port || (isSecure ? "443" : "80");
    if (named === undefined || isLoopback(host) || isExempt(host, port)) return undefined;
    const proxy = proxyUrl(named);
    return new ProxyAgent(proxy, proxy.protocol === "https:" ? { secureContext: trust() } : {});
  };
}

/** The name of the variable that names a proxy for public addresses, where there is one. */
export function proxyVariable(env: Variables): string | undefined {
  return (variable(env, "https_proxy") ?? variable(env, "all_proxy"))?.name;
}

interface Named {
  readonly name: string;
  readonly value: string;
}

function variable(env: Variables, lower: string): Named | undefined {
  for (const name of [lower, lower.toUpperCase()]) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== "") return { name, value };
  }
  return undefined;
}

/** `host:port` stands for `http://host:port`, as everywhere. The value itself may hold a password, so no error quotes it. */
function proxyUrl({ name, value }: Named): URL {
  const text = value.includes("://") ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isKnown = url?.protocol === "http:" || url?.protocol === "https:";
  if (url === undefined || !isKnown || url.hostname === "")
    throw new TunnelError("proxy-invalid", {
      detail: `${name} must be http://HOST:PORT or https://HOST:PORT`,
    });
  return url;
}

/** Tells the outcome of CONNECT apart from an answer of the address itself. */
class ProxyAgent extends HttpsProxyAgent<string> {
  override async connect(
    ...[request, options]: Parameters<HttpsProxyAgent<string>["connect"]>
  ): ReturnType<HttpsProxyAgent<string>["connect"]> {
    let status = 0;
    request.once("proxyConnect", (answer: { statusCode: number }) => (status = answer.statusCode));
    try {
      const socket = await super.connect(request, options);
      if (status === 200) return socket;
      socket.destroy();
    } catch (error) {
      throw new TunnelError("proxy-unreachable", { ...codeOf(error), cause: error });
    }
    const code = status === 407 ? "proxy-auth" : "proxy-refused";
    throw new TunnelError(code, { detail: `HTTP ${status}` });
  }
}

function codeOf(error: unknown): { detail?: string } {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? { detail: code } : {};
}

const bareHost = (hostname: string): string =>
  hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();

function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || addressKind(host) === "loopback";
}

/**
 * The rules of NO_PROXY: `*`, a name with all below it (`example.com`, `.example.com`, `*.example.com`), an address, or a
 * range of them (`10.0.0.0/8`); each with `:port` if it is for that port alone. What is none of these exempts nothing.
 */
function exemptions(list: string): (host: string, port: string) => boolean {
  const rules = list.split(/[\s,]+/).filter((rule) => rule !== "");
  return (host, port) => rules.some((rule) => exempts(rule.toLowerCase(), host, port));
}

function exempts(rule: string, host: string, port: string): boolean {
  if (rule === "*") return true;
  const [, name = "", onlyPort] = /^(\[[^\]]+\]|[^:]+|.*:.*:.*?)(?::(\d{1,5}))?$/.exec(rule) ?? [];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  const bare = bareHost(name).replace(/^\*?\./, "");
  const [range, prefix] = bare.split("/");
  if (range !== undefined && isIP(range) !== 0) return isWithin(host, range, prefix);
  return bare !== "" && (host === bare || host.endsWith(`.${bare}`));
}

function isWithin(host: string, range: string, prefix: string | undefined): boolean {
  const [family, most] = isIP(range) === 4 ? (["ipv4", 32] as const) : (["ipv6", 128] as const);
  const bits = Number(prefix ?? most);
  if (isIP(host) !== isIP(range) || !Number.isInteger(bits) || bits < 0 || bits > most) return false;
  const list = new BlockList();
  list.addSubnet(range, bits, family);
  return list.check(host, family);
}
