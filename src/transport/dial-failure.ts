import type { IncomingMessage } from "node:http";
import { addressKind } from "../net/address.ts";
import { must } from "../errors/must.ts";
import { TunnelError, type ErrorCode } from "../errors/tunnel-error.ts";

/** The kinds of failures of a dial that say different things. */
type Kind =
  /** Nobody listens on that port. */
  | "refused"
  | "name-unknown"
  /** TLS: a certificate that does not vouch for the name, or no TLS at all. */
  | "untrusted"
  /** The connection broke on its way. */
  | "cut"
  /** No route, no answer, garbage, and whatever has no name here. */
  | "unreached"
  /** HTTP 404 and 410. */
  | "absent"
  /** HTTP 429. */
  | "busy"
  /** HTTP 5xx. */
  | "failing"
  /** Every other HTTP answer. */
  | "foreign";

interface Meaning {
  readonly code: ErrorCode;
  /** Addresses of this kind say with it that the host's process is no more. The other ones never do. */
  readonly isGone?: "direct";
  /** It has turned this source away for now (A3), and that says nothing of the member's session. */
  readonly isBusy?: true;
  /** Whether somebody who joins tries on for a while: with every address, or where it is not a direct one. */
  readonly mayPass: "always" | "public" | "never";
}

/**
 * The meaning of each failure, by the kind of the address: the table of PROTOCOL D9. A direct address is that of the host's own socket:
 * who refuses there, or has no such path, is the machine on which the host should run. Behind a public name are resolvers,
 * a member's own network with its captive portals and filters, and an edge that has lost its tunnel for now; all of these
 * give any of these answers while the host is well.
 */
const MEANINGS: Readonly<Record<Kind, Meaning>> = {
  refused: { code: "host-unreachable", isGone: "direct", mayPass: "public" },
  "name-unknown": { code: "host-name-unknown", mayPass: "always" },
  untrusted: { code: "host-unreachable", mayPass: "never" },
  cut: { code: "host-unreachable", mayPass: "always" },
  unreached: { code: "host-unreachable", mayPass: "public" },
  absent: { code: "tunnel-gone", isGone: "direct", mayPass: "public" },
  busy: { code: "host-unreachable", isBusy: true, mayPass: "always" },
  // Also a portal that asks for a login with status 511.
  failing: { code: "host-unreachable", mayPass: "always" },
  foreign: { code: "not-a-tunnel", mayPass: "never" },
};

const NAME_ERRORS = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_NONAME", "ENODATA"]);
const CUT_ERRORS = new Set(["ECONNRESET", "EPIPE"]);
/** As Node's TLS calls them. */
const TLS_ERROR =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|CRL_|EPROTO$|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH$)/;

/** Why a connection could not be made, and what that says. */
export interface DialFailure {
  readonly error: TunnelError;
  /** The host's process is no more, as far as this answer can tell. */
  readonly isGone: boolean;
  readonly isBusy: boolean;
  /** Whether it is worth while to go on trying to join. */
  readonly mayPass: boolean;
}

/** An address that must not be dialled: nothing of it will change. */
export function forbidden(error: TunnelError): DialFailure {
  return { error, isGone: false, isBusy: false, mayPass: false };
}

/** A dial that failed before anybody answered it. */
export function failureOf(origin: string, error: Error): DialFailure {
  // The lookup has refused the address itself, or it is the proxy that fails.
  if (error instanceof TunnelError) return { ...forbidden(error), mayPass: error.retryable };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const kind = kindOf(code);
  // A name that nobody knows says all there is to say.
  const detail = code === undefined || kind === "name-unknown" ? {} : { detail: code };
  return meant(origin, kind, (meaning) => new TunnelError(meaning, { ...detail, cause: error }));
}

/** An answer that is no WebSocket; its body is never read. */
export function refusalOf(origin: string, response: IncomingMessage): DialFailure {
  const status = must(response.statusCode, "the status of a response");
  return meant(origin, kindOfStatus(status), (code) => new TunnelError(code, { detail: `HTTP ${status}` }));
}

function kindOf(code: string | undefined): Kind {
  if (code === undefined) return "unreached";
  if (code === "ECONNREFUSED") return "refused";
  if (NAME_ERRORS.has(code)) return "name-unknown";
  if (CUT_ERRORS.has(code)) return "cut";
  return TLS_ERROR.test(code) ? "untrusted" : "unreached";
}

function kindOfStatus(status: number): Kind {
  if (status === 404 || status === 410) return "absent";
  if (status === 429) return "busy";
  return status >= 500 ? "failing" : "foreign";
}

function meant(origin: string, kind: Kind, make: (code: ErrorCode) => TunnelError): DialFailure {
  const { code, isGone, isBusy = false, mayPass } = MEANINGS[kind];
  const isDirect = isDirectAddress(origin);
  return {
    error: make(code),
    isGone: isGone === "direct" && isDirect,
    isBusy,
    mayPass: mayPass === "always" || (mayPass === "public" && !isDirect),
  };
}

/** Whether nobody stands between it and the host: a literal address, this machine, or a link without TLS, which no edge gives out. */
export function isDirectAddress(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  const isLocal = hostname === "localhost" || hostname.endsWith(".localhost");
  return protocol === "ws:" || isLocal || addressKind(hostname) !== undefined;
}
