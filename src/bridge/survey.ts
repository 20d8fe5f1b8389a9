import { TunnelError } from "../errors/tunnel-error.ts";
import { BridgeRefusal, type Backend } from "./backend.ts";
import { BRIDGE_CLIENT, openedLegacy, openedModern, paramsFor, type Opening } from "./protocol/adapt.ts";
import { LEGACY_VERSIONS, MODERN_VERSION, type Era } from "./protocol/era.ts";
import { isFields, type Fields, type Outcome } from "./protocol/frames.ts";

/** A tool as its server describes it: words of somebody else, of any length. */
interface SurveyedTool {
  readonly name: string;
  readonly description: string;
}

/** An MCP server in its own words. */
export interface Survey {
  readonly era: Era;
  readonly serverName: string;
  readonly tools: readonly SurveyedTool[];
  /** Whether it has more tools than were asked for. */
  readonly hasMore: boolean;
}

const MAX_PAGES = 5;
const MAX_TOOLS = 200;
const MAX_NAME_CHARS = 64;
const NAME = /^[\w./-]{1,128}$/;
/** The beginning of a description: enough to choose by. */
const MAX_DESCRIPTION_CHARS = 1_000;

/**
 * Asks a server what it is and which tools it has, in the era that it speaks. All that comes is bounded.
 * @throws {TunnelError} mcp-server-unfit
 */
export async function survey(backend: Backend, signal: AbortSignal): Promise<Survey> {
  const talk = (await openLegacy(backend, signal)) ?? (await openModern(backend, signal));
  if (talk === undefined) throw new TunnelError("mcp-server-unfit");
  const { era, serverInfo, capabilities } = talk.opening;
  const { name } = serverInfo;
  const serverName = typeof name === "string" ? name.slice(0, MAX_NAME_CHARS) : "unnamed";
  try {
    const found = isFields(capabilities["tools"]) ? await toolsOf(talk) : { tools: [], hasMore: false };
    return { era, serverName, ...found };
  } finally {
    talk.end();
  }
}

async function toolsOf({ ask }: Talk): Promise<Pick<Survey, "tools" | "hasMore">> {
  const tools: SurveyedTool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES && tools.length <= MAX_TOOLS; page += 1) {
    const outcome = await ask("tools/list", cursor === undefined ? {} : { cursor });
    cursor = undefined;
    if (outcome === undefined || "error" in outcome) break;
    const { tools: listed, nextCursor } = outcome.result;
    for (const one of Array.isArray(listed) ? listed : []) if (isFields(one)) tools.push(...toolOf(one));
    if (typeof nextCursor !== "string") break;
    cursor = nextCursor;
  }
  return { tools: tools.slice(0, MAX_TOOLS), hasMore: tools.length > MAX_TOOLS || cursor !== undefined };
}

/** A name that no client would take is left out. */
function toolOf({ name, title, description }: Fields): SurveyedTool[] {
  if (typeof name !== "string" || !NAME.test(name)) return [];
  const [words] = [description, title].filter((one) => typeof one === "string");
  return [{ name, description: (words ?? "").slice(0, MAX_DESCRIPTION_CHARS) }];
}

interface Talk {
  readonly opening: Opening;
  /** @returns undefined where there is no answer of the server */
  readonly ask: (method: string, params: Fields) => Promise<Outcome | undefined>;
  /** A session that it has begun is over. */
  readonly end: () => void;
}

async function openLegacy(backend: Backend, signal: AbortSignal): Promise<Talk | undefined> {
  const [protocolVersion] = LEGACY_VERSIONS;
  const params = { protocolVersion, capabilities: {}, clientInfo: BRIDGE_CLIENT };
  const about = { era: "legacy", onProgress: undefined, signal } as const;
  const first = await answered(backend, {
    ...about,
    method: "initialize",
    params,
    session: undefined,
    fields: {},
  });
  const opening =
    first !== undefined && "result" in first.outcome ? openedLegacy(first.outcome.result) : undefined;
  if (first === undefined || opening === undefined) return undefined;
  const { session } = first;
  const fields = { "mcp-protocol-version": opening.version };
  await backend.notify("notifications/initialized", {}, { session, fields });
  return {
    opening,
    end: () => void (session !== undefined && backend.endSession(session)),
    ask: async (method, more) =>
      (await answered(backend, { ...about, method, params: more, session, fields }))?.outcome,
  };
}

async function openModern(backend: Backend, signal: AbortSignal): Promise<Talk | undefined> {
  const ask: Talk["ask"] = async (method, params) => {
    const fields = { "mcp-protocol-version": MODERN_VERSION, "mcp-method": method };
    const told = paramsFor("modern", params, undefined);
    const about = { era: "modern", session: undefined, onProgress: undefined, fields, signal } as const;
    return (await answered(backend, { ...about, method, params: told }))?.outcome;
  };
  const outcome = await ask("server/discover", {});
  const opening = outcome !== undefined && "result" in outcome ? openedModern(outcome.result) : undefined;
  return opening && { opening, ask, end: () => undefined };
}

async function answered(
  backend: Backend,
  call: Parameters<Backend["call"]>[0],
): Promise<Awaited<ReturnType<Backend["call"]>> | undefined> {
  try {
    return await backend.call(call);
  } catch (thrown) {
    if (thrown instanceof BridgeRefusal) return undefined;
    throw thrown;
  }
}
