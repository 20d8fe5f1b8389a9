import { toHex } from "../protocol/bytes.ts";

/** Openings of anything that could pass for a fence line, whatever marker it carries. */
const LOOK_ALIKE = /<{2,}(?=\s*\/?\s*(?:end\b[^\n]{0,16})?peer)/gi;

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
    const harmless = text.replaceAll(marker, "*".repeat(marker.length)).replace(LOOK_ALIKE, "‹‹");
    return `<<peer-text ${marker}>>\n${harmless}\n<<end peer-text ${marker}>>`;
  }
}
