import { nearest } from "../errors/nearest.ts";
import { domainProblem, labelOf, shown } from "./names.ts";
import { rangeProblem, routeProblems, type Reach, type Route, type UpstreamCas } from "./routes.ts";
import { isYamlProblem, readYaml, type YamlMap, type YamlValue } from "./yaml.ts";

/** The proxy's own file (`config/mcp-proxy.yaml`), as far as it varies. */
export interface ProxyFile extends Reach {
  readonly domain: string;
  readonly routes: readonly Route[];
}

/** Paths inside the proxy's container. */
export const CONTAINER = {
  config: "/config/mcp-proxy.yaml",
  cert: "/data/tls.crt",
  key: "/data/tls.key",
  upstreamCa: "/data/upstream-ca.crt",
} as const;
/** Where cloudflared hands over what comes. */
export const LISTEN_PORT = 8080;

const TOP = ["listen_addr", "log_level", "shutdown_timeout", "tunnel_domain", "tls", "routes", "upstream"];
const CA_LINES: Readonly<Record<UpstreamCas, string>> = {
  none: "",
  system: "  tls:\n    include_system_cas: true\n",
  file: `  tls:\n    ca_file: ${CONTAINER.upstreamCa}\n`,
};

export function renderProxyFile({ domain, routes, allowedIps, upstreamCas }: ProxyFile): string {
  const allowed =
    allowedIps.length === 0 ? "" : `  allowed_ips:\n${allowedIps.map((ip) => `    - ${ip}\n`).join("")}`;
  const upstream = allowed + CA_LINES[upstreamCas];
  return `# The proxy reads this once: after a change, docker compose restart mcp-proxy
listen_addr: ":${LISTEN_PORT}"
log_level: info
shutdown_timeout: 30s
tunnel_domain: ${domain}
tls:
  cert_file: ${CONTAINER.cert}
  key_file: ${CONTAINER.key}
routes:
${routes.map(({ label, upstream: url }) => `  ${label}: ${url}\n`).join("")}${upstream === "" ? "" : `upstream:\n${upstream}`}`;
}

/** A proxy file that somebody may have changed. `file` is undefined where it cannot be read at all. */
export interface ReadProxyFile {
  readonly file: ProxyFile | undefined;
  /** Its faults, one sentence each. */
  readonly problems: readonly string[];
}

export function readProxyFile(text: string): ReadProxyFile {
  const map = readYaml(text);
  if (isYamlProblem(map)) return { file: undefined, problems: [`line ${map.line}: ${map.why}`] };
  const routes = map.get("routes");
  if (Array.isArray(routes))
    return {
      file: undefined,
      problems: ["routes is a list: it is a map of lines such as `wiki: http://wiki:3000`, without dashes"],
    };
  const upstream = mapIn(map, "upstream");
  const tls = mapIn(upstream, "tls");
  const domain = textIn(map, "tunnel_domain");
  const allowed = upstream.get("allowed_ips");
  const allowedIps = Array.isArray(allowed) ? allowed.map(String) : [];
  const hasFile = textIn(tls, "ca_file") !== "";
  const isSystem = textIn(tls, "include_system_cas") === "true";
  const file: ProxyFile = {
    domain,
    routes: [...mapIn(map, "routes")].map(([key, url]) => ({
      label: labelOf(key, domain),
      upstream: typeof url === "string" ? url : "",
    })),
    allowedIps,
    upstreamCas: hasFile ? "file" : isSystem ? "system" : "none",
  };
  return { file, problems: [...formProblems(map, upstream), ...problemsOf(file)] };
}

/** The faults of the values. */
export function problemsOf(file: ProxyFile): string[] {
  const domain = domainProblem(file.domain);
  return [
    ...(domain === undefined ? [] : [`tunnel_domain: ${domain}`]),
    ...file.allowedIps.map(rangeProblem).filter((problem) => problem !== undefined),
    ...routeProblems(file.routes, file),
  ];
}

function formProblems(map: YamlMap, upstream: YamlMap): string[] {
  const tls = mapIn(map, "tls");
  const expected: readonly (readonly [string, string, string])[] = [
    ["listen_addr", textIn(map, "listen_addr"), `:${LISTEN_PORT}`],
    ["tls.cert_file", textIn(tls, "cert_file"), CONTAINER.cert],
    ["tls.key_file", textIn(tls, "key_file"), CONTAINER.key],
  ];
  const isOff = textIn(upstream, "disable_ip_validation") === "true";
  return [
    ...[...map.keys()]
      .filter((key) => !TOP.includes(key))
      .map((key) => {
        const meant = nearest(key, TOP);
        return `unknown name ${shown(key)}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
      }),
    ...expected.flatMap(([name, is, wanted]) =>
      is === wanted ? [] : [`${name} is not ${wanted}, which docker-compose.yaml counts on`],
    ),
    ...(isOff && upstream.has("allowed_ips")
      ? ["upstream.allowed_ips and upstream.disable_ip_validation exclude each other"]
      : []),
  ];
}

function mapIn(map: YamlMap, key: string): YamlMap {
  const value: YamlValue | undefined = map.get(key);
  return value instanceof Map ? value : new Map();
}

function textIn(map: YamlMap, key: string): string {
  const value = map.get(key);
  return typeof value === "string" ? value : "";
}

/** Where the proxy forwards a request for this host: an exact hostname wins, then the label. */
export function upstreamFor(host: string, { routes, domain }: ProxyFile): string | undefined {
  return routes.find(({ label }) => `${label}.${domain}` === host)?.upstream;
}
