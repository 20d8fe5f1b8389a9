import { graphemes, widestOf } from "../../io/width.ts";
import { usableColumns } from "../../io/wrap.ts";

/** The line that is being typed, on as many rows as it needs. */
interface TypedRows {
  readonly rows: readonly string[];
  /** The row that the cursor is in, and the text before it there. */
  readonly cursorRow: number;
  readonly beforeCursor: string;
}

const TAB = "    ";

/**
 * Lays the line out in rows of its own, so that no terminal has to break it: they disagree on widths, and a row that is one cell too
 * long moves all that stands above it.
 * @param cursor in UTF-16 units of `line`
 */
export function typedRows(prompt: string, line: string, cursor: number, columns: number): TypedRows {
  const width = usableColumns(columns);
  const rows: string[] = [];
  let row = "";
  let used = 0;
  let at = -prompt.length;
  let found: { row: number; before: string } | undefined;
  for (const grapheme of [...graphemes(prompt), ...graphemes(line)]) {
    const shown = grapheme === "\t" ? TAB : grapheme;
    const needed = shown === TAB ? TAB.length : widestOf(grapheme);
    if (used + needed > width && row !== "") {
      rows.push(row);
      row = "";
      used = 0;
    }
    if (at >= 0 && at + grapheme.length > cursor) found ??= { row: rows.length, before: row };
    row += shown;
    used += needed;
    at += grapheme.length;
  }
  rows.push(row);
  const { row: cursorRow, before: beforeCursor } = found ?? { row: rows.length - 1, before: row };
  return { rows, cursorRow, beforeCursor };
}

/**
 * So many of the rows as stay on the screen, around the cursor; lines at the edges tell how many are not shown. What was printed
 * above stays visible then, however long a text was pasted.
 */
export function windowOf({ rows, cursorRow, beforeCursor }: TypedRows, most: number): TypedRows {
  if (rows.length <= most) return { rows, cursorRow, beforeCursor };
  const inside = Math.max(1, most - 2);
  const first = Math.min(Math.max(0, cursorRow - (inside >> 1)), rows.length - inside);
  const after = rows.length - first - inside;
  const above = first > 0 ? [`↑ ${first} more rows`] : [];
  const below = after > 0 ? [`↓ ${after} more rows`] : [];
  return {
    rows: [...above, ...rows.slice(first, first + inside), ...below],
    cursorRow: cursorRow - first + above.length,
    beforeCursor,
  };
}
