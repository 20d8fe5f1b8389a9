import { BRIDGE_LIMITS, type BridgeLimits } from "../protocol/limits.ts";

export type Line =
  | { readonly kind: "line"; readonly text: string }
  /** It was too long, and nothing of it is kept but its two ends. */
  | { readonly kind: "too-long"; readonly head: string; readonly tail: string }
  /** It has no end. Nothing more is told. */
  | { readonly kind: "endless" };

const HEAD_CHARS = 256;
const TAIL_CHARS = 256;

/** Cuts the output of a child into lines of bounded length, however it is chunked. */
export class LongLines {
  readonly #limits: Pick<BridgeLimits, "resultChars" | "skippedChars">;
  #line = "";
  #skipped: { readonly head: string; tail: string; chars: number } | undefined;
  #isEndless = false;

  constructor(limits: Pick<BridgeLimits, "resultChars" | "skippedChars"> = BRIDGE_LIMITS) {
    this.#limits = limits;
  }

  *push(chunk: string): Generator<Line> {
    let from = 0;
    while (!this.#isEndless && from <= chunk.length) {
      const end = chunk.indexOf("\n", from);
      this.#take(chunk.slice(from, end < 0 ? undefined : end));
      if ((this.#skipped?.chars ?? 0) > this.#limits.skippedChars) {
        this.#isEndless = true;
        this.#skipped = undefined;
        yield { kind: "endless" };
        return;
      }
      if (end < 0) return;
      yield this.#finish();
      from = end + 1;
    }
  }

  #take(part: string): void {
    if (this.#skipped === undefined) {
      this.#line += part;
      if (this.#line.length <= this.#limits.resultChars) return;
      const head = this.#line.slice(0, HEAD_CHARS);
      this.#skipped = { head, tail: this.#line.slice(-TAIL_CHARS), chars: this.#line.length };
      this.#line = "";
      return;
    }
    this.#skipped.chars += part.length;
    this.#skipped.tail = (this.#skipped.tail + part.slice(-TAIL_CHARS)).slice(-TAIL_CHARS);
  }

  #finish(): Line {
    const text = this.#line.endsWith("\r") ? this.#line.slice(0, -1) : this.#line;
    const skipped = this.#skipped;
    this.#line = "";
    this.#skipped = undefined;
    return skipped === undefined
      ? { kind: "line", text }
      : { kind: "too-long", head: skipped.head, tail: skipped.tail };
  }
}

/** The id of an answer that was too long, where one of its ends shows it at the top level. */
export function idAtTheEnds({
  head,
  tail,
}: {
  readonly head: string;
  readonly tail: string;
}): number | undefined {
  const first = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,15})\s*,/.exec(head)?.[1];
  const last = /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/.exec(tail)?.[1];
  const found = first ?? last;
  return found === undefined ? undefined : Number(found);
}
