import { CLOSE, OPEN } from "./marks.ts";

/** A piece of somebody's text: as it is, or what stands in the place of something that hides. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  /** A character that is not seen, or that turns the direction: its number in hex. */
  | { readonly kind: "hidden"; readonly point: string }
  /** So many empty lines, or spaces, in a row. */
  | { readonly kind: "gap"; readonly count: number; readonly of: "lines" | "spaces" };

/** More empty lines, or spaces, than these push what follows out of sight. */
const GAPS = /\n(?:[^\S\n]*\n){4,}|[^\S\n]{41,}/g;
const PIECES = new RegExp(`${OPEN}([0-9A-F]+)${CLOSE}`);

function withHidden(text: string): Piece[] {
  return text.split(PIECES).flatMap((part, at): Piece[] => {
    if (at % 2 === 1) return [{ kind: "hidden", point: part }];
    return part === "" ? [] : [{ kind: "text", text: part }];
  });
}

/** A marked text of somebody in pieces: nothing hides, and no emptiness hides what follows it. */
export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const gap of text.matchAll(GAPS)) {
    pieces.push(...withHidden(text.slice(from, gap.index)));
    const isLines = gap[0].startsWith("\n");
    const count = isLines ? gap[0].split("\n").length - 2 : gap[0].length;
    pieces.push({ kind: "gap", count, of: isLines ? "lines" : "spaces" });
    from = gap.index + gap[0].length;
  }
  return [...pieces, ...withHidden(text.slice(from))];
}

/** More than this is not shown at once: a person opens the rest before they say yes. */
const SHOWN = { lines: 40, chars: 4_000 } as const;
/** More empty lines than these in a row are shown as one that says how many they are. */
export const MAX_EMPTY_LINES = 3;

/** The beginning of a text, and whether that is all of it. Emptiness takes no room in it, so that it pushes nothing out of sight. */
export function beginningOf(text: string): {
  readonly text: string;
  readonly isWhole: boolean;
  readonly lines: number;
} {
  const lines = text.split("\n");
  let [end, shown, chars, empty] = [0, 0, 0, 0];
  for (const line of lines) {
    const isEmpty = line.trim() === "";
    empty = isEmpty ? empty + 1 : 0;
    if (!isEmpty || empty <= MAX_EMPTY_LINES) {
      shown += 1;
      if (shown > SHOWN.lines || chars >= SHOWN.chars) break;
      chars += line.length;
    }
    end += line.length + 1;
  }
  const over = Math.max(0, chars - SHOWN.chars);
  const cut = text.slice(0, Math.max(0, end - 1 - over));
  return { text: cut, isWhole: cut.length === text.length, lines: lines.length };
}
