import type { MemberId } from "../../protocol/base/ids.ts";

/** Contents that are remembered; the oldest are forgotten. */
const MAX_CONTENTS = 20_000;

/**
 * Where contents lie that came from a member: what it offers once more need not come again. Of each member by itself. Whether this side
 * has some content is told to nobody but the one from whom it came.
 */
export class ReceivedContents {
  readonly #files = new Map<string, string>();

  /** @param hash SHA-256, base64url */
  add(owner: MemberId, hash: string, file: string): void {
    const key = `${owner} ${hash}`;
    this.#files.delete(key);
    this.#files.set(key, file);
    const [oldest] = this.#files.keys();
    if (oldest !== undefined && this.#files.size > MAX_CONTENTS) this.#files.delete(oldest);
  }

  /** A file that had this content when it came. It may have been changed, moved or deleted since. */
  find(owner: MemberId, hash: string): string | undefined {
    return this.#files.get(`${owner} ${hash}`);
  }
}
