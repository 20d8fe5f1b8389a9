import { MAX_EMPTY_LINES } from "./plain.ts";

/**
 * Markdown as agents write it, read into a small tree that the page draws with elements and text nodes. There is no HTML in it, no
 * image and no link that could be followed: an address is shown as it is. Whatever is not understood stays as it was written. Reading
 * takes time in proportion to the text.
 */
export type Inline =
  | { readonly t: "text"; readonly text: string }
  | { readonly t: "code"; readonly text: string }
  | { readonly t: "strong" | "em"; readonly text: string }
  | { readonly t: "link"; readonly text: string; readonly url: string };

export type Block =
  | { readonly t: "p"; readonly inlines: readonly Inline[] }
  | { readonly t: "heading"; readonly inlines: readonly Inline[] }
  | { readonly t: "quote"; readonly inlines: readonly Inline[] }
  | { readonly t: "code"; readonly lang: string; readonly text: string }
  | { readonly t: "list"; readonly isOrdered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly t: "rule" }
  /** So many empty lines in a row, where they would push out of sight what follows them. */
  | { readonly t: "gap"; readonly count: number };

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/;
const HEADING = /^ {0,3}#{1,6}\s+(.*)$/;
const ITEM = /^\s{0,6}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?(.*)$/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,})\s*$/;
/** Code, strong, emphasis, a link, a bare address: each without the others in it, and within one line. */
const INLINE =
  /(`{1,3})([^`\n]+)\1|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s][^*\n]*)\*(?![\w*])|(?<!\w)_([^_\s][^_\n]*)_(?!\w)|\[([^[\]\n]{1,500})\]\(([^)\s]{1,2000})\)|(https?:\/\/[^\s<>"'`)\]]{1,2000})/g;

export function inlinesOf(text: string): readonly Inline[] {
  const found: Inline[] = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) found.push({ t: "text", text: text.slice(from, match.index) });
    found.push(inlineOf(match));
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ t: "text", text: text.slice(from) });
  return found;
}

function inlineOf([all, , code, strong, star, bar, label, target, bare]: RegExpExecArray): Inline {
  if (code !== undefined) return { t: "code", text: code };
  if (strong !== undefined) return { t: "strong", text: strong };
  const em = star ?? bar;
  if (em !== undefined) return { t: "em", text: em };
  if (label !== undefined && target !== undefined) return { t: "link", text: label, url: target };
  return bare === undefined ? { t: "text", text: all } : { t: "link", text: "", url: bare };
}

export function blocksOf(source: string): readonly Block[] {
  const lines = source.split("\n");
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  let empty = 0;
  const flush = (): void => {
    if (paragraph.length > 0) blocks.push({ t: "p", inlines: inlinesOf(paragraph.join("\n")) });
    paragraph = [];
    if (empty > MAX_EMPTY_LINES) blocks.push({ t: "gap", count: empty });
    empty = 0;
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const block = blockAt(lines, at);
    if (block === undefined) {
      if (line.trim() === "") empty += 1;
      else {
        if (empty > 0) flush();
        paragraph.push(line);
      }
      continue;
    }
    flush();
    blocks.push(block.block);
    at = block.end;
  }
  flush();
  return blocks;
}

interface Found {
  readonly block: Block;
  /** Its last line. */
  readonly end: number;
}

function blockAt(lines: readonly string[], at: number): Found | undefined {
  const line = lines[at] ?? "";
  const fence = FENCE.exec(line);
  if (fence !== null) return codeAt(lines, at, fence);
  if (RULE.test(line)) return { block: { t: "rule" }, end: at };
  const heading = HEADING.exec(line)?.[1];
  if (heading !== undefined) return { block: { t: "heading", inlines: inlinesOf(heading) }, end: at };
  if (QUOTE.test(line)) {
    const { texts, end } = run(lines, at, (one) => QUOTE.exec(one)?.[1]);
    return { block: { t: "quote", inlines: inlinesOf(texts.join("\n")) }, end };
  }
  const item = ITEM.exec(line);
  if (item === null) return undefined;
  const { texts, end } = run(lines, at, (one) => ITEM.exec(one)?.[2]);
  return { block: { t: "list", isOrdered: item[1] !== undefined, items: texts.map(inlinesOf) }, end };
}

function run(
  lines: readonly string[],
  from: number,
  read: (line: string) => string | undefined,
): { readonly texts: readonly string[]; readonly end: number } {
  const texts: string[] = [];
  for (let at = from; at < lines.length; at += 1) {
    const text = read(lines[at] ?? "");
    if (text === undefined) return { texts, end: at - 1 };
    texts.push(text);
  }
  return { texts, end: lines.length - 1 };
}

function codeAt(lines: readonly string[], at: number, [, mark = "```", lang = ""]: RegExpExecArray): Found {
  const isEnd = (line: string): boolean =>
    line.trim() === mark || (line.trim().startsWith(mark) && /^[`~]+$/.test(line.trim()));
  let end = at + 1;
  while (end < lines.length && !isEnd(lines[end] ?? "")) end += 1;
  return { block: { t: "code", lang, text: lines.slice(at + 1, end).join("\n") }, end };
}
