import type { AccessWays, ClaimLink, ClaimState } from "../../expose/access/access.ts";
import { addressOf, addressText } from "../../expose/exposures/address.ts";
import type { Exposure, ExposureEnd, ExposureState } from "../../expose/exposures/exposure.ts";
import type { ExposuresEvent } from "../../expose/exposures/exposures.ts";
import type { EndedExposure } from "../../expose/exposures/history.ts";
import type { Proof } from "../../expose/proving/prove.ts";
import type { CheckedRequest } from "../../expose/exposures/request.ts";
import { targetName } from "../../expose/target/parse.ts";
import type { SignInNotice } from "../../expose/oauth/notices.ts";
import { mcpName, type McpTarget } from "../../expose/mcp/target.ts";
import { errorView, type ErrorView } from "../errors.ts";
import { isoTime, seconds } from "../time.ts";
import { mcpClientsView, type McpClientsView } from "./mcp-clients.ts";

/** An exposure in a list. It holds no secret. */
export interface ExposureView {
  readonly exposureId: string;
  readonly name: string;
  readonly target: string;
  readonly protocol: EndedExposure["protocol"];
  /** `lost`: it runs, and no address leads here at the moment; another one is being opened. */
  readonly status: "checking" | "held" | "opening" | "running" | "lost" | "failed" | "over";
  readonly publicUrl: string | undefined;
  readonly requests: number;
  readonly expiresInSec: number | undefined;
  readonly problem: ErrorView | undefined;
}

export function exposureView(exposure: Exposure, now: number): ExposureView {
  const { id, name, request, state, publicUrl, stats, endsAt } = exposure;
  const lost = state.name === "running" ? state.lost : undefined;
  const error = state.name === "failed" ? state.error : lost;
  return {
    exposureId: id,
    name,
    target: request.targetText,
    protocol: request.protocol,
    status: lost === undefined ? state.name : "lost",
    publicUrl: addressOf(publicUrl),
    requests: stats?.requests ?? 0,
    expiresInSec: exposure.isOver ? undefined : seconds(Math.max(0, endsAt - now)),
    problem: error && errorView(error),
  };
}

/** What has happened to an exposure, as a sentence; undefined where nobody need be told. */
export function exposureNews(event: ExposuresEvent): string | undefined {
  switch (event.type) {
    case "state":
      return stateText(event.state, event.before);
    case "claimed":
      return event.isFirst
        ? `the first visitor has used a claim link (${event.claim})`
        : `a claim link was used (${event.claim})`;
    case "service":
      return event.isThere ? "the service answers again" : "the service does not answer any more";
    case "address":
      return addressNews(event.publicUrl, event.exposure.request);
    case "ends-soon": {
      const minutes = Math.round(event.leftMs / 60_000);
      return `it ends in ${minutes} ${minutes === 1 ? "minute" : "minutes"}`;
    }
    case "widened":
      return event.isDone
        ? "a person has let it be open for longer or for more people"
        : "a person has not let it be open for longer or for more people";
    case "sign-in":
      return signInText(event.notice, { showsCode: true });
    case "progress":
    case "extended":
    case "visit":
      return undefined;
  }
}

function addressNews(publicUrl: URL | undefined, { target }: CheckedRequest): string {
  if (publicUrl === undefined) return "the public address is lost; another one is being opened";
  const what =
    target.kind === "mcp"
      ? "every client has to be set up again, with it"
      : "claim links that were not used yet need the new address";
  return `the public address is ${addressText(publicUrl)} from now on; ${what}`;
}

/**
 * A client that asks to be let in, or was answered, as a sentence for this user.
 * @param showsCode where nobody but them reads it
 */
export function signInText(notice: SignInNotice, { showsCode }: { readonly showsCode: boolean }): string {
  const { name, publisher, returnsTo } = notice.client;
  const called = name === undefined ? "a program without a name" : `a program that calls itself "${name}"`;
  const who = publisher === undefined ? called : `${called} (described by ${publisher})`;
  switch (notice.what) {
    case "code": {
      const how = showsCode
        ? `type ${notice.code} on the page ${notice.page}, and nowhere else`
        : "type tunnel-mcp watch in a terminal of your own, which shows the code";
      return `${who} asks to be let in; the answer goes to ${returnsTo}. If you have just asked for that yourself, ${how}. If not, do nothing`;
    }
    case "signed-in":
      return `${who} was let in by the code`;
    case "refused":
      return notice.why === "person"
        ? `${who} was refused on the page`
        : `${who} was refused: too many codes were wrong`;
    case "revoked":
      return `${who} is out: its ${notice.reused === "code" ? "sign-in code" : "refresh token"} was used twice, as a thief would`;
  }
}

