import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { PROVIDERS, type ProviderName } from "../../tunnel/registry/registry.ts";
import type { AccessKind } from "../access/kinds.ts";
import { parseOpenPath, type OpenPath } from "../access/open-paths.ts";
import { allowedTools } from "../mcp/backend.ts";
import { mcpName, type McpTarget } from "../mcp/target.ts";
import { parseOrigins } from "../mcp/pages.ts";
import { parseMcpServer } from "../mcp/server.ts";
import { EXPOSE } from "./limits.ts";
import { parseHostHeader, parseTarget, targetName, type Target } from "../target/parse.ts";

/** The language that visitors speak; of `tcp` nothing is known. */
type Protocol = "http" | "tcp";

/** An exposure as it is asked for. */
export interface ExposureRequest {
  /** A port, an address on this machine, or a folder. Either this or `mcp` is given. */
  readonly target?: string | undefined;
  /** An MCP server: a name in the human's file, a port, or an address with its path. */
  readonly mcp?: string | undefined;
  /** Patterns of the tools of an MCP server that may be called; all of them when left out. */
  readonly tools?: readonly string[] | undefined;
  /** Each session of a stdio MCP server has a process of its own. */
  readonly perSession?: boolean | undefined;
  /** Origins of web pages that may call the MCP server. */
  readonly origins?: readonly string[] | undefined;
  readonly name?: string | undefined;
  /** `tcp` takes a provider that carries it, and `access` that is open. */
  readonly protocol?: Protocol | undefined;
  readonly subdomain?: string | undefined;
  readonly access?: readonly AccessKind[] | undefined;
  readonly openPaths?: readonly string[] | undefined;
  readonly expiresInMinutes?: number | undefined;
  readonly hostHeader?: string | undefined;
  /** Whether bodies and fields of requests are kept; metadata always are. */
  readonly inspect?: boolean | undefined;
  readonly transport?: ProviderName | undefined;
  /** Claim links to make. */
  readonly claims?: number | undefined;
}

/** The same, understood. */
export interface CheckedRequest {
  readonly protocol: Protocol;
  readonly target: Target | McpTarget;
  /** As it is shown, and compared with those that run. */
  readonly targetText: string;
  readonly name: string;
  readonly isNamed: boolean;
  readonly kinds: readonly AccessKind[];
  readonly openPaths: readonly OpenPath[];
  readonly minutes: number;
  readonly hostHeader: string | undefined;
  readonly inspect: boolean;
  readonly transport: ProviderName;
  readonly subdomain: string | undefined;
  readonly claims: number;
  /** Pages that may call the MCP server. */
  readonly origins: readonly string[];
}

const DEFAULT_KINDS: readonly AccessKind[] = ["claim", "token"];
const NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/**
 * Understands a request, and refuses what could never be.
 * @param fallback the transport of the settings
 * @throws {TunnelError} expose-target-invalid, expose-tcp, expose-tcp-open, expose-subdomain, expose-access-invalid, expose-path-invalid,
 * input-invalid, mcp-tools-invalid
 */
export function checkRequest(
  request: ExposureRequest,
  fallback: { readonly transport: ProviderName; readonly cwd: string },
): CheckedRequest {
  const { subdomain, protocol = "http", transport = fallback.transport } = request;
  const target = targetOf(request, fallback.cwd);
  if (protocol === "tcp") checkTcp(request, target, transport);
  if (subdomain !== undefined && !PROVIDERS[transport].givesNames) throw new TunnelError("expose-subdomain");
  const kinds = target.kind === "mcp" ? mcpKinds(request) : kindsOf(request.access);
  return {
    protocol,
    target,
    targetText: textOf(target, protocol),
    name: nameOf(request.name) ?? suggestedName(target),
    isNamed: request.name !== undefined,
    kinds,
    openPaths: openPathsOf(request.openPaths),
    minutes: request.expiresInMinutes ?? EXPOSE.defaultMinutes,
    hostHeader: request.hostHeader === undefined ? undefined : parseHostHeader(request.hostHeader),
    inspect: request.inspect ?? true,
    transport,
    subdomain: subdomain?.toLowerCase(),
    claims: kinds.includes("claim") ? (request.claims ?? 1) : 0,
    origins: parseOrigins(request.origins ?? []),
  };
}

const textOf = (target: Target | McpTarget, protocol: Protocol): string =>
  target.kind === "mcp" ? `mcp ${mcpName(target)}` : targetName(target, protocol);

/** @throws {TunnelError} expose-path-invalid */
function openPathsOf(asked: readonly string[] = []): readonly OpenPath[] {
  if (asked.length > EXPOSE.maxOpenPaths)
    throw new TunnelError("expose-path-invalid", { detail: `at most ${EXPOSE.maxOpenPaths}` });
  return asked.map(parseOpenPath);
}

/**
 * Checks a request for TCP. It has no gate, since nothing is known of what is spoken, and all that belongs to HTTP has no meaning.
 * @throws {TunnelError} expose-tcp, expose-tcp-open, input-invalid
 */
