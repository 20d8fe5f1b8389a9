import { toHex } from "../protocol/bytes.ts";

/** What can stand between letters without being seen: format characters, variation selectors, combining marks. */
const UNSEEN = /[\p{Cf}\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}]/gu;
/** Two or more opening signs, also with white space between them. Runs are disjoint: a single linear pass. */
const RUN = /<(?:\s*<)+/g;
/** What makes a run pass for a fence line, however much white space is put in between. */
const FENCE_WORDS = /[\s/]*(?:end[^<]{0,16})?peer/iy;

function looksLikeFence(text: string, at: number): boolean {
  FENCE_WORDS.lastIndex = at;
  return FENCE_WORDS.test(text);
}

/**
 * Wraps what a peer said so that a model can tell where it begins and ends, also where clients show the result as flat
 * text. The marker is random per process; a peer that has been told it (an agent quoting its own results) still cannot
 * use it, since it is taken out of everything a peer says.
 */
export class Fence {
  #marker: string | undefined;

  constructor(marker?: string) {
    this.#marker = marker;
  }

  wrap(text: string): string {
    const marker = (this.#marker ??= toHex(crypto.getRandomValues(new Uint8Array(6))));
    return `<<peer-text ${marker}>>\n${harmless(text, marker)}\n<<end peer-text ${marker}>>`;
  }
}

/** A text that tries to pass for a fence loses its invisible characters with what makes it one; others stay as they are. */
function harmless(text: string, marker: string): string {
  const seen = text.replace(UNSEEN, "");
  const defused = seen
    .replace(new RegExp(marker, "gi"), "*".repeat(marker.length))
    .replace(RUN, (run: string, at: number, whole: string) =>
      looksLikeFence(whole, at + run.length) ? run.replaceAll("<", "‹") : run,
    );
  return defused === seen ? text : defused;
}