function stateText(state: ExposureState, before: ExposureState["name"]): string | undefined {
  switch (state.name) {
    case "running":
      return before === "opening" ? `it is open at ${addressText(state.publicUrl)}` : undefined;
    case "failed":
      return `it could not be opened: ${state.error.message} (${state.error.code})`;
    case "over":
      return END_TEXTS[state.why];
    case "held":
      return "it waits for a person";
    case "checking":
    case "opening":
      return undefined;
  }
}

const END_TEXTS: Readonly<Record<ExposureEnd, string>> = {
  stopped: "it was stopped",
  "stopped-by-person": "a person has stopped it",
  expired: "its time is over",
  "address-lost": "its address is lost for good",
  "server-ended": "its server has ended",
};

/** An exposure that has just been started, for the one who hands its links on. `access` holds secrets. */
export interface StartedView {
  readonly exposureId: string;
  readonly name: string;
  readonly publicUrl: string;
  /** The only claim link, where there is one. */
  readonly claimUrl: string | undefined;
  readonly access: Omit<AccessWays, "warnings">;
  /** Claim links that were made now, of an exposure that ran. */
  readonly newClaims: readonly ClaimLink[] | undefined;
  readonly local: {
    readonly target: string;
    /** The name of an MCP server and the tools that can be called, in its own words. */
    readonly serverName?: string;
    readonly tools?: readonly string[];
    readonly hasMoreTools?: boolean;
    /** Of a GET of `/`; undefined where it was too slow for one, or is a folder or an MCP server. */
    readonly status: number | undefined;
    readonly server: string | undefined;
  };
  /** What a visit from outside found: the status of the service as it is seen there, and how long it took. */
  readonly public: PublicView;
  /** Whether events of a stream arrive as they are sent (`live`), with its end (`held`), or not at all (`blocked`), by method. */
  readonly streaming: Extract<Proof, { kind: "proved" }>["streaming"] | undefined;
  readonly websocket: boolean | undefined;
  /** For an MCP server, the lines to paste into each client. */
  readonly clients?: McpClientsView;
  readonly warnings: readonly string[] | undefined;
  readonly expiresInSec: number;
}

/** @param exposure one that runs */
export function startedView(
  exposure: Exposure,
  about: { readonly now: number; readonly newClaims: readonly ClaimLink[]; readonly platform: string },
): StartedView | undefined {
  const { now, newClaims, platform } = about;
  const { id, name, state, found, ways, endsAt } = exposure;
  if (state.name !== "running" || found === undefined) return undefined;
  const { warnings: accessWarnings, ...access } = ways;
  const links = access.claim?.links ?? [];
  const [only] = links.length === 1 ? links : [];
  const warnings = [...found.warnings, ...otherName(exposure.request, state.publicUrl), ...accessWarnings];
  const { proof } = state;
  const publicUrl = addressText(state.publicUrl);
  const { mcp } = found;
  return {
    exposureId: id,
    name,
    publicUrl,
    claimUrl: only?.url,
    access,
    newClaims: newClaims.length === 0 ? undefined : newClaims,
    local: {
      target: found.description,
      ...(mcp === undefined
        ? {}
        : { serverName: mcp.serverName, tools: mcp.tools, ...(mcp.hasMore ? { hasMoreTools: true } : {}) }),
      status: found.status,
      server: found.server,
    },
    public: publicView(proof),
    streaming: proof.kind === "proved" ? proof.streaming : undefined,
    websocket: proof.kind === "proved" && mcp === undefined ? proof.websocket : undefined,
    ...(mcp === undefined
      ? {}
      : { clients: mcpClientsView({ name, url: publicUrl, token: access.bearer }, platform) }),
    warnings: warnings.length === 0 ? undefined : warnings,
    expiresInSec: seconds(Math.max(0, endsAt - now)),
  };
}

/** A relay that keeps no names gives one that follows from the host's key. */
function otherName({ subdomain }: CheckedRequest, publicUrl: URL): readonly string[] {
  if (subdomain === undefined || publicUrl.hostname.split(".")[0] === subdomain) return [];
  return [
    `The relay has not given the name ${subdomain}: it keeps no names. Its operator can start it with --state.`,
  ];
}

