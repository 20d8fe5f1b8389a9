/**
 * From what a person sees to its cause and fix. Lines are only looked at: no part of them is shown or kept, since a log may hold
 * anything.
 */

export interface Symptom {
  readonly id: string;
  /** The sign: words of a log, or of a person. */
  readonly seen: string;
  readonly pattern: RegExp;
  readonly cause: string;
  readonly fix: string;
  readonly isHarmless?: true;
}

/** A status, not a port, an address or a time. */
const status = (code: number): RegExp =>
  new RegExp(String.raw`status"?\s*[:=]\s*"?${code}\b|(?<![\d.:-])${code}(?![\d.:]|\s?ms)`, "i");

const RESTART = "docker compose restart mcp-proxy";

/** The first one that fits a line counts, so the narrower ones come first. */
const SYMPTOMS: readonly Symptom[] = [
  {
    id: "no-ingress",
    seen: "No ingress rules were defined",
    pattern: /no ingress rules were defined/i,
    cause: "cloudflared lacks --url or the proxy's network; callers get 500 or 503",
    fix: "give it --url http://localhost:8080 and network_mode: service:mcp-proxy; then docker compose up -d",
  },
  {
    id: "routes-list",
    seen: "cannot unmarshal !!seq into map[string]string",
    pattern: /cannot unmarshal !!seq into map\[string\]string/i,
    cause: "routes in config/mcp-proxy.yaml is a list",
    fix: `write lines \`name: http://host:port\`, without dashes; then ${RESTART}`,
  },
  {
    id: "upstream-form",
    seen: "invalid upstream (must be scheme://host:port)",
    pattern: /invalid upstream/i,
    cause: "an upstream in routes has a path, or no port",
    fix: `write exactly scheme://host:port; the path belongs into the connector's URL; then ${RESTART}`,
  },
  {
    id: "key-unreadable",
    seen: "open /data/tls.key: permission denied",
    pattern: /open \S*tls\.key\S*: permission denied/i,
    cause: "the proxy runs as user 65532 and may not read the key",
    fix: `chmod 644 data/tls.key; then ${RESTART}`,
  },
  {
    id: "no-route",
    seen: "no route for host (callers: 502 No route configured for host)",
    pattern: /no route (?:configured )?for host/i,
    cause: "tunnel_domain or the route is wrong, or the file was changed without a restart",
    fix: `compare tunnel_domain and routes in config/mcp-proxy.yaml with the Console; then ${RESTART}`,
  },
  {
    id: "unknown-ca",
    seen: "tls handshake failed … unknown certificate authority",
    pattern: /tls handshake failed.*unknown (?:certificate )?authority|tls: unknown certificate authority/i,
    cause: "the CA is not registered for this tunnel, or was revoked",
    fix: "in the Console: Certificates > Add certificate, data/ca.crt, until it is Active",
  },
  {
    id: "bad-certificate",
    seen: "tls handshake failed … bad certificate",
    pattern: /tls handshake failed.*bad certificate|tls: (?:bad|expired) certificate/i,
    cause: "the proxy's certificate has ended, or does not name this host",
    fix: "anthropic-tunnel check says which; renew --force makes a new one",
  },
  {
    id: "address-refused",
    seen: "IP validation failed: ADDRESS is not a private address",
    pattern: /ip validation failed|is not a private address/i,
    cause: "the proxy may reach private addresses alone by default, and never 127.0.0.1",
    fix: `give the upstream a private address, or anthropic-tunnel init --allow-ip ADDRESS, which replaces those; then ${RESTART}`,
  },
  {
    id: "host-refused",
    seen: "connection refused, with host.docker.internal",
    pattern: /host\.docker\.internal.*connection refused|connection refused.*host\.docker\.internal/i,
    cause: "Docker runs rootless, or the server listens on 127.0.0.1 alone",
    fix: "run the server as a service in docker-compose.yaml, with that name as the upstream's host",
  },
  {
    id: "receive-buffer",
    seen: "failed to sufficiently increase receive buffer size",
    pattern: /failed to sufficiently increase receive buffer size/i,
    cause: "cloudflared gets a smaller buffer than it asks for",
    fix: "nothing: it is harmless",
    isHarmless: true,
  },
  {
    id: "ten-tunnels",
    seen: "Organization already has the maximum of 10 non-archived Tunnels",
    pattern: /maximum of \d+ non-archived tunnels/i,
    cause: "an organisation has ten tunnels at most",
    fix: "in the Console: archive one (its name never comes back), or use one",
  },
  {
    id: "wrong-version",
    seen: "wrong version number, from curl",
    pattern: /wrong version number/i,
    cause: "curl does not speak what the proxy takes",
    fix: "nothing: try it from Anthropic's side",
    isHarmless: true,
  },
  {
    id: "picker",
    seen: "the tunnel is missing in the agent's picker",
    pattern: /picker|tunnel (?:is )?(?:missing|not (?:shown|listed|offered))/i,
    cause: "it has no active certificate, or belongs to another workspace or product",
    fix: "in the Console: check the certificate's status and the workspace; tunnels of the Console do not serve claude.ai, nor the reverse, and no log shows that",
  },
  {
    id: "oauth",
    seen: "the sign-in page does not load, or the token exchange fails",
    pattern:
      /sign-?in page|token exchange|\/(?:authorize|token|register)\b.*(?:fail|error|\b40\d\b|\b502\b)/i,
    cause:
      "a browser loads /authorize, but Anthropic calls /token, /register and the metadata through the tunnel",
    fix: "serve /authorize on a public name, the rest on a route such as auth; the token endpoint is under the tunnel's domain or on /authorize's origin",
  },
  {
    id: "bare-404",
    seen: "404 for the bare hostname",
    pattern: status(404),
    cause: "the path is missing in the connector's URL, or the server listens on another one",
    fix: "use https://NAME.DOMAIN/mcp, with your server's path",
  },
  {
    id: "no-effect",
    seen: "a change of config/mcp-proxy.yaml has no effect",
    pattern: /no effect|(?:edit|change)\w*\b.*\b(?:ignored|not (?:applied|picked up))/i,
    cause: "the proxy reads its file once; it watches the certificate alone",
    fix: `${RESTART} (docker compose up -d is not enough)`,
  },
];

