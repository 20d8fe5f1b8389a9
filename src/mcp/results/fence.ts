import { toHex } from "../../protocol/base/bytes.ts";
import { withoutHidden, type HiddenKind } from "../../protocol/base/hidden-text.ts";
import { hiddenTotal, hiddenView, type HiddenView } from "../../view/hidden.ts";

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
 * marker is taken out of everything a peer says. Characters that a person would not see are taken out as well, inside and
 * outside of the fence, and counted.
 */
export class Fence {
  readonly #source: MarkerSource;
  /** Taken out since the last {@link hidden}. */
  #hidden = new Map<HiddenKind, number>();

  /** @param marker random where left out; another fence's source for the same marker */
  constructor(marker?: string | MarkerSource) {
    this.#source =
      typeof marker === "object" ? marker : { its: marker === undefined ? marker : markerOf(marker) };
  }

  /** A fence with the same marker and a count of its own, for one result among others that are made at the same time. */
  forResult(): Fence {
    return new Fence(this.#source);
  }

  wrap(text: string): string {
    return this.enclose(this.bared(text));
  }

  /** A peer's text as it stands between the marks. A part of it is as harmless as the whole. */
  bared(text: string): string {
    const { shown, hidden } = this.#baredOnce(text);
    for (const [kind, count] of hidden) this.#count(kind, count);
    return shown;
  }

  /** How many hidden characters {@link bared} takes out of a text. */
  hiddenIn(text: string): number {
    return hiddenTotal(this.#baredOnce(text).hidden);
  }

  /** A long message is measured and cut many times, in one call and in those that bring its other parts. */
  #baredOnce(text: string): Bared {
    const source = this.#source;
    if (source.last?.text === text) return source.last;
    const its = this.#its;
    const bare = withoutHidden(text);
    const made = { text, shown: harmless(bare.text, its), hidden: bare.hidden };
    if (text.length >= LONG) source.last = made;
    return made;
  }

  /** Puts the marks around a text that was {@link bared}, or around a part of one. */
  enclose(text: string): string {
    const { begin, end } = this.#marks;
    return `${begin}${text}${end}`;
  }

  /** The beginning of a text, with an ellipsis: a wrapped one keeps both marks. @param chars about so many, in UTF-16 units */
  shortened(text: string, chars: number): string {
    const { begin, end } = this.#marks;
    const isWrapped = this.#isWrapped(text);
    const inner = isWrapped ? text.slice(begin.length, -end.length) : text;
    const length = Math.max(0, chars - (isWrapped ? begin.length + end.length : 0));
    const kept = `${inner.slice(0, length).replace(/[\uD800-\uDBFF]$/, "")}…`;
    return isWrapped ? this.enclose(kept) : kept;
  }

  /** A word outside of any fence, such as a name: made unable to pass for the beginning or end of one. */
  label(text: string): string {
    return harmless(this.#bare(text, " "), this.#its);
  }

  /**
   * A whole result with every unfenced string made a {@link label}. Peers choose strings in many places (names of members
   * and files, goal, branch, errors that quote them), and none of them may be forgotten. Says how many hidden characters
   * were taken out of all of it.
   */
  guard(payload: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const show = (text: string): string => (this.#isWrapped(text) ? text : this.label(text));
    const shown = Object.fromEntries(
      Object.entries(payload).map(([key, value]) => [key, guarded(value, show)]),
    );
    const hidden = this.hidden();
    return { ...shown, ...(hidden && { hidden }) };
  }

  /** The hidden characters that were taken out since it was asked last; undefined where there were none. */
  hidden(): HiddenView | undefined {
    const counts = this.#hidden;
    this.#hidden = new Map();
    return hiddenView(counts);
  }

  #bare(text: string, lineBreak: string): string {
    const bared = withoutHidden(text, lineBreak);
    for (const [kind, count] of bared.hidden) this.#count(kind, count);
    return bared.text;
  }

  #count(kind: HiddenKind, count: number): void {
    this.#hidden.set(kind, (this.#hidden.get(kind) ?? 0) + count);
  }

  /** Random on first use: a client that only lists tools does not need it. */
  get #its(): Marker {
    return (this.#source.its ??= markerOf(toHex(crypto.getRandomValues(new Uint8Array(6)))));
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

/** A marker that several fences share, and the first to need one makes. */
interface MarkerSource {
  its: Marker | undefined;
  /** The long text that was bared last. */
  last?: Bared;
}

interface Bared {
  readonly text: string;
  readonly shown: string;
  readonly hidden: ReturnType<typeof withoutHidden>["hidden"];
}

/** A text that takes long enough to be kept, in UTF-16 units. */
const LONG = 1_000;

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
