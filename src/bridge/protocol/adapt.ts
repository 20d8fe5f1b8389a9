import { LEGACY_VERSIONS, META, MODERN_VERSION, type Era } from "./era.ts";
import { CODE, failed, isFields, type Fields, type FrameId, type Outcome } from "./frames.ts";
import { isCacheable, servedCapabilities } from "./methods.ts";

/** How a server has opened: what it says of itself, in the form of either era. */
export interface Opening {
  readonly era: Era;
  /** That it speaks. */
  readonly version: string;
  readonly capabilities: Fields;
  readonly serverInfo: Fields;
  readonly instructions: string | undefined;
}

/** Its answer to `initialize`; undefined for one that cannot be served. */
export function openedLegacy({
  protocolVersion,
  capabilities,
  serverInfo,
  instructions,
}: Fields): Opening | undefined {
  const version = LEGACY_VERSIONS.find((one) => one === protocolVersion);
  if (version === undefined) return undefined;
  return { era: "legacy", version, ...saidOf({ capabilities, serverInfo, instructions }) };
}

/** Its answer to `server/discover`. */
export function openedModern({
  supportedVersions,
  capabilities,
  instructions,
  _meta,
}: Fields): Opening | undefined {
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(MODERN_VERSION)) return undefined;
  const serverInfo = isFields(_meta) ? _meta[META.server] : undefined;
  return { era: "modern", version: MODERN_VERSION, ...saidOf({ capabilities, serverInfo, instructions }) };
}

function saidOf({ capabilities, serverInfo, instructions }: Fields): Omit<Opening, "era" | "version"> {
  const info = isFields(serverInfo) ? serverInfo : {};
  const { name, version } = info;
  return {
    capabilities: isFields(capabilities) ? capabilities : {},
    serverInfo: {
      ...info,
      name: typeof name === "string" ? name : "unnamed",
      version: typeof version === "string" ? version : "0",
    },
    instructions: typeof instructions === "string" ? instructions : undefined,
  };
}

/** The server's side of an opening, for a client that begins with `initialize`. */
export function initializeResult(opening: Opening, params: Fields): Fields {
  const { era, version, capabilities, serverInfo, instructions } = opening;
  const wanted = LEGACY_VERSIONS.find((one) => one === params["protocolVersion"]);
  const newest = era === "modern" ? LEGACY_VERSIONS[0] : version;
  // An older client gets the version that it knows: later ones only add to it.
  const protocolVersion = wanted !== undefined && wanted < newest ? wanted : newest;
  return {
    protocolVersion,
    capabilities,
    serverInfo,
    ...(instructions === undefined ? {} : { instructions }),
  };
}

export function discoverResult({ capabilities, serverInfo, instructions }: Opening): Fields {
  return {
    supportedVersions: [MODERN_VERSION],
    capabilities,
    ...(instructions === undefined ? {} : { instructions }),
    _meta: { [META.server]: serverInfo },
  };
}

/** The capabilities of a caller, as its server is told: it may ask for nothing. */
export const BRIDGE_CLIENT = { name: "tunnel-mcp", version: "1" } as const;

/**
 * The parameters of a call as a server of `era` reads them. Nothing of the client's own envelope goes on but a token for its progress,
 * which is the bridge's; nor a wish for a task, whose result nobody could ask for.
 */
export function paramsFor(era: Era, params: Fields, progressToken: FrameId | undefined): Fields {
  const { _meta: given, task: _task, ...rest } = params;
  const kept = Object.entries(isFields(given) ? given : {}).filter(
    ([key]) => key !== "progressToken" && !key.startsWith("io.modelcontextprotocol/"),
  );
  const envelope =
    era === "legacy"
      ? {}
      : { [META.version]: MODERN_VERSION, [META.client]: BRIDGE_CLIENT, [META.capabilities]: {} };
  const meta = {
    ...Object.fromEntries(kept),
    ...envelope,
    ...(progressToken === undefined ? {} : { progressToken }),
  };
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}

/** The mark that the client wants on its progress. */
export function progressTokenOf({ _meta }: Fields): FrameId | undefined {
  const token = isFields(_meta) ? _meta["progressToken"] : undefined;
  return typeof token === "string" || typeof token === "number" ? token : undefined;
}

/** An outcome as a client of `era` reads it. */
export function outcomeFor(era: Era, method: string, outcome: Outcome): Outcome {
  if ("error" in outcome) return outcome;
  const { resultType = "complete", ttlMs, cacheScope, ...rest } = outcome.result;
  if (resultType !== "complete")
    return failed(CODE.bridge, "the server wants to ask for something first, which is not passed on");
  if (era === "legacy") return { result: rest };
  if (!isCacheable(method)) return { result: { ...rest, resultType } };
  const isTtl = typeof ttlMs === "number" && Number.isSafeInteger(ttlMs) && ttlMs >= 0;
  return {
    result: {
      ...rest,
      resultType,
      ttlMs: isTtl ? ttlMs : 0,
      cacheScope: cacheScope === "public" ? "public" : "private",
    },
  };
}

/** An opening result with no more than what the bridge serves. */
export function servedOpening(result: Fields, toolsOnly: boolean): Fields {
  return { ...result, capabilities: servedCapabilities(result["capabilities"], toolsOnly) };
}
