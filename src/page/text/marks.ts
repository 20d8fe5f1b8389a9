/** Around the number of a hidden character: both hide themselves, so no text has them once its own are replaced. */
export const [OPEN, CLOSE] = ["\u{e000}", "\u{e001}"] as const;

const MARK = new RegExp(`${OPEN}([0-9A-F]+)${CLOSE}`, "g");

/** A marked text as it was: what a person changes is the text itself. */
export function unmarked(text: string): string {
  return text.replace(MARK, (_mark, point: string) => String.fromCodePoint(Number.parseInt(point, 16)));
}