const NOT_REGISTERED: Symptom = {
  id: "not-registered",
  seen: "502, and the proxy logs no `request started`",
  pattern: status(502),
  cause: "the request never reached the proxy: cloudflared has not registered yet",
  fix: "wait for four lines `Registered tunnel connection`; else check the token in .env and port 7844 (TCP or UDP), then docker compose up -d",
};

/** Everything that can be told, for a person without a log. */
export const ALL_SYMPTOMS: readonly Symptom[] = [...SYMPTOMS, NOT_REGISTERED];

/** Connections that cloudflared makes when all is well. */
export const CONNECTIONS = 4;

export interface Diagnosis {
  readonly lines: number;
  readonly found: readonly { readonly symptom: Symptom; readonly count: number; readonly line: number }[];
  /** Lines `route configured` of the proxy, and `Registered tunnel connection` of cloudflared. */
  readonly routes: number;
  readonly connections: number;
}

/** Longer lines are looked at up to here. */
const MAX_LINE = 16_384;

/** Reads a log, line by line. */
export class LogMatcher {
  readonly #found = new Map<Symptom, { count: number; line: number }>();
  #lines = 0;
  #routes = 0;
  #connections = 0;
  #hasStarted = false;

  read(whole: string): void {
    const line = whole.slice(0, MAX_LINE);
    this.#lines += 1;
    if (/\broute configured\b/i.test(line)) this.#routes += 1;
    if (/registered tunnel connection/i.test(line) && !/unregistered/i.test(line)) this.#connections += 1;
    if (/request started/i.test(line)) this.#hasStarted = true;
    const symptom = ALL_SYMPTOMS.find(({ pattern }) => pattern.test(line));
    if (symptom === undefined) return;
    const before = this.#found.get(symptom) ?? { count: 0, line: this.#lines };
    this.#found.set(symptom, { ...before, count: before.count + 1 });
  }

  diagnosis(): Diagnosis {
    const found = [...this.#found]
      .filter(([symptom]) => symptom !== NOT_REGISTERED || !this.#hasStarted)
      .map(([symptom, { count, line }]) => ({ symptom, count, line }));
    return { lines: this.#lines, found, routes: this.#routes, connections: this.#connections };
  }
}
