import type { ClaimName, NameOwner } from "../claims/claims.ts";
import type { Bucket } from "./engine.ts";
import { parseClaimEntry } from "./entries.ts";
import { namesOf, ownedKey } from "./keys.ts";

/**
 * Counts the names of each owner over all nodes. An entry stands for each name before the name is claimed, and goes after it: what
 * is cut in between counts one name too many, never one too few, and is found out when the limit is met.
 */
export class Owners {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /**
   * @returns whether its owner may have this name; nobody is counted for one without
   * @throws {EngineAway}
   */
  async add(name: ClaimName & { readonly owner?: NameOwner | undefined }): Promise<boolean> {
    if (name.owner === undefined) return true;
    const { id, maxNames } = name.owner;
    const key = ownedKey(id, name);
    const added = await this.#bucket.put(key, "1", 0);
    // It belongs to an attempt that was cut, or to this moment: counted already.
    if (added === undefined) return true;
    if ((await this.#count(id)) <= maxNames) return true;
    await this.#forgetLost(id, key);
    if ((await this.#count(id)) <= maxNames) return true;
    // Two that come at once may both be refused; never are both admitted.
    await this.#bucket.remove(key, added);
    return false;
  }

  /**
   * A name is the owner's by now: it is counted, whatever became of the entry in between.
   * @param owner undefined for a name that is nobody's to be counted
   * @throws {EngineAway}
   */
  async moved(name: ClaimName, before: string | undefined, owner: string | undefined): Promise<void> {
    if (owner !== undefined) await this.#bucket.put(ownedKey(owner, name), "1", 0);
    if (before !== undefined && before !== owner) await this.remove(before, name);
  }

  /** @throws {EngineAway} */
  async remove(owner: string, name: ClaimName): Promise<void> {
    const entry = await this.#bucket.get(ownedKey(owner, name));
    if (entry !== undefined) await this.#bucket.remove(entry.key, entry.revision);
  }

  async #count(owner: string): Promise<number> {
    return (await this.#bucket.keys(namesOf(owner))).length;
  }

  /** Entries whose names are not there, or another owner's. A young one may belong to a claim that is on its way. */
  async #forgetLost(owner: string, own: string): Promise<void> {
    const prefix = namesOf(owner);
    // By the engine's clock alone.
    const now = (await this.#bucket.get(own))?.writtenAt ?? 0;
    for (const key of await this.#bucket.keys(prefix)) {
      const entry = await this.#bucket.get(key);
      if (entry === undefined || now - entry.writtenAt < YOUNG_MS) continue;
      const claim = await this.#bucket.get(`name.${key.slice(prefix.length + 1)}`);
      const found = claim === undefined ? undefined : parseClaimEntry(claim.value);
      if (found?.owner !== owner) await this.#bucket.remove(key, entry.revision);
    }
  }
}

const YOUNG_MS = 60_000;
