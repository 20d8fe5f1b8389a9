import { parse } from "smol-toml";
import { must } from "../../../errors/must.ts";

/**
 * The places of keys and values in a TOML text that a parser has accepted already. Libraries give the values alone, and an
 * edit that keeps the rest of a file to the byte needs to know where they stand.
 */

/** A key with its value, in a table or between the braces of an inline table. Offsets into the text. */
export interface Pair {
  readonly kind: "pair";
  /** The whole path from the top of the file. */
  readonly path: readonly string[];
  readonly from: number;
  readonly valueFrom: number;
  readonly to: number;
}

export interface Header {
  readonly kind: "header";
  readonly path: readonly string[];
  readonly from: number;
}

/** Every table header and every pair of a text in their order, without those inside of values. */
export function statements(text: string): readonly (Header | Pair)[] {
  const found: (Header | Pair)[] = [];
  let table: readonly string[] = [];
  let at = blankEnd(text, 0);
  while (at < text.length) {
    if (text[at] === "[") {
      const from = at;
      const key = keyAt(text, at + (text[at + 1] === "[" ? 2 : 1));
      table = key.path;
      found.push({ kind: "header", path: table, from });
      at = lineEnd(text, key.to);
    } else {
      const pair = pairAt(text, at, table);
      found.push(pair);
      at = lineEnd(text, pair.to);
    }
    at = blankEnd(text, at);
  }
  return found;
}

/** The pairs of an inline table; undefined where the value is no inline table. */
export function inlinePairs(text: string, { path, valueFrom, to }: Pair): readonly Pair[] | undefined {
  if (text[valueFrom] !== "{") return undefined;
  const found: Pair[] = [];
  let at = valueFrom + 1;
  for (;;) {
    at = blankEnd(text, at);
    while (text[at] === ",") at = blankEnd(text, at + 1);
    if (at >= to - 1) return found;
    const pair = pairAt(text, at, path);
    found.push(pair);
    at = pair.to;
  }
}

function pairAt(text: string, from: number, table: readonly string[]): Pair {
  const key = keyAt(text, from);
  const valueFrom = spaceEnd(text, spaceEnd(text, key.to) + 1); // behind the equals sign
  return { kind: "pair", path: [...table, ...key.path], from, valueFrom, to: valueEnd(text, valueFrom) };
}

/** A dotted key. */
function keyAt(text: string, from: number): { readonly path: readonly string[]; readonly to: number } {
  const path: string[] = [];
  let at = from;
  for (;;) {
    at = spaceEnd(text, at);
    const to = isQuote(text[at]) ? stringEnd(text, at) : wordEnd(text, at);
    const written = text.slice(at, to);
    // The parser itself decodes the escapes of a quoted key.
    path.push(isQuote(written[0]) ? must(Object.keys(parse(`${written} = 1`))[0], "a key") : written);
    const next = spaceEnd(text, to);
    if (text[next] !== ".") return { path, to };
    at = next + 1;
  }
}

function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && /[\w-]/.test(text.charAt(at))) at += 1;
  return at;
}

function valueEnd(text: string, from: number): number {
  const first = text[from];
  if (isQuote(first)) return stringEnd(text, from);
  if (first !== "[" && first !== "{") {
    let at = from;
    while (at < text.length && !/[,\]}#\r\n]/.test(text.charAt(at))) at += 1;
    return at - (text.slice(from, at).length - text.slice(from, at).trimEnd().length);
  }
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const character = text[at];
    if (isQuote(character)) {
      at = stringEnd(text, at);
      continue;
    }
    if (character === "#") {
      at = lineEnd(text, at);
      continue;
    }
    at += 1;
    if (character === "[" || character === "{") depth += 1;
    if (character === "]" || character === "}") depth -= 1;
    if (depth === 0) return at;
  }
  return at;
}

/** The end of a string of any of the four kinds. */
function stringEnd(text: string, from: number): number {
  const quote = text.charAt(from);
  const triple = quote.repeat(3);
  const isLong = text.startsWith(triple, from);
  let at = from + (isLong ? 3 : 1);
  while (at < text.length) {
    if (quote === '"' && text[at] === "\\") at += 2;
    else if (isLong ? text.startsWith(triple, at) : text[at] === quote) break;
    else at += 1;
  }
  at += isLong ? 3 : 1;
  // A long string may end in one or two quotes of its own.
  if (isLong) while (text.charAt(at) === quote) at += 1;
  return at;
}

function isQuote(character: string | undefined): boolean {
  return character === '"' || character === "'";
}

function spaceEnd(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t") at += 1;
  return at;
}

/** The start of the next line. */
export function lineEnd(text: string, from: number): number {
  const at = text.indexOf("\n", from);
  return at === -1 ? text.length : at + 1;
}

/** Behind white space, line ends and comments. */
function blankEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    if (/\s/.test(text.charAt(at))) at += 1;
    else if (text[at] === "#") at = lineEnd(text, at);
    else break;
  }
  return at;
}
