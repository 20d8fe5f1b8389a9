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

/** Text of this program, wrapped at its words. Lines that fit stay as they are; a link is never cut, since people copy it. */
export function wrapWords(text: string, columns: number | undefined): string {
  const width = usableColumns(columns);
  if (width === Number.POSITIVE_INFINITY) return text;
  return text
    .split("\n")
    .flatMap((line) => (widthOf(line) <= width ? [line] : wrappedLine(line, width)))
    .join("\n");
}

function wrappedLine(line: string, width: number): string[] {
  const indent = " ".repeat(indentOf(line, width));
  // The spaces of a column are no place to break.
  const head = COLUMN.exec(line)?.[0] ?? BULLET.exec(line)?.[0] ?? "";
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

function indentOf(line: string, width: number): number {
  const column = widthOf(COLUMN.exec(line)?.[0] ?? "");
  if (column > 0 && column <= width / 2) return column;
  const bullet = widthOf(BULLET.exec(line)?.[0] ?? "");
  return Math.min(bullet + (bullet > 0 && /\S/.test(line.slice(0, bullet)) ? 0 : HANGING), width >> 1);
}

/** A word that no row can hold, in pieces that rows can; a link stays whole. */
function piecesOf(word: string, width: number): string[] {
  return widthOf(word) <= width || word.includes("://") || word.includes("\u001b")
    ? [word]
    : rowsOf(word, width);
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
