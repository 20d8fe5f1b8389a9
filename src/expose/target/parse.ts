import { isIP } from "node:net";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { hostForUrl } from "../../net/address.ts";
import { ipLiteral } from "../../net/address.ts";

/** A service that listens somewhere, as it was named. It has not been looked for yet. */
export interface ServiceTarget {
  readonly kind: "service";
  readonly scheme: "http" | "https";
  /** A name in lower case, or an IP literal without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A folder of files, as it was named: relative to the working directory, or absolute. */
interface FolderTarget {
  readonly kind: "folder";
  readonly path: string;
}

export type Target = ServiceTarget | FolderTarget;

const ACCEPTED =
  "use a port (3000), localhost:3000, http://localhost:3000, https://localhost:3000, or a folder (./dist)";

const MAX_PORT = 65_535;
const MAX_CHARS = 4_096;
/** RFC 1035 §2.3.4, without the dot of the root. */
const MAX_HOST_CHARS = 253;

/** The whole of what may be given: nothing is decoded, so that nothing can mean something else to whoever dials it. */
const SERVICE =
  /^(?:(https?):\/\/)?(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?)?(?::(\d+))?(\/?)$/i;
const DRIVE = /^[a-z]:(?:[\\/]|$)/i;

/**
 * A target as an agent or a person types it. A port that stands alone is one of this machine; `https://` is only assumed where it
 * is written.
 * @throws {TunnelError} expose-target-invalid, which never repeats the text: it may hold a password
 */
export function parseTarget(typed: string | number): Target {
  if (typeof typed === "number") return service("http", "localhost", portOf(String(typed)));
  const text = typed.replace(/^ +| +$/g, "");
  const problem = textProblem(text);
  if (problem !== undefined) throw invalid(problem);
  if (/^\d+$/.test(text)) return service("http", "localhost", portOf(text));
  return isFolder(text) ? { kind: "folder", path: text } : parseService(text);
}

function parseService(text: string): ServiceTarget {
  const [, scheme, host, port, slash] = SERVICE.exec(text) ?? [];
  const isWhole = host === undefined ? scheme === undefined && port !== undefined : true;
  if (slash === undefined || !isWhole) throw invalid(reasonAgainst(text));
  if (port === undefined && scheme === undefined) throw invalid(BARE_NAME);
  const known = scheme?.toLowerCase() === "https" ? "https" : "http";
  const named = hostOf(host ?? "localhost");
  const local = EVERY_ADDRESS.has(named) ? "localhost" : named;
  return service(known, local, port === undefined ? DEFAULT_PORT[known] : portOf(port));
}

/** Dev servers that listen on every address print it so. As an address to dial it means this machine. */
const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

const DEFAULT_PORT = { http: 80, https: 443 } as const;
const BARE_NAME = "add the port, as in localhost:3000; a folder is written with a slash, as in ./dist";

/** One spelling for each target, to be shown and compared: `3000` and `http://localhost:3000/` are the same. */
export function targetName(target: Target, protocol: "http" | "tcp" = "http"): string {
  if (target.kind === "folder") return target.path;
  if (protocol === "http") return `${target.scheme}://${authorityOf(target)}`;
  const { host, port } = target;
  return `tcp://${hostForUrl(host)}:${port}`;
}

/** As in a `Host` field: the port is left out where the scheme implies it. */
export function authorityOf({ scheme, host, port }: ServiceTarget): string {
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return port === DEFAULT_PORT[scheme] ? name : `${name}:${port}`;
}

/**
 * A `Host` that the service is to see instead of its own.
 * @throws {TunnelError} input-invalid
 */
export function parseHostHeader(typed: string): string {
  const [, scheme, host, port, slash] = SERVICE.exec(typed) ?? [];
  if (scheme === undefined && host !== undefined && slash === "" && isAuthority(host, port))
    return port === undefined ? host : `${host}:${port}`;
  throw new TunnelError("input-invalid", {
    detail: "hostHeader must be a host name, with a port if need be, as in app.test or app.test:8080",
  });
}

function isAuthority(host: string, port: string | undefined): boolean {
  try {
    hostOf(host);
    if (port !== undefined) portOf(port);
    return true;
  } catch (error) {
    if (error instanceof TunnelError) return false;
    throw error;
  }
}

/**
 * A host in the one form in which it is compared: lower case, no brackets, no dot at the end, IPv6 in its shortest spelling and
 * IPv4-mapped addresses as IPv4. @throws {TunnelError} expose-target-invalid
 */
export function hostOf(typed: string): string {
  const bare = typed.replace(/^\[|\]$/g, "").toLowerCase();
  if (typed.startsWith("[") && isIP(bare) !== 6) throw invalid("between [ and ] stands an IPv6 address");
  const literal = ipLiteral(bare);
  if (literal !== undefined) return literal;
  const name = bare.replace(/\.$/, "");
  // Resolvers read 127.1, 2130706433, 0x7f000001 and 0177.0.0.1 as addresses, each in its own way (RFC 3986 §7.4).
  if (/^(?:0x[0-9a-f]*|\d+)$/.test(name.split(".").at(-1) ?? ""))
    throw invalid(
      "write an IP address in full, with four numbers and without leading zeros, as in 127.0.0.1",
    );
  if (name.length > MAX_HOST_CHARS || name.split(".").some((label) => label === "" || label.length > 63))
    throw invalid("this is no host name");
  return name;
}

/** Whether a name is this machine by definition, whatever a resolver says (RFC 6761 §6.3). */
export function isLocalName(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}

/** @throws {TunnelError} expose-target-invalid */
export function portOf(digits: string): number {
  const port = /^[1-9]\d{0,4}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(port <= MAX_PORT)) throw invalid("a port is a whole number from 1 to 65535, without leading zeros");
  return port;
}

function service(scheme: ServiceTarget["scheme"], host: string, port: number): ServiceTarget {
  return { kind: "service", scheme, host, port };
}

function textProblem(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (text.length > MAX_CHARS) return "it is too long";
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(text)) return "it contains control or invisible characters";
  return undefined;
}

/** A path says that it is one: by where it begins, or by a separator in it that no address has. */
function isFolder(text: string): boolean {
  if (/^\.{1,2}(?:$|[\\/])|^[\\/]|^~/.test(text) || DRIVE.test(text)) return true;
  if (/[?#@:[\]]/.test(text)) return false;
  const [first = "", ...rest] = text.split(/[\\/]/);
  return rest.length > 0 && !isLocalName(first.toLowerCase()) && isIP(first) === 0;
}

const OTHER_SCHEME =
  /^(?!https?:)(?:[a-z][a-z0-9+.-]*:\/\/|(?:about|blob|data|file|javascript|mailto|unix):)/i;

function reasonAgainst(text: string): string {
  if (OTHER_SCHEME.test(text)) return "only http:// and https:// can be exposed, or a folder by its path";
  const rest = text.replace(/^https?:\/\//i, "");
  if (rest.includes("@")) return "leave out the user name and the password";
  if (/[^\x21-\x7e]/.test(rest)) return "write the host in ASCII and without spaces";
  if (/^[^/?#\\]+[/?#]/.test(rest))
    return "leave out what follows the port: the service is exposed as a whole, and openPaths opens single paths";
  return rest.includes(":") ? ACCEPTED : BARE_NAME;
}

function invalid(detail: string): TunnelError {
  return new TunnelError("expose-target-invalid", { detail });
}
