/** Shorter pieces than this part of the room are not made for the sake of a line's end. */
const LINE_SHARE = 1 / 2;

/** Characters of a text in JSON, without the quotation marks. */
function jsonChars(text: string): number {
  return JSON.stringify(text).length - 2;
}

/**
 * The ends of the pieces of a text that each take `room` at most in JSON: at the end of a line where one is near, else
 * between words, else between what people see as characters. A single one of these that is longer is cut between code points.
 * @param room characters, 12 at least
 */
export function endsOfPieces(text: string, room: number): number[] {
  const ends: number[] = [];
  for (let start = 0; start < text.length;) {
    // With the code point behind it: whether a character ends where the room does, depends on what follows.
    const behind = start + room + 2;
    const end = start + pieceAt(text.slice(start, behind), room, behind >= text.length);
    ends.push(end);
    start = end;
  }
  return ends.length === 0 ? [0] : ends;
}

/** The length of the first piece. @param isRest nothing comes after this text */
function pieceAt(text: string, room: number, isRest: boolean): number {
  if (isRest && jsonChars(text) <= room) return text.length;
  const most = longestWithin(text, room);
  const line = text.lastIndexOf("\n", most - 1) + 1;
  if (line >= most * LINE_SHARE) return line;
  const word = text.lastIndexOf(" ", most - 1) + 1;
  return betweenCharacters(text, word >= most * LINE_SHARE ? word : most);
}

/** The longest beginning that fits. It may end in the middle of a pair of surrogates. */
function longestWithin(text: string, room: number): number {
  let low = 1;
  let high = Math.min(text.length, room);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    // The half of a pair would be written as an escape of six.
    if (jsonChars(text.slice(0, isInsidePair(text, middle) ? middle - 1 : middle)) <= room) low = middle;
    else high = middle - 1;
  }
  return low;
}

function isInsidePair(text: string, at: number): boolean {
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(at - 1, at + 1));
}

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The last place up to `at` that is not inside of a character. */
function betweenCharacters(text: string, at: number): number {
  if (at >= text.length) return at;
  const found = GRAPHEMES.segment(text.slice(0, at + 2)).containing(at)?.index ?? 0;
  if (found > 0) return found;
  return isInsidePair(text, at) && at > 1 ? at - 1 : at;
}
