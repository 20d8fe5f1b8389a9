import { UPLINK } from "../../uplink/limits.ts";
import type { Trial } from "../../tunnel/relay/trial.ts";
import type { Check, Finding } from "./checks.ts";

/** A relay as it is seen from here. */
export interface RelayProbes {
  readonly origin: URL;
  /** Whether a token is set. */
  readonly hasToken: boolean;
  /** The fault of the certificate in TUNNEL_RELAY_CA, to follow its name. */
  readonly caProblem: string | undefined;
  now(): number;
  /** One plain request. Rejects with the code of a system or TLS error where no answer comes. */
  visit(signal: AbortSignal): Promise<RelayVisit>;
  /** Registers, but claims nothing. */
  trial(signal: AbortSignal): Promise<Trial>;
}

export interface RelayVisit {
  /** By the relay's clock, or that of a proxy in front; undefined where it does not tell. */
  readonly time: number | undefined;
  /** When its certificate ends; undefined without TLS. */
  readonly certificateEnds: number | undefined;
}

const SOON_MS = 14 * 86_400_000;
const SKEW_MS = 60_000;

const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH$|EPROTO$)/;

type Shared<T> = (signal: AbortSignal) => Promise<T>;

/** A visit that came to an answer, or the code of its failure. */
type Visited = { readonly visit: RelayVisit } | { readonly code: string };

/** The checks of a relay, from the address to the token; each goes as far as those before it let it. */
export function relayChecks(probes: RelayProbes): readonly Check[] {
  const visited = once(async (signal): Promise<Visited> => {
    try {
      return { visit: await probes.visit(signal) };
    } catch (error) {
      return { code: codeOf(error) };
    }
  });
  const tried = once((signal) => probes.trial(signal));
  const check = (title: string, run: Check["run"]): Check => ({ title, neededBy: "relay", run });
  return [
    check("Relay", async (signal) => reachFinding(probes, await visited(signal))),
    check("Relay certificate", async (signal) => certificateFinding(probes, await visited(signal))),
    check("Relay clock", async (signal) => clockFinding(probes, await visited(signal))),
    check("Relay WebSocket", async (signal) => socketFinding(await tried(signal))),
    check("Relay version", async (signal) => versionFinding(await tried(signal))),
    check("Relay token", async (signal) => tokenFinding(probes, await tried(signal))),
  ];
}