function checkTcp(request: ExposureRequest, target: Target | McpTarget, transport: ProviderName): void {
  if (!PROVIDERS[transport].carriesTcp) throw new TunnelError("expose-tcp");
  if (target.kind !== "service")
    throw new TunnelError("expose-target-invalid", {
      detail: "a folder or an MCP server is served over HTTP, not over TCP",
    });
  const { openPaths, hostHeader, subdomain, claims } = request;
  const others = Object.entries({ openPaths, hostHeader, subdomain, claims });
  const foreign = others.filter(([, value]) => value !== undefined).map(([name]) => name);
  if (foreign.length > 0)
    throw new TunnelError("input-invalid", { detail: `${foreign.join(", ")}: for protocol http alone` });
  if (request.access?.join() !== "open") throw new TunnelError("expose-tcp-open");
}

function targetOf(request: ExposureRequest, cwd: string): Target | McpTarget {
  const { target, mcp, tools, perSession, origins } = request;
  if (mcp !== undefined && target !== undefined) throw invalid("give target or mcp, not both");
  if (mcp !== undefined) return mcpTarget(mcp, request);
  if (tools !== undefined || perSession !== undefined || origins !== undefined)
    throw invalid("tools, perSession and origins go with mcp");
  if (target === undefined) throw invalid("give target, or mcp for an MCP server");
  return placed(parseTarget(target), cwd);
}

function mcpTarget(typed: string, { tools, perSession }: ExposureRequest): McpTarget {
  const server = parseMcpServer(typed, (authority) => {
    const target = parseTarget(authority);
    if (target.kind === "folder") throw new TunnelError("expose-target-invalid", { detail: MCP_FORM });
    return target;
  });
  if (server === undefined) throw new TunnelError("expose-target-invalid", { detail: MCP_FORM });
  if (perSession === true && server.kind === "http")
    throw invalid("perSession: an MCP server that speaks HTTP keeps sessions itself");
  allowedTools(tools);
  return { kind: "mcp", server, tools, copies: perSession === true ? "session" : "shared" };
}

const MCP_FORM =
  "an MCP server is a name in the file of TUNNEL_MCP_SERVERS, a port, or an address with its path, as in http://localhost:8080/mcp";

/** Refuses what makes no sense for a server of which only /mcp is served. */
function refuseForMcp({ openPaths, claims, hostHeader }: ExposureRequest): void {
  if (openPaths !== undefined && openPaths.length > 0)
    throw invalid("openPaths: an MCP server has one path, and its clients send a token");
  if (claims !== undefined) throw invalid("claims: links are for people; MCP clients send a token");
  if (hostHeader !== undefined) throw invalid("hostHeader: an MCP server sees its own address");
}

function mcpKinds(request: ExposureRequest): readonly AccessKind[] {
  refuseForMcp(request);
  const asked = request.access;
  const kinds = [...new Set<AccessKind>(asked === undefined || asked.length === 0 ? ["bearer"] : asked)];
  const [only] = kinds;
  if (kinds.length === 1 && (only === "bearer" || only === "open")) return kinds;
  throw new TunnelError("expose-access-invalid", {
    detail: "MCP clients get in by bearer, a token in Authorization, or by open",
  });
}

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail });
}

/** The target as it can be asked for again. */
export function targetAskedFor({
  target,
  targetText,
}: CheckedRequest): Pick<ExposureRequest, "target" | "mcp"> {
  return target.kind === "mcp"
    ? { mcp: mcpName(target) }
    : { target: target.kind === "service" ? targetName(target) : targetText };
}

/** A folder by its absolute path, so that the same one is found again from anywhere. */
function placed(target: Target, cwd: string): Target {
  // `~` is expanded by nobody, and refused where the folder is looked at.
  const isPlaced = target.kind !== "folder" || target.path.startsWith("~");
  return isPlaced ? target : { ...target, path: path.resolve(cwd, target.path) };
}

/** `port-3000`, `mcp-files`, or the name of the folder. */
function suggestedName(target: Target | McpTarget): string {
  if (target.kind === "service") return `port-${target.port}`;
  if (target.kind === "mcp") {
    const { server } = target;
    return nameFrom(server.kind === "stdio" ? `mcp-${server.name}` : `mcp-port-${server.target.port}`);
  }
  const name = nameFrom(path.basename(target.path));
  return name === "" ? "folder" : name;
}

function nameFrom(text: string): string {
  const words = text.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return words.slice(0, EXPOSE.maxNameChars).replace(/^-+|-+$/g, "");
}

function kindsOf(asked: readonly AccessKind[] | undefined): readonly AccessKind[] {
  if (asked === undefined || asked.length === 0) return DEFAULT_KINDS;
  const kinds = [...new Set(asked)];
  if (kinds.includes("bearer"))
    throw new TunnelError("expose-access-invalid", {
      detail: "bearer is for MCP servers; Authorization stays the service's, and scripts send token",
    });
  if (kinds.includes("open") && kinds.length > 1) throw new TunnelError("expose-access-invalid");
  return kinds;
}

function nameOf(asked: string | undefined): string | undefined {
  if (asked === undefined) return undefined;
  const name = asked.toLowerCase();
  if (name.length > EXPOSE.maxNameChars || !NAME.test(name))
    throw new TunnelError("input-invalid", {
      detail: `name must be up to ${EXPOSE.maxNameChars} letters, digits and hyphens`,
    });
  return name;
}
