import { widthOf } from "../io/width.ts";
import { usableColumns } from "../io/wrap.ts";

/** Rows under titles; where they are too wide for the terminal, a block of lines for each row. The first title is that of its name. */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | undefined,
): string {
  const all = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ""))));
  const needed = widths.reduce((sum, width) => sum + width + 2, -2);
  if (needed <= usableColumns(columns)) return all.map((row) => padded(row, widths)).join("\n");
  const width = Math.max(...titles.map(widthOf));
  return rows.map((row) => blockOf(row, titles, width)).join("\n\n");
}

function padded(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - widthOf(cell)))
    .join("  ")
    .trimEnd();
}

function blockOf(
  [name = "", ...cells]: readonly string[],
  [, ...titles]: readonly string[],
  width: number,
): string {
  const lines = cells.map((cell, at) =>
    cell === "" ? [] : [`  ${(titles[at] ?? "").padEnd(width)}  ${cell}`],
  );
  return [name, ...lines.flat()].join("\n");
}
