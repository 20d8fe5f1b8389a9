import { piecesFor, widestOf, widthOf } from "./width.ts";

/** Wrapping gains nothing below this width. */
const MIN_COLUMNS = 20;

/** Cells that may be filled: a terminal that has filled its last one may be on either row. */
export function usableColumns(columns: number | undefined): number {
  return columns === undefined ? Number.POSITIVE_INFINITY : Math.max(columns, MIN_COLUMNS) - 1;
}

/** A second column, as in lists of commands and of findings: the rows below stand under it. */
const COLUMN = /^\s*\S.*?\s{2,}(?=\S)/;
const BULLET = /^\s*(?:[-*!…•] )?/;
/** A row that begins further in than others never passes for a line of its own, whatever words it has. */
const HANGING = 2;

/** Text of this program, wrapped at its words. Lines that fit stay as they are. */
export function wrapWords(text: string, columns: number | undefined): string {
  const width = usableColumns(columns);
  if (width === Number.POSITIVE_INFINITY) return text;
  return text
    .split("\n")
    .flatMap((line) => (widthOf(line) <= width ? [line] : wrappedLine(line, width)))
    .join("\n");
}

function wrappedLine(line: string, width: number): string[] {
  const { head, indent } = beginningOf(line, width);
  const rows: string[] = [];
  let row = head;
  let isEmpty = true;
  for (const word of line.slice(head.length).split(" ")) {
    const longer = isEmpty ? row + word : `${row} ${word}`;
    if (widthOf(longer) <= width) {
      row = longer;
      isEmpty = false;
      continue;
    }
    if (!isEmpty || row.trim() !== "") rows.push(row.trimEnd());
    const [last = "", ...full] = piecesOf(word, width - indent.length).toReversed();
    rows.push(...full.toReversed().map((piece) => indent + piece));
    row = indent + last;
    isEmpty = last === "";
  }
  return [...rows, row];
}

/** The beginning of a line that is not broken, and that of its further rows. */
function beginningOf(line: string, width: number): { readonly head: string; readonly indent: string } {
  const column = COLUMN.exec(line)?.[0] ?? "";
  if (column !== "" && widthOf(column) <= width / 2)
    return { head: column, indent: " ".repeat(widthOf(column)) };
  const bullet = BULLET.exec(line)?.[0] ?? "";
  const depth = widthOf(bullet) + (/\S/.test(bullet) ? 0 : HANGING);
  return { head: bullet, indent: " ".repeat(Math.min(depth, width >> 1)) };
}

/** A link or a path is copied from the screen, so that it stays whole and the terminal breaks it. */
const COPIED = /[/\\]/;

/** A word that no row can hold, in pieces that rows can. */
function piecesOf(word: string, width: number): string[] {
  const isWhole = widthOf(word) <= width || COPIED.test(word) || word.includes("\u001b");
  return isWhole ? [word] : rowsOf(word, width);
}

/** The text cut between its graphemes into rows of so many cells. */
export function rowsOf(text: string, width: number): string[] {
  const rows: string[] = [];
  let row = "";
  let used = 0;
  for (const grapheme of piecesFor(text, width)) {
    const needed = widestOf(grapheme);
    if (used + needed > width && row !== "") {
      rows.push(row);
      row = "";
      used = 0;
    }
    row += grapheme;
    used += needed;
  }
  return [...rows, row];
}
