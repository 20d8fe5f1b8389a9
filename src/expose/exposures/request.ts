import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { PROVIDERS, type ProviderName } from "../../tunnel/registry/registry.ts";
import type { AccessKind } from "../access/kinds.ts";
import { parseOpenPath, type OpenPath } from "../access/open-paths.ts";
import { EXPOSE } from "./limits.ts";
import { parseHostHeader, parseTarget, targetName, type Target } from "../target/parse.ts";

/** The language that visitors speak; of `tcp` nothing is known. */
type Protocol = "http" | "tcp";

/** An exposure as it is asked for. */
export interface ExposureRequest {
  /** A port, an address on this machine, or a folder. */
  readonly target: string;
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
  readonly target: Target;
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
}

const DEFAULT_KINDS: readonly AccessKind[] = ["claim", "token"];
const NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/**
 * Understands a request, and refuses what could never be.
 * @param fallback the transport of the settings
 * @throws {TunnelError} expose-target-invalid, expose-tcp, expose-tcp-open, expose-subdomain, expose-access-invalid, expose-path-invalid, input-invalid
 */
export function checkRequest(
  request: ExposureRequest,
  { transport, cwd }: { readonly transport: ProviderName; readonly cwd: string },
): CheckedRequest {
  const { subdomain, protocol = "http" } = request;
  const target = placed(parseTarget(request.target), cwd);
  if (protocol === "tcp") checkTcp(request, target, transport);
  if (subdomain !== undefined && !PROVIDERS[request.transport ?? transport].givesNames)
    throw new TunnelError("expose-subdomain");
  const kinds = kindsOf(request.access);
  const openPaths = request.openPaths ?? [];
  if (openPaths.length > EXPOSE.maxOpenPaths)
    throw new TunnelError("expose-path-invalid", { detail: `at most ${EXPOSE.maxOpenPaths}` });
  return {
    protocol,
    target,
    targetText: targetName(target, protocol),
    name: nameOf(request.name) ?? suggestedName(target),
    isNamed: request.name !== undefined,
    kinds,
    openPaths: openPaths.map(parseOpenPath),
    minutes: request.expiresInMinutes ?? EXPOSE.defaultMinutes,
    hostHeader: request.hostHeader === undefined ? undefined : parseHostHeader(request.hostHeader),
    inspect: request.inspect ?? true,
    transport: request.transport ?? transport,
    subdomain: subdomain?.toLowerCase(),
    claims: kinds.includes("claim") ? (request.claims ?? 1) : 0,
  };
}

/**
 * What TCP takes. It has no gate, since nothing is known of what is spoken, and all that belongs to HTTP has no meaning.
 * @throws {TunnelError} expose-tcp, expose-tcp-open, input-invalid
 */
function checkTcp(request: ExposureRequest, target: Target, transport: ProviderName): void {
  if (!PROVIDERS[request.transport ?? transport].carriesTcp) throw new TunnelError("expose-tcp");
  if (target.kind === "folder")
    throw new TunnelError("expose-target-invalid", { detail: "a folder is served over HTTP, not over TCP" });
  const { openPaths, hostHeader, subdomain, claims } = request;
  const others = Object.entries({ openPaths, hostHeader, subdomain, claims });
  const foreign = others.filter(([, value]) => value !== undefined).map(([name]) => name);
  if (foreign.length > 0)
    throw new TunnelError("input-invalid", { detail: `${foreign.join(", ")}: for protocol http alone` });
  if (request.access?.join() !== "open") throw new TunnelError("expose-tcp-open");
}

/** A folder by its absolute path, so that the same one is found again from anywhere. */
function placed(target: Target, cwd: string): Target {
  // `~` is expanded by nobody, and refused where the folder is looked at.
  const isPlaced = target.kind !== "folder" || target.path.startsWith("~");
  return isPlaced ? target : { ...target, path: path.resolve(cwd, target.path) };
}

/** `port-3000`, or the name of the folder. */
function suggestedName(target: Target): string {
  if (target.kind === "service") return `port-${target.port}`;
  const words = path
    .basename(target.path)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  const name = words.slice(0, EXPOSE.maxNameChars).replace(/^-+|-+$/g, "");
  return name === "" ? "folder" : name;
}

function kindsOf(asked: readonly AccessKind[] | undefined): readonly AccessKind[] {
  if (asked === undefined || asked.length === 0) return DEFAULT_KINDS;
  const kinds = [...new Set(asked)];
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
