import { createScanner, type Node } from "jsonc-parser";
import { must } from "../../../errors/must.ts";

/**
 * Changes one property in the text of a JSON file, comments and trailing commas included, and touches nothing else. The
 * library's own edits put a new property between the last one and the comment behind it.
 */

/** The layout of a file. */
export interface Layout {
  readonly eol: string;
  readonly indent: string;
  /** Everything on one line. */
  readonly compact: boolean;
}

/** The layout of a text whose root is `root`. */
export function layoutOf(text: string, root: Node): Layout {
  const first = root.children?.[0];
  const between = first === undefined ? "" : text.slice(root.offset + 1, first.offset);
  const indent = /\n([ \t]+)[^\n]*$/.exec(between)?.[1];
  return {
    eol: text.includes("\r\n") ? "\r\n" : "\n",
    indent: indent ?? "  ",
    compact: first !== undefined && !text.trim().includes("\n"),
  };
}

/** `text` with `key: value` as the last property of `object`. */
export function insertProperty(
  text: string,
  object: Node,
  key: string,
  value: unknown,
  layout: Layout,
): string {
  const close = object.offset + object.length - 1;
  const outer = indentAt(text, object.offset);
  const inner = outer + layout.indent;
  const property = `${JSON.stringify(key)}:${layout.compact ? "" : " "}${render(value, inner, layout)}`;
  const last = object.children?.at(-1);
  const { contentEnd, comma } = tail(text, last === undefined ? object.offset + 1 : endOf(last), close);

  if (last === undefined && contentEnd === object.offset + 1) {
    const body = layout.compact ? property : `${layout.eol}${inner}${property}${layout.eol}${outer}`;
    return splice(text, contentEnd, close, body);
  }
  const head = last !== undefined && comma === undefined ? splice(text, endOf(last), endOf(last), ",") : text;
  const at = contentEnd + (head.length - text.length);
  const isSpread =
    object.children?.some((child) => text.slice(object.offset, child.offset).includes("\n")) ?? true;
  const lead =
    isSpread || last === undefined
      ? layout.eol + childIndent(text, object, inner)
      : layout.compact
        ? ""
        : " ";
  return splice(head, at, at, `${lead}${property}${comma === undefined ? "" : ","}`);
}

/** `text` with another value in the place of `node`. */
export function replaceValue(text: string, node: Node, value: unknown, layout: Layout): string {
  return splice(text, node.offset, endOf(node), render(value, indentAt(text, node.offset), layout));
}

/** `text` without the property, its comma and its line. */
export function removeProperty(text: string, object: Node, property: Node): string {
  const siblings = must(object.children, "the properties of an object");
  const index = siblings.indexOf(property);
  const previous = siblings[index - 1];
  const close = object.offset + object.length - 1;
  const before = tail(text, previous === undefined ? object.offset + 1 : endOf(previous), property.offset);
  const after = tail(text, endOf(property), siblings[index + 1]?.offset ?? close);
  const from = before.contentEnd;
  const to = after.comma === undefined ? endOf(property) : after.comma + 1;
  const isAlone = from === object.offset + 1 && after.contentEnd === to;
  if (isAlone && siblings.length === 1) return splice(text, from, close, "");
  const without = splice(text, from, to, "");
  // The comma ahead of the last property separates nothing any more.
  if (after.comma !== undefined || before.comma === undefined) return without;
  return splice(without, before.comma, before.comma + 1, "");
}

function splice(text: string, from: number, to: number, by: string): string {
  return text.slice(0, from) + by + text.slice(to);
}

function endOf(node: Node): number {
  return node.offset + node.length;
}

/** The text between two properties, or between the last one and the closing brace. */
function tail(text: string, from: number, to: number): { contentEnd: number; comma: number | undefined } {
  const scanner = createScanner(text, false);
  scanner.setPosition(from);
  let contentEnd = from;
  let comma: number | undefined;
  for (scanner.scan(); scanner.getTokenOffset() < to; scanner.scan()) {
    const start = scanner.getTokenOffset();
    const token = text.slice(start, start + scanner.getTokenLength());
    if (token.trim() === "") continue;
    if (token === ",") comma = start;
    contentEnd = start + token.length;
  }
  return { contentEnd, comma };
}

/** The white space with which the line at `offset` begins. */
function indentAt(text: string, offset: number): string {
  const line = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
  return line.slice(0, line.search(/[^ \t]|$/));
}

/** The indent of the existing properties; `fallback` where there are none. */
function childIndent(text: string, object: Node, fallback: string): string {
  const last = object.children?.at(-1);
  return last === undefined ? fallback : indentAt(text, last.offset);
}

function render(value: unknown, indent: string, { compact, indent: unit, eol }: Layout): string {
  if (compact) return JSON.stringify(value);
  return JSON.stringify(value, null, unit).replaceAll("\n", eol + indent);
}
