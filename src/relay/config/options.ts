import { RELAY_LIMITS } from "../limits/limits.ts";
import {
  CLUSTER_SERVERS,
  count,
  DOMAIN,
  HTTP_URL,
  LISTEN,
  NODE_ADDRESS,
  PATH,
  PORTS,
  RANGES,
  SWITCH,
  TEXT,
  type OptionKind,
} from "./kinds.ts";

/** One option of the relay: its flag is its name, its variable `RELAY_` and the name, its key in the file the name. */
export interface RelayOption<T> {
  readonly kind: OptionKind<T>;
  readonly help: string;
  readonly default: T;
  /** Never in the arguments, which other users of a machine can read. */
  readonly isSecret?: true;
}

const given = <T>(option: RelayOption<T>): RelayOption<T> => option;
const maybe = <T>(kind: OptionKind<T>, help: string): RelayOption<T | undefined> => ({
  kind,
  help,
  default: undefined,
});
const secret = (help: string): RelayOption<string | undefined> => ({ ...maybe(TEXT, help), isSecret: true });
const limit = (help: string, value: number, min = 1): RelayOption<number> => ({
  kind: count(min, 1_000_000_000),
  help,
  default: value,
});

/** Every option, written once: flags, variables, the file, the help and the documents come from here. */
export const RELAY_OPTIONS = {
  listen: given({
    kind: LISTEN,
    help: "address for hosts, guests and visitors",
    default: { host: "127.0.0.1", port: 8080 },
  }),
  "admin-listen": given({
    kind: LISTEN,
    help: "address for health, metrics and the operator",
    default: { host: "127.0.0.1", port: 8081 },
  }),
  "public-url": maybe(
    HTTP_URL,
    "address at which hosts and visitors reach it, for the operator's lists; without it the one that each host has dialled",
  ),
  "admin-token": secret(
    "token of the operator, of at least 16 characters; without one a new one lies in a private file on loopback, and elsewhere only health is answered",
  ),
  "admin-token-file": maybe(PATH, "file that holds it"),
  domain: maybe(DOMAIN, "HTTP services are at NAME.DOMAIN; localhost where it listens on loopback alone"),
  state: maybe(PATH, "folder in which names are kept; without it they are forgotten"),
  cluster: maybe(
    CLUSTER_SERVERS,
    "servers of NATS with JetStream that keep the names of many nodes; a login stands before the first host, and then RELAY_CLUSTER is the place for it",
  ),
  "node-address": maybe(
    NODE_ADDRESS,
    "with cluster: where this node listens for other nodes, and for them alone",
  ),
  "node-tls": maybe(
    PATH,
    "folder with ca.pem, node.pem and node-key.pem, for connections between nodes; needed where they are not on loopback",
  ),
  "token-file": maybe(
    PATH,
    "file of tokens (tunnel-mcp relay token create); without it and without auth-url rooms are open to all",
  ),
  "auth-url": maybe(HTTP_URL, "service that is asked about tokens"),
  "auth-secret": secret("sent to that service as X-Relay-Secret"),
  "auth-secret-file": maybe(PATH, "file that holds it"),
  "allow-open-http": given({
    kind: SWITCH,
    help: "HTTP services without a token, for a demo on loopback",
    default: false,
  }),
  "tcp-ports": maybe(PORTS, "ports for TCP services; off by default"),
  "tcp-host": maybe(
    TEXT,
    "name or address at which those ports are reached, if it is another one than the relay's",
  ),
  "trusted-proxy": given({
    kind: RANGES,
    help: "proxies in front whose word on a visitor's address is believed",
    default: [],
  }),
  "proxy-protocol": given({
    kind: SWITCH,
    help: "trusted proxies begin every connection with the PROXY protocol",
    default: false,
  }),
  "tls-cert": maybe(PATH, "certificate chain, read again when it changes; without it TLS is a proxy's job"),
  "tls-key": maybe(PATH, "its key"),
  "block-file": maybe(PATH, "names and token ids that are not served, one a line"),
  "warn-browsers": maybe(
    SWITCH,
    "a warning before the first page of a name; yes where names are open to everybody, else no",
  ),
  "abuse-contact": maybe(TEXT, "address for complaints, shown on the relay's own pages"),
  "drain-seconds": given({
    kind: count(0, 3_600),
    help: "at the end: time for what is under way",
    default: 10,
  }),
  "access-log": given({ kind: SWITCH, help: "log every request and guest", default: false }),
  "log-names": given({ kind: SWITCH, help: "names and addresses in whole in the log", default: false }),
  "max-connections": limit("connections at once", RELAY_LIMITS.connections),
  "max-connections-per-source": limit("the same from one address", RELAY_LIMITS.connectionsPerSource),
  "max-tunnels": limit("tunnels at once", RELAY_LIMITS.tunnels),
  "max-tunnels-per-token": limit("the same with one token", RELAY_LIMITS.tunnelsPerToken),
  "max-names-per-token": limit("names of services of one token, in all", RELAY_LIMITS.namesPerToken),
  "max-in-flight": limit("guests, requests and connections at once of one tunnel", RELAY_LIMITS.inFlight),
  "registrations-per-minute": limit(
    "attempts to register from one address",
    RELAY_LIMITS.registrationsPerMinute,
  ),
  "bytes-per-second": limit(
    "through one tunnel, both ways together; 0 is no limit",
    RELAY_LIMITS.bytesPerSecond,
    0,
  ),
  "max-request-bytes": limit("of a request to an HTTP service; 0 is no limit", RELAY_LIMITS.requestBytes, 0),
  "max-response-bytes": limit(
    "of a response of an HTTP service; 0 is no limit",
    RELAY_LIMITS.responseBytes,
    0,
  ),
} as const;

export type OptionName = keyof typeof RELAY_OPTIONS;
type ValueOf<Option> = Option extends RelayOption<infer T> ? T : never;
/** All options with their values. */
export type RelayConfig = { readonly [Name in OptionName]: ValueOf<(typeof RELAY_OPTIONS)[Name]> };

export const isOptionName = (name: string): name is OptionName => Object.hasOwn(RELAY_OPTIONS, name);
export const OPTION_NAMES: readonly OptionName[] = Object.keys(RELAY_OPTIONS).filter(isOptionName);

/** `RELAY_TOKEN_FILE` for `token-file`. */
export const variableOf = (name: string): string => `RELAY_${name.toUpperCase().replaceAll("-", "_")}`;
