/**
 * The words of a command: a JSON array of strings, or one line. A line is split at white space, without a shell. `'...'`
 * and `"..."` keep a word together, and outside single quotes a backslash takes the next character as it is. Nothing is
 * expanded: `$`, `*` and `~` are characters like any other.
 * @returns undefined for anything else: no program, a second line, an open quote, a backslash at the end, a NUL character
 */
export function splitCommand(text: string): readonly string[] | undefined {
  const words = text.trimStart().startsWith("[") ? jsonWords(text) : lineWords(text);
  const isUsable = words !== undefined && words.every((word) => !word.includes("\0"));
  return isUsable && words[0] !== undefined && words[0] !== "" ? words : undefined;
}

function jsonWords(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((word) => typeof word === "string") ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** White space, or one piece of a word: in single quotes, in double quotes, or bare. No two of them begin alike. */
const PIECE = /(\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|(?:[^\s'"\\]|\\.)+/gy;

function lineWords(text: string): readonly string[] | undefined {
  const line = text.trim();
  const words: string[] = [];
  let word: string | undefined;
  let read = 0;
  for (const [piece, gap, literal, quoted] of line.matchAll(PIECE)) {
    read += piece.length;
    if (gap === undefined) word = (word ?? "") + (literal ?? unescaped(quoted ?? piece));
    else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (word !== undefined) words.push(word);
  return read === line.length && !/[\r\n]/.test(line) ? words : undefined;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}
