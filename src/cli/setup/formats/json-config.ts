import { isDeepStrictEqual } from "node:util";
import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
  stripComments,
} from "jsonc-parser";
import * as z from "zod/mini";
import { must } from "../../../errors/must.ts";
import type { ServerCommand } from "../../../view/setup/registration.ts";
import { type JsonFormat, SERVER } from "./format.ts";
import { insertProperty, layoutOf, removeProperty, replaceValue } from "./json-text.ts";
import { type ConfigText, type ServerEntry, unusable } from "./config-text.ts";

/** A file of settings in JSON, with or without comments. */
export function jsonConfig(format: JsonFormat): ConfigText {
  const change = (text: string, edit: (text: string, at: Found) => string): string => {
    const whole = text.trim() === "" ? `{}${text.includes("\r\n") ? "\r\n" : "\n"}` : text;
    const found = find(whole, format);
    const changed = edit(whole, found);
    prove(found, changed, format);
    return changed;
  };
  return {
    entry: (text) => (text.trim() === "" ? { kind: "absent" } : entryOf(find(text, format).property)),
    servers: (text) => {
      const properties = text.trim() === "" ? [] : (find(text, format).container?.children ?? []);
      return new Map(properties.map((property) => [String(keyOf(property)), argvOf(property)]));
    },
    add: (text, server) => change(text, (whole, found) => added(whole, found, format.entry(server))),
    update: (text, server) => change(text, (whole) => updated(whole, format, server)),
    replace: (text, server) =>
      change(text, (whole, found) => {
        const [, value] = found.property?.children ?? [];
        if (value === undefined) return added(whole, found, format.entry(server));
        return replaceValue(whole, value, format.entry(server), layoutOf(whole, found.root));
      }),
    remove: (text) =>
      change(text, (whole, { container, property }) =>
        container === undefined || property === undefined
          ? whole
          : removeProperty(whole, container, property),
      ),
    isBare: (text) => {
      if (text.trim() === "") return true;
      // A comment is somebody's, so a file with one is not ours alone. Some clients add the address of their schema by themselves.
      if (stripComments(text) !== text) return false;
      const rest = withoutEntry(find(text, format));
      return isRecord(rest) && Object.keys(rest).every((key) => key === "$schema");
    },
    snippet: (server) =>
      JSON.stringify(nested(containerFor(format), { [SERVER]: format.entry(server) }), null, 2),
  };
}

interface Found {
  readonly root: Node;
  /** The path of the object with the servers, which need not exist yet. */
  readonly path: readonly string[];
  readonly container: Node | undefined;
  readonly property: Node | undefined;
}

/** @throws {Unusable} when the text is no object, or has no room for servers */
function find(text: string, format: JsonFormat): Found {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined)
    throw unusable(`${printParseErrorCode(error.error)} in ${placeOf(text, error.offset)}`);
  if (root?.type !== "object") throw unusable("it is not a JSON object");
  const path = format.containers.find((one) => isContainer(root, one)) ?? containerFor(format);
  for (let depth = 1; depth <= path.length; depth += 1) checkObject(root, path.slice(0, depth));
  const container = findNodeAtLocation(root, [...path]);
  if (container !== undefined) checkOnce(container, SERVER);
  return { root, path, container, property: container?.children?.find((one) => keyOf(one) === SERVER) };
}

/** The place for servers in a file that has none yet. */
function containerFor(format: JsonFormat): readonly string[] {
  return must(format.containers.at(-1), "a place for servers");
}

/** An object with a type is one server, and not a list of them. */
function isContainer(root: Node, path: readonly string[]): boolean {
  const node = findNodeAtLocation(root, [...path]);
  return node?.type === "object" && findNodeAtLocation(node, ["type"])?.type !== "string";
}

function checkObject(root: Node, path: readonly string[]): void {
  const parent = findNodeAtLocation(root, path.slice(0, -1));
  const key = must(path.at(-1), "the key of an object");
  if (parent !== undefined) checkOnce(parent, key);
  const node = findNodeAtLocation(root, [...path]);
  if (node !== undefined && node.type !== "object")
    throw unusable(`"${path.join(".")}" in it is not an object`);
}

/** Readers disagree about two properties of the same name, so that such a file is refused. */
function checkOnce(object: Node, key: string): void {
  const same = (object.children ?? []).filter((property) => keyOf(property) === key);
  if (same.length > 1) throw unusable(`it has "${key}" twice`);
}

function keyOf(property: Node): unknown {
  return property.children?.[0]?.value;
}

function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

const OneString = z.object({ command: z.string(), args: z.optional(z.array(z.string())) });
const OneList = z.object({ command: z.array(z.string()) });

function entryOf(property: Node | undefined): ServerEntry {
  return property === undefined ? { kind: "absent" } : { kind: "present", argv: argvOf(property) };
}

/** Program and arguments of a server; empty where it names no program. */
function argvOf(property: Node): readonly string[] {
  const [, node] = property.children ?? [];
  const value: unknown = node === undefined ? undefined : getNodeValue(node);
  const list = OneList.safeParse(value);
  if (list.success) return list.data.command;
  const parts = OneString.safeParse(value);
  return parts.success ? [parts.data.command, ...(parts.data.args ?? [])] : [];
}

function added(text: string, { root, path, container }: Found, entry: unknown): string {
  const layout = layoutOf(text, root);
  if (container !== undefined) return insertProperty(text, container, SERVER, entry, layout);
  // The innermost existing object takes the missing ones below it.
  let depth = path.length - 1;
  while (depth > 0 && findNodeAtLocation(root, path.slice(0, depth)) === undefined) depth -= 1;
  const parent = must(findNodeAtLocation(root, path.slice(0, depth)), "the innermost existing object");
  const [key, ...below] = path.slice(depth);
  const name = must(key, "the key of a missing object");
  return insertProperty(text, parent, name, nested(below, { [SERVER]: entry }), layout);
}

function nested(path: readonly string[], value: unknown): unknown {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

/** Replaces command and arguments. The user's other settings for the server stay. */
function updated(text: string, format: JsonFormat, server: ServerCommand): string {
  const wanted = Object.entries(format.entry(server)).filter(([key]) => key === "command" || key === "args");
  return wanted.reduce((current, [key, value]) => {
    const { root, property } = find(current, format);
    const [, entry] = property?.children ?? [];
    if (entry === undefined) return current;
    const node = findNodeAtLocation(entry, [key]);
    const layout = layoutOf(current, root);
    return node === undefined
      ? insertProperty(current, entry, key, value, layout)
      : replaceValue(current, node, value, layout);
  }, text);
}

/** Proves that the edit changed the server's entry alone: everything else must read as before. */
function prove(before: Found, text: string, format: JsonFormat): void {
  const after = find(text, format);
  if (!isDeepStrictEqual(withoutEntry(before), withoutEntry(after))) throw unusable("its layout is unusual");
}

function withoutEntry({ root, path }: Found): unknown {
  const copy: unknown = structuredClone(getNodeValue(root));
  let at: unknown = copy;
  const above: Record<string, unknown>[] = [];
  for (const key of path) {
    if (!isRecord(at)) return copy;
    above.push(at);
    at = at[key];
  }
  if (isRecord(at)) delete at[SERVER];
  // An otherwise empty object counts as none.
  for (const [index, key] of [...path.entries()].toReversed()) {
    const holder = above[index];
    const held = holder?.[key];
    if (holder !== undefined && isRecord(held) && Object.keys(held).length === 0) delete holder[key];
  }
  return copy;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
