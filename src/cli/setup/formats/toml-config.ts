import { isDeepStrictEqual } from "node:util";
import { parse, stringify, TomlError, type TomlTable, type TomlValue } from "smol-toml";
import { must } from "../../../errors/must.ts";
import type { ServerCommand } from "../../../view/setup/registration.ts";
import { SERVER } from "./format.ts";
import { type ConfigText, type ServerEntry, unusable } from "./config-text.ts";
import { inlinePairs, lineEnd, type Pair, statements } from "./toml-text.ts";

/**
 * A file of settings in TOML. Our entry is a table of its own in whole lines, or a part of an inline table where the file
 * has its servers in one. Each result is parsed and compared with the original.
 */
export function tomlConfig(table: string): ConfigText {
  const change = (text: string, edit: (text: string) => string): string => {
    const before = read(text);
    const changed = edit(text);
    if (!isDeepStrictEqual(withoutEntry(before, table), withoutEntry(read(changed), table))) {
      throw unusable("its layout is unusual");
    }
    return changed;
  };
  return {
    entry: (text) => entryOf(read(text), table),
    servers: (text) =>
      new Map(Object.entries(serversOf(read(text), table)).map(([name, entry]) => [name, argvOf(entry)])),
    add: (text, server) => change(text, () => added(text, table, server)),
    update: (text, server) => change(text, () => updated(text, table, server)),
    replace: (text, server) => change(text, () => added(without(text, table), table, server)),
    remove: (text) => change(text, () => without(text, table)),
    // A comment is somebody's, so a file with one is not ours alone.
    isBare: (text) =>
      isDeepStrictEqual(withoutEntry(read(text), table), {}) && !without(text, table).includes("#"),
    snippet: (server) => section(table, server).trimEnd(),
  };
}

function read(text: string): TomlTable {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    // The parser's message quotes the file.
    if (!(error instanceof TomlError)) throw error;
    throw unusable(`it is not TOML from line ${error.line} on (column ${error.column})`);
  }
}

function settingsOf({ command, args }: ServerCommand): Record<string, unknown> {
  return { command, args: [...args] };
}

function entryOf(root: TomlTable, table: string): ServerEntry {
  const entry = serversOf(root, table)[SERVER];
  return entry === undefined ? { kind: "absent" } : { kind: "present", argv: argvOf(entry) };
}

function serversOf(root: TomlTable, table: string): TomlTable {
  const servers = root[table] ?? {};
  if (!isTable(servers)) throw unusable(`"${table}" in it is not a table`);
  return servers;
}

