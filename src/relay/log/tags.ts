import { createHmac } from "node:crypto";
import { claimId, type ClaimName } from "../claims/claims.ts";
import { sourceOf } from "../rooms/source-tag.ts";

const MAX_KNOWN = 30_000;
const DAY_MS = 24 * 60 * 60 * 1_000;

/**
 * Short words that stand for names and addresses where people look: the same word for the same thing, and no way back without
 * the key. Hashes without a key would be no cover: there are few addresses, and names can be guessed.
 */
export class Tags {
  readonly #key: Uint8Array;
  /** Hashing 20,000 names for one list would take a moment in which nothing else is done. */
  readonly #tunnels = new Map<string, string>();

  /** @param key 32 random bytes; as long as it is the same, so are the words for tunnels */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Of a tunnel, as the log and the API of the operator call it: 16 hexadecimal digits. */
  tunnel(name: ClaimName): string {
    const claim = claimId(name);
    const known = this.#tunnels.get(claim);
    if (known !== undefined) return known;
    const tag = this.#digits(`tunnel\n${claim}`);
    this.#tunnels.set(claim, tag);
    const [oldest] = this.#tunnels.keys();
    if (this.#tunnels.size > MAX_KNOWN && oldest !== undefined) this.#tunnels.delete(oldest);
    return tag;
  }

  /** Of an address, or the network of an IPv6 address, on one day. */
  source(address: string, now: number): string {
    return this.#digits(`source\n${Math.floor(now / DAY_MS)}\n${sourceOf(address)}`);
  }

  #digits(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("hex").slice(0, 16);
  }
}
