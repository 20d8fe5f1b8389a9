import { ViewBuilder, type View } from "./view.ts";

const NEWLINE = 0x0a;
const bytesOf = (text: string): ReadonlySet<number> => new Set(Array.from(text, (one) => one.charCodeAt(0)));

/** At the end of a line: blanks, a quotation that is closed, and the sign that it goes on. */
const AT_END = bytesOf(" \t\r\"'`\\");
/** At the start of a line: blanks, a quotation that is opened or cited, marks of lists and of comments. */
const AT_START = bytesOf(" \t\"'`>|*#");
const SPACE = 0x20;
const PLUS = 0x2b;
const MINUS = 0x2d;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const LOWER_N = 0x6e;
const HUNK = "\n@@ -";

/**
 * The content on one line, as a secret reads that was wrapped, quoted, or put together from two strings. In a patch the marks
 * of its lines go, too. Undefined where there is one line only.
 */
export function joined(source: View): View | undefined {
  const { bytes } = source;
  if (!bytes.includes(NEWLINE)) return undefined;
  const isPatch = bytes.includes(HUNK, 0, "latin1");
  const builder = new ViewBuilder("wrapped", source);
  let from = 0;
  for (let newline = bytes.indexOf(NEWLINE); newline >= 0; newline = bytes.indexOf(NEWLINE, from)) {
    builder.copy(from, lineEnd(bytes, from, newline));
    from = lineStart(bytes, newline + 1, isPatch);
    builder.from(from);
  }
  builder.copy(from, bytes.length);
  return builder.build();
}

function lineEnd(bytes: Uint8Array, from: number, newline: number): number {
  let end = trimmed(bytes, from, newline);
  // A plus behind a blank or a quotation joins two strings; any other one is a letter of base64.
  if (bytes[end - 1] === PLUS && AT_END.has(bytes[end - 2] ?? 0)) end = trimmed(bytes, from, end - 1);
  // `\n"`: the end of a line that is written out.
  return bytes[end - 1] === LOWER_N && bytes[end - 2] === BACKSLASH && end - 2 > from ? end - 2 : end;
}

function trimmed(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && AT_END.has(bytes[end - 1] ?? 0)) end -= 1;
  return end;
}

function lineStart(bytes: Uint8Array, start: number, isPatch: boolean): number {
  let at = start;
  const mark = bytes[at];
  if (isPatch && (mark === PLUS || mark === MINUS || mark === SPACE)) at += 1;
  while (AT_START.has(bytes[at] ?? 0)) at += 1;
  if (bytes[at] === SLASH && bytes[at + 1] === SLASH && bytes[at + 2] === SPACE) at += 3;
  return at;
}
