import { toHex } from "../protocol/bytes.ts";

/** Two or more opening signs, also with invisible characters between them. Runs are disjoint: a single linear pass. */
const RUN = /<(?:\p{Cf}*<)+/gu;
/** How far behind a run it is looked whether it could pass for a fence line: bounded, since a peer chooses the text. */
const LOOK_AHEAD_CHARS = 64;

function looksLikeFence(following: string): boolean {
  const visible = following.replace(/[\p{Cf}\s/]/gu, "");
  return /^(?:end.{0,16})?peer/i.test(visible);
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
    const harmless = text
      .replace(new RegExp(marker, "gi"), "*".repeat(marker.length))
      .replace(RUN, (run: string, at: number, whole: string) => {
        const behind = at + run.length;
        return looksLikeFence(whole.slice(behind, behind + LOOK_AHEAD_CHARS))
          ? run.replaceAll("<", "‹")
          : run;
      });
    return `<<peer-text ${marker}>>\n${harmless}\n<<end peer-text ${marker}>>`;
  }
}
