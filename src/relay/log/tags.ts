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
  readonly #tunnels = new Map<string, string>();
  readonly #sources = new Map<string, string>();
  #day = 0;

  /** @param key 32 random bytes; as long as it is the same, so are the words for tunnels */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Of a tunnel, as the log and the API of the operator call it: 16 hexadecimal digits. */
  tunnel(name: ClaimName): string {
    const claim = claimId(name);
    return kept(this.#tunnels, claim, () => this.#digits(`tunnel\n${claim}`));
  }

  /** Of an address, or the network of an IPv6 address, on one day. */
  source(address: string, now: number): string {
    const day = Math.floor(now / DAY_MS);
    if (day !== this.#day) this.#sources.clear();
    this.#day = day;
    return kept(this.#sources, address, () => this.#digits(`source\n${day}\n${sourceOf(address)}`));
  }

  #digits(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("hex").slice(0, 16);
  }
}

/** A hash takes 20 µs, which is much for each request, and too much for a list of 20,000 tunnels: the last ones are remembered. */
function kept(known: Map<string, string>, word: string, make: () => string): string {
  const before = known.get(word);
  if (before !== undefined) return before;
  const made = make();
  known.set(word, made);
  const [oldest] = known.keys();
  if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  return made;
}
