import { toHex } from "../../protocol/base/bytes.ts";

/** Characters that stand between letters without being seen: format characters, variation selectors, combining marks. */
const UNSEEN = /[\p{Cf}\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}]/gu;
/** Two or more opening signs, also with white space between them. Runs are disjoint: a single linear pass. */
const RUN = /<(?:\s*<)+/g;
/** The words that make a run look like a fence line, with any white space between them. */
const FENCE_WORDS = /[\s/]*(?:end[^<]{0,16})?peer/iy;

/** A text of these alone holds nothing to take out, unless it holds the marker. */
const PLAIN = /^[\t\n\r\x20-\x3b\x3d-\x7e]*$/;

function looksLikeFence(text: string, at: number): boolean {
  FENCE_WORDS.lastIndex = at;
  return FENCE_WORDS.test(text);
}

/**
 * Wraps a peer's text so that a model sees where it begins and ends, also where a client shows the result as flat text.
 * The marker is random per process. A peer that learns it (an agent may quote its own results) still cannot use it: the
 * marker is taken out of everything a peer says.
 */
export class Fence {
  /** Random on first use: a client that only lists tools does not need it. */
  #marker: Marker | undefined;

  constructor(marker?: string) {
    this.#marker = marker === undefined ? undefined : markerOf(marker);
  }

  wrap(text: string): string {
    const { begin, end } = this.#marks;
    return `${begin}${harmless(text, this.#its)}${end}`;
  }

  /** A word outside of any fence, such as a name: made unable to pass for the beginning or end of one. */
  label(text: string): string {
    return harmless(text, this.#its);
  }

  /**
   * A whole result with every unfenced string made a {@link label}. Peers choose strings in many places (names of members
   * and files, goal, branch, errors that quote them), and none of them may be forgotten.
   */
  guard(payload: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(payload).map(([key, value]) => [
        key,
        guarded(value, (text) => (this.#isWrapped(text) ? text : this.label(text))),
      ]),
    );
  }

  get #its(): Marker {
    return (this.#marker ??= markerOf(toHex(crypto.getRandomValues(new Uint8Array(6)))));
  }

  get #marks(): { begin: string; end: string } {
    const { text } = this.#its;
    return { begin: `<<peer-text ${text}>>\n`, end: `\n<<end peer-text ${text}>>` };
  }

  /** Only {@link wrap} makes such a text: the marker stands nowhere inside it. */
  #isWrapped(text: string): boolean {
    const { begin, end } = this.#marks;
    if (!text.startsWith(begin) || !text.endsWith(end)) return false;
    return !text.slice(begin.length, -end.length).includes(this.#its.text);
  }
}

/** @see {@link Fence.guard} */
function guarded(value: unknown, label: (text: string) => string): unknown {
  if (typeof value === "string") return label(value);
  if (Array.isArray(value)) return value.map((item: unknown) => guarded(item, label));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, guarded(item, label)]));
}

interface Marker {
  readonly text: string;
  /** Finds it in any case. */
  readonly pattern: RegExp;
}

function markerOf(text: string): Marker {
  return { text, pattern: new RegExp(text, "gi") };
}

/** Breaks up all that looks like a fence, and drops invisible characters where that was needed. Other texts stay. */
function harmless(text: string, marker: Marker): string {
  if (PLAIN.test(text) && text.search(marker.pattern) === -1) return text;
  const seen = text.replace(UNSEEN, "");
  const defused = seen
    .replace(marker.pattern, "*".repeat(marker.text.length))
    .replace(RUN, (run: string, at: number, whole: string) =>
      looksLikeFence(whole, at + run.length) ? run.replaceAll("<", "‹") : run,
    );
  return defused === seen ? text : defused;
}
