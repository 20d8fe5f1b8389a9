import { must } from "../../../errors/must.ts";
import { jsonEscape, replaceHidden } from "../../../protocol/base/hidden-text.ts";
import { shownGoal, shownLabel } from "../../../view/labels.ts";
import { piecesFor, widestOf, widthOf } from "../../io/width.ts";
import { rowsOf, usableColumns } from "../../io/wrap.ts";

/**
 * Text of peers on its way to a terminal. A terminal obeys what it shows: it moves the cursor, rewrites lines, fills the
 * clipboard, and lets one line pass for another. The protocol refuses most of that already; this refusal does not depend
 * on it.
 */

function escaped(char: string): string {
  return `\\u{${must(char.codePointAt(0), "a code point").toString(16).toUpperCase()}}`;
}

/** A label as one line. A run of white space could push the rest to another place, so it becomes one space. */
export function safeLabel(text: string): string {
  return replaceHidden(text.replace(/[^\S\n]+/g, " "), escaped).replaceAll("\n", escaped);
}

/** A name that a peer has chosen, for a member or a file, among words of this program. */
export function safeName(name: string): string {
  return safeLabel(shownLabel(name));
}

/** The goal that the host has chosen. */
export function safeGoal(goal: string): string {
  return safeLabel(shownGoal(goal));
}

/** The text of a message. Line ends stay; show it with {@link withGutter}. */
export function safeText(text: string): string {
  return replaceHidden(text.replace(/\t/g, "    "), escaped);
}

/** The same JSON value, written without the characters that a terminal would obey or hide. */
export function safeJson(value: unknown): string {
  return replaceHidden(JSON.stringify(value), jsonEscape);
}

const GUTTER = "  │ ";
/** Cuts a line so that it fits into one row of so many columns without reaching its end. */
export function oneRow(text: string, columns: number): string {
  const width = usableColumns(columns);
  const [row = "", ...more] = rowsOf(text, width);
  if (more.length === 0) return row;
  return `${rowsOf(text, width - 1)[0] ?? ""}…`;
}

/**
 * `text` after `head`, every further row behind a gutter: a peer's text can then not begin a row, and so not pass for a
 * line of somebody else.
 * @param columns width of the terminal, or undefined where nothing wraps
 */
export function withGutter(head: string, text: string, columns: number | undefined): string {
  const width = usableColumns(columns);
  const [line, ...rest] = text.split("\n");
  const first = must(line, "the first line");
  const fits = widthOf(head) + widthOf(first) <= width;
  const rows = (fits ? rest : [first, ...rest]).flatMap((line) => wrapped(line, width - widthOf(GUTTER)));
  return [fits ? `${head}${first}` : head.trimEnd(), ...rows.map((row) => `${GUTTER}${row}`)].join("\n");
}

function wrapped(line: string, width: number): string[] {
  const rows: string[] = [];
  let row = "";
  let used = 0;
  for (const grapheme of piecesFor(line, width)) {
    const needed = widestOf(grapheme);
    if (used + needed > width && row !== "") {
      // Breaks between words where it can.
      const space = row.lastIndexOf(" ");
      const cut = space > row.length / 2 ? space + 1 : row.length;
      rows.push(row.slice(0, cut).trimEnd());
      row = row.slice(cut);
      used = widthOf(row);
    }
    row += grapheme;
    used += needed;
  }
  return [...rows, row];
}
