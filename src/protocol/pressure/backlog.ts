import type { MemberId } from "../base/ids.ts";
import { LINK } from "../base/limits.ts";

/**
 * The messages of the room that may still wait for somebody, by their speaker. Every member is sent one frame for each place in the order, so
 * how many frames wait for a member says whose words they are. Places that a return has skipped (O12) are nobody's.
 */
export class Backlog {
  readonly #speakers = new Map<MemberId, number>();
  readonly #speakerAt = new Int32Array(LINK.maxOutboxFrames);
  readonly #bytesAt = new Uint32Array(LINK.maxOutboxFrames);
  readonly #seqAt = new Float64Array(LINK.maxOutboxFrames);

  /** The message with this sequence number; other events of the room are nobody's. */
  said(speaker: MemberId, seq: number, bytes: number): void {
    const at = seq % LINK.maxOutboxFrames;
    this.#seqAt[at] = seq;
    this.#bytesAt[at] = bytes;
    this.#speakerAt[at] = this.#numberOf(speaker);
  }

  /** The parts of the last `frames` places up to `upTo` that this speaker has said after `after`, each 0 to 1: of the bytes, and of the places. */
  partOf(
    speaker: MemberId,
    { upTo, frames, after }: { upTo: number; frames: number; after: number },
  ): { readonly bytes: number; readonly frames: number } {
    const number = this.#numberOf(speaker);
    let [own, all, ownFrames] = [0, 0, 0];
    for (let seq = upTo; seq > upTo - frames && seq > 0; seq -= 1) {
      const at = seq % LINK.maxOutboxFrames;
      if (this.#seqAt[at] !== seq) continue;
      const bytes = this.#bytesAt[at] ?? 0;
      all += bytes;
      if (this.#speakerAt[at] !== number || seq <= after) continue;
      own += bytes;
      ownFrames += 1;
    }
    return { bytes: all === 0 ? 0 : own / all, frames: frames === 0 ? 0 : ownFrames / frames };
  }

  /** Small numbers, which an array of machine words holds; bounded by the members that the room has ever had. */
  #numberOf(speaker: MemberId): number {
    const known = this.#speakers.get(speaker);
    if (known !== undefined) return known;
    this.#speakers.set(speaker, this.#speakers.size + 1);
    return this.#speakers.size;
  }
}
