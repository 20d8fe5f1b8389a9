/**
 * The part of YAML in which the files of a tunnel are written: maps by indentation, lists of texts, plain and quoted texts,
 * comments. Whatever else YAML has is refused with its line, never guessed at.
 */

export type YamlValue = string | readonly string[] | YamlMap;
export type YamlMap = ReadonlyMap<string, YamlValue>;

/** A text that cannot be read. */
export interface YamlProblem {
  /** From 1. */
  readonly line: number;
  readonly why: string;
}

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

class Unreadable extends Error {
  readonly line: number;
  constructor(line: number, why: string) {
    super(why);
    this.line = line;
  }
}

export function readYaml(text: string): YamlMap | YamlProblem {
  try {
    const lines = linesOf(text);
    const { map, rest } = readMap(lines, lines[0]?.indent ?? 0);
    const [left] = rest;
    if (left !== undefined) throw new Unreadable(left.number, "the indentation does not fit");
    return map;
  } catch (error) {
    if (error instanceof Unreadable) return { line: error.line, why: error.message };
    throw error;
  }
}

export function isYamlProblem(read: YamlMap | YamlProblem): read is YamlProblem {
  return "why" in read;
}

function linesOf(text: string): readonly Line[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .flatMap((raw, at) => {
      const number = at + 1;
      const line = withoutComment(raw).trimEnd();
      if (line.trim() === "" || (line === "---" && number === 1)) return [];
      const indent = line.length - line.trimStart().length;
      if (line.slice(0, indent).includes("\t")) throw new Unreadable(number, "tabs do not indent in YAML");
      return [{ number, indent, text: line.trimStart() }];
    });
}

/** A `#` begins a comment at the start of a line or behind a space, but not inside of quotes. */
function withoutComment(line: string): string {
  let quote = "";
  for (const [at, char] of line.split("").entries()) {
    const before = line[at - 1] ?? " ";
    if (quote !== "") quote = char === quote ? "" : quote;
    else if (char === "#" && /\s/.test(before)) return line.slice(0, at);
    else if (/["']/.test(char) && /[\s[,:-]/.test(before)) quote = char;
  }
  return line;
}

/** The map that begins with the first line, and the lines behind it. */
function readMap(lines: readonly Line[], indent: number): { map: YamlMap; rest: readonly Line[] } {
  const map = new Map<string, YamlValue>();
  let rest = lines;
  for (let line = rest[0]; line !== undefined && line.indent === indent; line = rest[0]) {
    const [, quoted, plain, value = ""] =
      /^(?:("[^"]*"|'[^']*')|([^\s"'[\]{}&*!|>%@`:,#-][^:"']*?))\s*:(?:\s+(.*))?$/.exec(line.text) ?? [];
    const key = plain ?? (quoted === undefined ? undefined : scalar(quoted, line.number));
    if (key === undefined) throw new Unreadable(line.number, "a line of the form `name: value` is expected");
    if (map.has(key)) throw new Unreadable(line.number, "this name is there twice");
    const read = readValue(value.trim(), line, rest.slice(1));
    map.set(key, read.value);
    rest = read.rest;
  }
  const [next] = rest;
  if (next !== undefined && next.indent > indent)
    throw new Unreadable(next.number, "the indentation does not fit");
  return { map, rest };
}

function readValue(
  value: string,
  { indent, number }: Line,
  rest: readonly Line[],
): { value: YamlValue; rest: readonly Line[] } {
  if (value !== "") return { value: inline(value, number), rest };
  const [next] = rest;
  if (next === undefined || next.indent < indent) return { value: "", rest };
  if (/^-(?:\s|$)/.test(next.text)) {
    const end = rest.findIndex((line) => line.indent !== next.indent || !/^-(?:\s|$)/.test(line.text));
    const items = end === -1 ? rest : rest.slice(0, end);
    return {
      value: items.map((line) => item(line.text.slice(1).trim(), line.number)),
      rest: rest.slice(items.length),
    };
  }
  if (next.indent === indent) return { value: "", rest };
  const { map, rest: behind } = readMap(rest, next.indent);
  return { value: map, rest: behind };
}

function inline(value: string, line: number): YamlValue {
  const flow = /^\[(.*)\]$/.exec(value)?.[1];
  if (flow === undefined) return scalar(value, line);
  return flow.trim() === "" ? [] : flow.split(",").map((one) => scalar(one.trim(), line));
}

/** An item of a list, which may be `name: value`: that stays text, since no list of maps belongs into these files. */
function item(text: string, line: number): string {
  return /^[\w-]+:\s/.test(text) ? text : scalar(text, line);
}

function scalar(text: string, line: number): string {
  if (/^'(?:[^']|'')*'$/.test(text)) return text.slice(1, -1).replaceAll("''", "'");
  if (/^"[^"\\]*"$/.test(text)) return text.slice(1, -1);
  if (/^["'&*!|>%@`[\]{}]/.test(text) || /:\s/.test(text))
    throw new Unreadable(line, "this form of a value is not read here: write plain or quoted text");
  return text;
}