function once<T>(work: Shared<T>): Shared<T> {
  let result: Promise<T> | undefined;
  return (signal) => (result ??= work(signal));
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

const untested = (what: string): Finding => ({
  level: "warn",
  text: `not tested: ${what}`,
  fix: "mend that first, then run doctor again",
});

const WHY: Readonly<Record<string, string>> = {
  ENOTFOUND: "check the name in TUNNEL_RELAY, and that it has an address in DNS",
  EAI_AGAIN: "check the network connection and the DNS settings of this machine",
  ECONNREFUSED: "start the relay or the proxy in front of it, and check the port in TUNNEL_RELAY",
  ECONNRESET: "check that the scheme in TUNNEL_RELAY is right: https for TLS, http without",
  EHOSTUNREACH: "check the network connection, and the address in TUNNEL_RELAY",
  ENETUNREACH: "check the network connection",
  "proxy-unreachable": "check the proxy in HTTPS_PROXY or HTTP_PROXY, or name the relay in NO_PROXY",
  "proxy-refused": "let the proxy connect to the relay, or name the relay in NO_PROXY",
  "proxy-auth": "put user and password into HTTPS_PROXY",
};

function reachFinding({ origin }: RelayProbes, visited: Visited): Finding {
  if ("visit" in visited) return { level: "ok", text: `${origin.origin} answers` };
  const { code } = visited;
  if (TLS_CODE.test(code)) return { level: "ok", text: `${origin.origin} is there` };
  return {
    level: "fail",
    text: `${origin.origin} does not answer (${code})`,
    fix: WHY[code] ?? "check that the relay runs, and that a firewall lets its port through",
  };
}

const CA_FIX = "set TUNNEL_RELAY_CA to the certificate of the relay's authority, as a PEM file";

function certificateFinding(probes: RelayProbes, visited: Visited): Finding {
  const { origin, caProblem } = probes;
  if (origin.protocol === "http:")
    return { level: "ok", text: "none: http, on this machine or network alone" };
  if (caProblem !== undefined) return { level: "fail", text: `TUNNEL_RELAY_CA ${caProblem}`, fix: CA_FIX };
  if ("code" in visited) {
    const { code } = visited;
    if (!TLS_CODE.test(code)) return untested("the relay does not answer");
    return {
      level: "fail",
      text: `does not vouch for the relay (${code})`,
      fix: certificateFix(code, origin),
    };
  }
  const ends = visited.visit.certificateEnds;
  if (ends === undefined) return { level: "ok", text: "good" };
  const date = new Date(ends).toISOString().slice(0, 10);
  if (ends - probes.now() > SOON_MS) return { level: "ok", text: `good until ${date}` };
  return {
    level: "warn",
    text: `ends on ${date}`,
    fix: "renew the certificate of the relay; it takes new files up by itself",
  };
}

function certificateFix(code: string, { hostname }: URL): string {
  if (code === "CERT_HAS_EXPIRED")
    return "renew the certificate of the relay, and check the clock of this machine";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `get a certificate for ${hostname}, or use the name that it has`;
  if (/^(?:EPROTO|ERR_SSL_)/.test(code))
    return "check the port in TUNNEL_RELAY: what answers there speaks no TLS";
  return CA_FIX;
}

function clockFinding(probes: RelayProbes, visited: Visited): Finding {
  if ("code" in visited) return untested("the relay does not answer");
  const { time } = visited.visit;
  if (time === undefined) return { level: "ok", text: "the relay does not tell its time" };
  // The field `Date` has whole seconds (RFC 9110 §6.6.1).
  const ms = time - probes.now();
  if (Math.abs(ms) <= SKEW_MS) return { level: "ok", text: "as on this machine, within a minute" };
  return {
    level: "warn",
    text: `${Math.round(Math.abs(ms) / 1_000)} s ${ms > 0 ? "ahead of" : "behind"} this machine`,
    fix: "set the clock here or there: certificates and tokens end too early or too late",
  };
}

function socketFinding({ versions, outcome }: Trial): Finding {
  if (versions !== undefined) return { level: "ok", text: "passes" };
  if (outcome.kind === "admitted") return { level: "ok", text: "passes" };
  const { error } = outcome.failure;
  if (error.code === "relay-not-ours" || error.detail?.startsWith("HTTP ") === true)
    return {
      level: "fail",
      text: `does not pass (${error.detail ?? "no relay answers"})`,
      fix: "let the proxy in front pass Upgrade, Connection and Host for /_tunnel/, or check TUNNEL_RELAY",
    };
  if (error.code === "relay-unreachable" && error.detail === undefined)
    return {
      level: "fail",
      text: "is cut before the relay has said a word",
      fix: "let the proxy in front pass WebSockets for /_tunnel/, and check its time-outs",
    };
  return untested("there is no connection");
}

function versionFinding({ versions }: Trial): Finding {
  if (versions === undefined) return untested("the relay has not said a word");
  if (versions.includes(UPLINK.version)) return { level: "ok", text: `${UPLINK.version}, as here` };
  return {
    level: "fail",
    text: `${versions.join(", ")} there, ${UPLINK.version} here`,
    fix: "bring tunnel-mcp to the same version here and on the relay",
  };
}

function tokenFinding({ hasToken }: RelayProbes, { versions, outcome }: Trial): Finding {
  if (outcome.kind === "admitted") {
    const kinds = outcome.kinds.join(", ");
    return { level: "ok", text: `${hasToken ? "is taken" : "none is needed"}, for ${kinds}` };
  }
  const { error } = outcome.failure;
  if (versions === undefined && error.code !== "relay-token")
    return untested("the relay has not said a word");
  if (error.detail?.startsWith("kind-not-allowed") === true)
    return {
      level: hasToken ? "warn" : "fail",
      text: "is taken, but not for rooms",
      fix: "get a token of the kind room to pair through this relay (there: tunnel-mcp relay token create NAME)",
    };
  if (error.detail?.startsWith("proof-invalid") === true)
    return {
      level: "fail",
      text: "not tested: the relay sees another name than TUNNEL_RELAY has",
      fix: "let the proxy in front pass the field Host as it comes, with its port",
    };
  if (error.code === "relay-version") return untested("the relay speaks another version");
  return { level: "fail", text: error.message, fix: error.nextForPerson };
}