/** `unchecked`: why nobody has visited it. `problem`: the service gave no answer through the address. */
type PublicView =
  | { readonly status: number; readonly ms: number }
  | { readonly status: undefined; readonly ms: number; readonly problem: string }
  /** A TCP connection from outside was made. */
  | { readonly ms: number }
  | { readonly unchecked: string };

function publicView(proof: Proof): PublicView {
  if (proof.kind === "unchecked") return { unchecked: proof.why };
  if (proof.kind === "reached") return { ms: proof.ms };
  const { ms, service } = proof;
  return "error" in service
    ? { status: undefined, ms, problem: service.error }
    : { status: service.status, ms };
}

/** A claim link as it is shown to whoever made the exposure. */
export interface ClaimView {
  readonly claim: string;
  readonly state: ClaimState["state"];
  /** While nobody has used it: a secret. */
  readonly url: string | undefined;
  readonly claimedAt: string | undefined;
  readonly lastSeenAt: string | undefined;
}

/** @param links those that nobody has used yet */
export function claimView(
  { id, state, claimedAt, lastSeenAt }: ClaimState,
  links: readonly ClaimLink[],
): ClaimView {
  return {
    claim: id,
    state,
    url: links.find((link) => link.id === id)?.url,
    claimedAt: claimedAt === undefined ? undefined : isoTime(claimedAt),
    lastSeenAt: lastSeenAt === undefined ? undefined : isoTime(lastSeenAt),
  };
}

/** An exposure that is over. */
export interface EndedView {
  readonly exposureId: string;
  readonly name: string;
  readonly target: string;
  readonly protocol: EndedExposure["protocol"];
  readonly publicUrl: string | undefined;
  readonly startedAt: string;
  readonly lastedSec: number;
  readonly why: EndedExposure["why"];
  readonly code: string | undefined;
  readonly requests: number;
}

export function endedView(ended: EndedExposure): EndedView {
  const { id, name, target, protocol, publicUrl, startedAt, endedAt, why, code, requests } = ended;
  return {
    exposureId: id,
    name,
    target,
    protocol,
    publicUrl,
    startedAt: isoTime(startedAt),
    lastedSec: seconds(Math.max(0, endedAt - startedAt)),
    why,
    code,
    requests,
  };
}

/** An exposure that nothing was done for, and the command by which a person makes it. */
export interface DryRunView {
  readonly name: string;
  readonly target: string;
  readonly transport: string;
  readonly access: readonly string[];
  readonly openPaths: readonly string[];
  readonly expiresInMinutes: number;
  /** To paste into a terminal. */
  readonly command: string;
}

/** @param commandLine the line for a shell by which a person runs a command of this program */
export function dryRunView(
  {
    name,
    protocol,
    target,
    targetText,
    transport,
    subdomain,
    kinds,
    openPaths,
    minutes,
    hostHeader,
    inspect,
    claims,
    origins,
  }: CheckedRequest,
  commandLine: (args: readonly string[]) => string,
): DryRunView {
  return {
    name,
    target: targetText,
    transport,
    access: kinds,
    openPaths: openPaths.map(({ text }) => text),
    expiresInMinutes: minutes,
    command: commandLine([
      "expose",
      ...(target.kind === "mcp" ? mcpWords(target) : [targetName(target)]),
      ...origins.flatMap((origin) => ["--origin", origin]),
      "--name",
      name,
      "--access",
      kinds.join(","),
      "--for",
      `${minutes}m`,
      "--transport",
      transport,
      ...openPaths.flatMap(({ text }) => ["--open-path", text]),
      ...(claims > 1 && kinds.includes("claim") ? ["--claims", String(claims)] : []),
      ...(protocol === "tcp" ? ["--tcp"] : []),
      ...(subdomain === undefined ? [] : ["--subdomain", subdomain]),
      ...(hostHeader === undefined ? [] : ["--host-header", hostHeader]),
      ...(inspect ? [] : ["--no-inspect"]),
    ]),
  };
}

function mcpWords(target: McpTarget): readonly string[] {
  return [
    "--mcp",
    mcpName(target),
    ...(target.tools ?? []).flatMap((tool) => ["--tool", tool]),
    ...(target.copies === "session" ? ["--per-session"] : []),
  ];
}
