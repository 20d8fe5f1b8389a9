import { encodeQR } from "qr";

/** Light modules around the code, by the standard (ISO/IEC 18004 §7.3), and as few as phones still read. */
const QUIET = { best: 4, least: 2 } as const;
/** Black on white in every terminal, whatever its own colours are: a code with light and dark swapped is not read by all. */
const [ON, OFF] = ["\u001b[30;107m", "\u001b[39;49m"];

/** Two modules in one cell: upper half, lower half. */
const CELLS = { both: "█", upper: "▀", lower: "▄", none: " " } as const;

/**
 * A text as a QR code for a terminal of this size, two rows of modules in each line; undefined where it does not fit.
 * @param size rows include the one in which a person types
 */
export function qrLines(
  text: string,
  size: { readonly columns: number; readonly rows: number },
): readonly string[] | undefined {
  for (const border of [QUIET.best, QUIET.least]) {
    // A screen loses nothing: the least correction gives the smallest code.
    const modules = encodeQR(text, "raw", { ecc: "low", border });
    const isFitting = modules.length < size.columns && Math.ceil(modules.length / 2) < size.rows;
    if (isFitting) return cellRows(modules).map((row) => `${ON}${row}${OFF}`);
  }
  return undefined;
}

function cellRows(modules: readonly (readonly boolean[])[]): string[] {
  const rows: string[] = [];
  for (let at = 0; at < modules.length; at += 2) {
    const [upper = [], lower] = [modules[at], modules[at + 1]];
    rows.push(upper.map((isDark, column) => cellOf(isDark, lower?.[column] === true)).join(""));
  }
  return rows;
}

function cellOf(isUpperDark: boolean, isLowerDark: boolean): string {
  if (isUpperDark) return isLowerDark ? CELLS.both : CELLS.upper;
  return isLowerDark ? CELLS.lower : CELLS.none;
}
