import { isDeepStrictEqual } from "node:util";
import { parse, stringify, type TomlTable, type TomlValue } from "smol-toml";
import { must } from "../../../errors/must.ts";
import type { ServerCommand } from "../../../view/registration.ts";
import { SERVER } from "./format.ts";
import { type ConfigText, type ServerEntry, unusable } from "./config-text.ts";

/**
 * A file of settings in TOML. Our entry is a table of its own, so it is added and taken out as whole lines. Each result
 * is parsed and compared with the original: a header inside a string, say, is found out before it does harm.
 */
export function tomlConfig(table: string): ConfigText {
  const change = (text: string, edit: (lines: string[]) => string[]): string => {
    const before = read(text);
    const changed = edit(linesOf(text)).join("");
    if (!isDeepStrictEqual(withoutEntry(before, table), withoutEntry(read(changed), table))) {
      throw unusable("its layout is unusual");
    }
    return changed;
  };
  const header = `[${table}.${SERVER}]`;
  const section = (server: ServerCommand): string => `${header}\n${stringify(settingsOf(server))}`;
  const append = (lines: string[], server: ServerCommand): string[] => appended(lines, section(server));
  return {
    entry: (text) => entryOf(read(text), table),
    add: (text, server) => change(text, (lines) => append(lines, server)),
    update: (text, server) => change(text, (lines) => updated(lines, table, server)),
    replace: (text, server) => change(text, (lines) => append(cut(lines, table), server)),
    remove: (text) => change(text, (lines) => cut(lines, table)),
    snippet: (server) => section(server).trimEnd(),
  };
}

function read(text: string): TomlTable {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    // The parser's message quotes the file.
    const line =
      error instanceof Error && "line" in error && typeof error.line === "number" ? error.line : undefined;
    throw unusable(line === undefined ? "it is not TOML" : `it is not TOML from line ${line} on`);
  }
}

function settingsOf({ command, args }: ServerCommand): Record<string, unknown> {
  return { command, args: [...args] };
}

function entryOf(root: TomlTable, table: string): ServerEntry {
  const servers = root[table];
  if (servers === undefined) return { kind: "absent" };
  if (!isTable(servers)) throw unusable(`"${table}" in it is not a table`);
  const entry = servers[SERVER];
  if (entry === undefined) return { kind: "absent" };
  if (!isTable(entry)) return { kind: "present", argv: [] };
  const { command, args = [] } = entry;
  const isArgs = Array.isArray(args) && args.every((arg) => typeof arg === "string");
  return {
    kind: "present",
    argv: typeof command === "string" && isArgs ? [command, ...args.map(String)] : [],
  };
}

function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);
}

/** Everything but our entry. An otherwise empty table of servers counts as none. */
function withoutEntry(root: TomlTable, table: string): unknown {
  const { [table]: servers, ...rest } = root;
  if (servers === undefined || !isTable(servers)) return { ...root };
  const others = Object.entries(servers).filter(([name]) => name !== SERVER);
  return others.length === 0 ? rest : { ...rest, [table]: Object.fromEntries(others) };
}

/** The lines of a text, each with its end. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function appended(lines: readonly string[], section: string): string[] {
  const eol = lines[0]?.endsWith("\r\n") === true ? "\r\n" : "\n";
  const ours = linesOf(section.trimEnd()).map((line) => line.replace(/\n$/, eol));
  const last = lines.at(-1);
  if (last === undefined) return [...ours, eol];
  // A file whose last line has no end gets none from us, so that taking the table out restores it.
  return last.endsWith("\n") ? [...lines, eol, ...ours, eol] : [...lines, eol, eol, ...ours];
}

const HEADER = /^\s*\[{1,2}[^[\]]+\]{1,2}\s*(?:#.*)?$/;

/** The lines of our server's tables, those below it included. */
function sections(lines: readonly string[], table: string): { from: number; to: number }[] {
  const ours = new RegExp(`^\\s*\\[\\s*["']?${table}["']?\\s*\\.\\s*["']?${SERVER}["']?\\s*[.\\]]`);
  const headers = lines.flatMap((line, index) => (HEADER.test(line.trimEnd()) ? [index] : []));
  return headers.flatMap((from, index) => {
    if (!ours.test(must(lines[from], "a header"))) return [];
    const next = headers[index + 1] ?? lines.length;
    // Comments ahead of the next table belong to that table.
    let to = next;
    while (to > from + 1 && /^\s*(?:#|$)/.test(must(lines[to - 1], "a line"))) to -= 1;
    return [{ from, to }];
  });
}

function cut(lines: readonly string[], table: string): string[] {
  const isBlank = (index: number): boolean => lines[index]?.trim() === "";
  const dropped = new Set<number>();
  let endsOpen = false;
  for (const { from, to } of sections(lines, table)) {
    for (let index = from; index < to; index += 1) dropped.add(index);
    let after = to;
    while (isBlank(after)) dropped.add(after++);
    if (after < lines.length) continue;
    if (isBlank(from - 1)) dropped.add(from - 1);
    endsOpen = lines.at(-1)?.endsWith("\n") === false;
  }
  const kept = lines.filter((_, index) => !dropped.has(index));
  const last = kept.at(-1);
  return endsOpen && last !== undefined ? [...kept.slice(0, -1), last.replace(/\r?\n$/, "")] : kept;
}

function updated(lines: readonly string[], table: string, server: ServerCommand): string[] {
  return Object.entries(settingsOf(server)).reduce<string[]>(
    (current, [key, value]) => {
      const [section] = sections(current, table);
      if (section === undefined) return current;
      const { from, to } = section;
      const found = current.findIndex((line, index) => index > from && index < to && isSetting(line, key));
      const at = found === -1 ? from + 1 : found;
      const length = found === -1 ? 0 : lengthOfSetting(current, at, to);
      // The end of the replaced line; a last line may have none.
      const end = /\r?\n$/.exec(must(current[length === 0 ? from : at + length - 1], "a line"))?.[0] ?? "";
      return current.toSpliced(at, length, stringify({ [key]: value }).trimEnd() + end);
    },
    [...lines],
  );
}

function isSetting(line: string, key: string): boolean {
  return new RegExp(`^\\s*["']?${key}["']?\\s*=`).test(line);
}

/** The number of lines of a setting: as many as make it TOML by itself. */
function lengthOfSetting(lines: readonly string[], at: number, to: number): number {
  for (let end = at + 1; end <= to; end += 1) {
    try {
      read(lines.slice(at, end).join(""));
      return end - at;
    } catch {
      continue;
    }
  }
  throw unusable("its layout is unusual");
}