/** Program and arguments of a server; empty where it names no program. */
function argvOf(entry: TomlValue): readonly string[] {
  if (!isTable(entry)) return [];
  const { command, args = [] } = entry;
  const isArgs = Array.isArray(args) && args.every((arg) => typeof arg === "string");
  return typeof command === "string" && isArgs ? [command, ...args.map(String)] : [];
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

function section(table: string, server: ServerCommand): string {
  return `[${table}.${SERVER}]\n${stringify(settingsOf(server))}`;
}

/** A pair as it stands in one line. */
function written(key: string, value: unknown): string {
  return stringify({ [key]: value }).trimEnd();
}

/** The pairs whose path begins with that of our entry, or leads to it: those outermost in the text. */
function places(
  text: string,
  table: string,
): { readonly ours: readonly Place[]; readonly around: Place | undefined } {
  const target = [table, SERVER];
  const ours: Place[] = [];
  let around: Place | undefined;
  const look = (pair: Pair, holder: Place | undefined): void => {
    const place: Place = { ...pair, holder };
    if (startsWith(pair.path, target)) ours.push(place);
    else if (startsWith(target, pair.path)) {
      around = place;
      for (const inner of inlinePairs(text, pair) ?? []) look(inner, place);
    }
  };
  for (const statement of statements(text)) if (statement.kind === "pair") look(statement, undefined);
  return { ours, around };
}

/** A pair with the inline table around it. */
interface Place extends Pair {
  readonly holder: Place | undefined;
}

function startsWith(path: readonly string[], start: readonly string[]): boolean {
  return start.every((key, index) => path[index] === key);
}

function added(text: string, table: string, server: ServerCommand): string {
  const { around } = places(text, table);
  if (around === undefined) return appended(linesOf(text), section(table, server)).join("");
  const settings = Object.entries(settingsOf(server)).map(([key, value]) => written(key, value));
  return withMember(text, around, `${SERVER} = { ${settings.join(", ")} }`);
}

/** Puts one more pair at the end of an inline table. */
function withMember(text: string, table: Pair, pair: string): string {
  const last = inlinePairs(text, table)?.at(-1);
  if (last === undefined) return splice(text, table.valueFrom + 1, table.to - 1, ` ${pair} `);
  const line = text.slice(text.lastIndexOf("\n", last.from) + 1, last.from);
  // Each pair on a line of its own, as TOML 1.1 allows, or all on one.
  const isSpread = line.trim() === "" && line.length < last.from - table.valueFrom;
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  return splice(text, last.to, last.to, isSpread ? `,${eol}${line}${pair}` : `, ${pair}`);
}

/** Takes a pair out of the inline table around it, with the comma that separated it. */
function withoutMember(text: string, { holder, from, to }: Place): string {
  const pairs = inlinePairs(text, must(holder, "the inline table of a pair")) ?? [];
  const index = pairs.findIndex((pair) => pair.from === from);
  const [previous, next] = [pairs[index - 1], pairs[index + 1]];
  if (previous !== undefined) return splice(text, previous.to, to, "");
  if (next !== undefined) return splice(text, from, next.from, "");
  const { valueFrom, to: end } = must(holder, "the inline table of a pair");
  return splice(text, valueFrom + 1, end - 1, "");
}

function splice(text: string, from: number, to: number, by: string): string {
  return text.slice(0, from) + by + text.slice(to);
}

/** The text without our entry, in whatever form it stands there. */
function without(text: string, table: string): string {
  // The last one first, so that the offsets of the others stay right. Those in tables of their own go with their lines.
  const { ours } = places(text, table);
  const spans = sections(linesOf(text), text, table);
  const inSection = ({ from }: Pair): boolean => spans.some((span) => from >= span.start && from < span.end);
  const loose = ours.filter((place) => !inSection(place)).toReversed();
  const rest = loose.reduce(
    (current, place) =>
      place.holder === undefined
        ? splice(current, current.lastIndexOf("\n", place.from) + 1, lineEnd(current, place.to), "")
        : withoutMember(current, place),
    text,
  );
  return cut(linesOf(rest), rest, table).join("");
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

interface Section {
  /** The numbers of its first line and of the line behind its last one. */
  readonly from: number;
  readonly to: number;
  /** The same as offsets. */
  readonly start: number;
  readonly end: number;
}

/** The lines of our server's tables, those below it included. */
function sections(lines: readonly string[], text: string, table: string): readonly Section[] {
  const headers = statements(text).filter((statement) => statement.kind === "header");
  const lineAt = (offset: number): number => linesOf(text.slice(0, offset)).length;
  return headers.flatMap(({ path, from: start }, index) => {
    if (!startsWith(path, [table, SERVER])) return [];
    const from = lineAt(text.lastIndexOf("\n", start) + 1);
    const next = headers[index + 1];
    // Comments ahead of the next table belong to that table.
    let to = next === undefined ? lines.length : lineAt(text.lastIndexOf("\n", next.from) + 1);
    while (to > from + 1 && /^\s*(?:#|$)/.test(must(lines[to - 1], "a line"))) to -= 1;
    return [{ from, to, start, end: lines.slice(0, to).join("").length }];
  });
}

function cut(lines: readonly string[], text: string, table: string): string[] {
  const isBlank = (index: number): boolean => lines[index]?.trim() === "";
  const dropped = new Set<number>();
  let endsOpen = false;
  for (const { from, to } of sections(lines, text, table)) {
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

function updated(text: string, table: string, server: ServerCommand): string {
  return Object.entries(settingsOf(server)).reduce(
    (current, [key, value]) => withSetting(current, table, key, value),
    text,
  );
}

/** The text with another value for one setting of our entry. */
function withSetting(text: string, table: string, key: string, value: unknown): string {
  const { ours } = places(text, table);
  const pairs = ours.flatMap((place) => [place, ...(inlinePairs(text, place) ?? [])]);
  const found = pairs.find(({ path }) => path.length === 3 && path[2] === key);
  const setting = written(key, value);
  if (found !== undefined)
    return splice(text, found.valueFrom, found.to, setting.slice(key.length + " = ".length));
  const whole = pairs.find(({ path }) => path.length === 2);
  if (whole !== undefined) return withMember(text, whole, setting);
  const header = statements(text).find(
    ({ kind, path }) => kind === "header" && path.length === 2 && path[1] === SERVER,
  );
  if (header === undefined) throw unusable("its layout is unusual");
  const at = lineEnd(text, header.from);
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const isOpen = at === text.length && !text.endsWith("\n");
  return splice(text, at, at, isOpen ? eol + setting : setting + eol);
}
