import { isFields, type Fields } from "./frames.ts";

/** MCP 2026-07-28: 1 to 128 characters. `*` stands for any number of them. */
const PATTERN = /^[A-Za-z0-9_.*/-]{1,128}$/;

export const MAX_PATTERNS = 64;

export function isToolPattern(text: string): boolean {
  return PATTERN.test(text);
}

/** The tools that may be called; all of them where there is no list. */
export class AllowedTools {
  readonly #patterns: readonly (readonly string[])[] | undefined;

  /** @param patterns for which {@link isToolPattern} holds */
  constructor(patterns: readonly string[] | undefined) {
    this.#patterns = patterns?.map((one) => one.split("*"));
  }

  /** Whether the owner has named what may be used: then nothing but tools is served. */
  get isListed(): boolean {
    return this.#patterns !== undefined;
  }

  has(name: string): boolean {
    return this.#patterns?.some((parts) => matches(parts, name)) !== false;
  }

  /** The result of `tools/list` with those alone that may be called. */
  listed(result: Fields): Fields {
    const { tools } = result;
    if (!Array.isArray(tools)) return { ...result, tools: [] };
    const kept = tools.filter(
      (one) => isFields(one) && typeof one["name"] === "string" && this.has(one["name"]),
    );
    return { ...result, tools: kept };
  }
}

/** In one pass, whatever the pattern: the first fit of each part leaves most for the others. */
function matches(parts: readonly string[], name: string): boolean {
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last))
    return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
