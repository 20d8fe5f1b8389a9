import { parseJson } from "../../../protocol/base/json.ts";
import { DIFFERENCE } from "../limits.ts";
import { shortened } from "./shortened.ts";

/** One place where two JSON values differ. */
interface JsonChange {
  /** JSON Pointer (RFC 6901); empty for the whole. */
  readonly pointer: string;
  /** The value as JSON, cut; undefined where there is none. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export interface JsonChanges {
  readonly changes: readonly JsonChange[];
  /** There are more than those. */
  readonly more: boolean;
}

/** The value of a text, in an object since `null` is one too; `undefined` for no JSON, and for one that is nested too deeply. */
export function jsonIn(text: string): { readonly json: unknown } | undefined {
  if (depthOf(text) > DIFFERENCE.jsonDepth) return undefined;
  const json = parseJson(/\d{16}/.test(text) ? withExactNumbers(text) : text);
  return json === undefined ? undefined : { json };
}

const STRING_OR_NUMBER = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g;

/** Long numbers as strings: two that differ would be rounded to the same one. */
function withExactNumbers(text: string): string {
  return text.replace(STRING_OR_NUMBER, (token) =>
    token.length < 16 || token.startsWith('"') || String(Number(token)) === token ? token : `"${token}"`,
  );
}

/** How deep brackets stand in one another, outside of strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isString = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (isString && sign === "\\") at += 1;
    else if (sign === '"') isString = !isString;
    else if (isString) continue;
    else if (sign === "[" || sign === "{") deepest = Math.max(deepest, (depth += 1));
    else if (sign === "]" || sign === "}") depth -= 1;
  }
  return deepest;
}

export function jsonChanges(before: unknown, after: unknown): JsonChanges {
  const changes: JsonChange[] = [];
  // One more than is told, to know whether there are more.
  compare({ before, after, pointer: "" }, (change) => changes.push(change) <= DIFFERENCE.jsonChanges);
  return {
    changes: changes.slice(0, DIFFERENCE.jsonChanges),
    more: changes.length > DIFFERENCE.jsonChanges,
  };
}

/** `undefined` for a value that is missing: JSON has none. */
interface Pair {
  readonly before: unknown;
  readonly after: unknown;
  readonly pointer: string;
}

/** @param tell false once enough has been told. @returns false then, too */
function compare({ before, after, pointer }: Pair, tell: (change: JsonChange) => boolean): boolean {
  if (isEqual(before, after)) return true;
  if (Array.isArray(before) && Array.isArray(after))
    return pairsOfItems(before, after, pointer).every((pair) => compare(pair, tell));
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].every((key) =>
      compare(
        { before: valueIn(before, key), after: valueIn(after, key), pointer: `${pointer}/${escaped(key)}` },
        tell,
      ),
    );
  }
  return tell({ pointer, before: shown(before), after: shown(after) });
}

/** Items that stand alike at both ends are left out, so that one that was put in is one change and not many. */
function pairsOfItems(before: readonly unknown[], after: readonly unknown[], pointer: string): Pair[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isEqual(before[start], after[start])) start += 1;
  let end = 0;
  while (end < shorter - start && isEqual(before.at(-1 - end), after.at(-1 - end))) end += 1;
  const count = Math.max(before.length, after.length) - start - end;
  return Array.from({ length: count }, (_, offset) => {
    const at = start + offset;
    return {
      before: at < before.length - end ? before[at] : undefined,
      after: at < after.length - end ? after[at] : undefined,
      pointer: `${pointer}/${at}`,
    };
  });
}

function isEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, at) => isEqual(item, other[at]));
  if (!isRecord(one) || !isRecord(other)) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && isEqual(one[key], other[key]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Own keys alone: `__proto__` and `constructor` are names like any other in JSON. */
function valueIn(record: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function escaped(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function shown(value: unknown): string | undefined {
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined ? undefined : shortened(json, DIFFERENCE.valueChars);
}
