import type { Era } from "./era.ts";
import { isFields, type Fields } from "./frames.ts";

/** The methods that a bridge passes on. Everything else would need a state that it does not keep, or lets a server ask its caller for something. */
interface MethodEntry {
  readonly era: Era | "both";
  /** The capability of the server without which it is not served; undefined where none is needed. */
  readonly needs?: "tools" | "resources" | "prompts" | "completions";
  /** Its result may be kept by a client for a while, and says so since 2026-07-28. */
  readonly isCacheable?: true;
}

const METHODS: Readonly<Record<string, MethodEntry>> = {
  initialize: { era: "legacy" },
  ping: { era: "legacy" },
  "server/discover": { era: "modern", isCacheable: true },
  "tools/list": { era: "both", needs: "tools", isCacheable: true },
  "tools/call": { era: "both", needs: "tools" },
  "resources/list": { era: "both", needs: "resources", isCacheable: true },
  "resources/templates/list": { era: "both", needs: "resources", isCacheable: true },
  "resources/read": { era: "both", needs: "resources", isCacheable: true },
  "prompts/list": { era: "both", needs: "prompts", isCacheable: true },
  "prompts/get": { era: "both", needs: "prompts" },
  "completion/complete": { era: "both", needs: "completions" },
};

/** @param toolsOnly the owner has named tools: what else the server has is not served, or the list would have a way round it */
export function isServed(method: string, era: Era, toolsOnly: boolean): boolean {
  const entry = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (entry === undefined || (entry.era !== "both" && entry.era !== era)) return false;
  return !toolsOnly || entry.needs === undefined || entry.needs === "tools";
}

/** Its name where it is one of MCP's that are served; a caller may send any text. */
export function knownMethod(method: string): string | undefined {
  return Object.hasOwn(METHODS, method) ? method : undefined;
}

export function isCacheable(method: string): boolean {
  return Object.hasOwn(METHODS, method) && METHODS[method]?.isCacheable === true;
}

/**
 * The capabilities of a server as far as the bridge serves them: nothing that is told without being asked for (list_changed,
 * subscriptions, logs), no tasks, and no extension.
 */
export function servedCapabilities(given: unknown, toolsOnly: boolean): Fields {
  const capabilities = isFields(given) ? given : {};
  const names = toolsOnly ? ["tools"] : ["tools", "resources", "prompts", "completions"];
  return Object.fromEntries(names.filter((name) => isFields(capabilities[name])).map((name) => [name, {}]));
}
