import { toBase64url, type Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import { ROOM } from "../base/limits.ts";
import { decodeOffer, type FileOffer } from "../files/offer.ts";
import { decodeServiceOffer, decodeWithdrawal, type ServiceOffer } from "../services/offer.ts";
import { decodeProposal, decodeStatement, type Statement } from "../sign-off/statement.ts";

/** The content of a message with `what: "file"`: an offer, the end of one, or a step of signing off (B1, X1, X2, Z1, Z3). */
export type Offer =
  | { readonly kind: "file"; readonly offer: FileOffer }
  | { readonly kind: "service"; readonly offer: ServiceOffer }
  /** `service` is the id of the offer that ends. */
  | { readonly kind: "withdrawal"; readonly service: Bytes }
  | { readonly kind: "proposal"; readonly outcome: string }
  | { readonly kind: "statement"; readonly statement: Statement };

/** `undefined` for a text that is none. */
export function offerIn(text: string): Offer | undefined {
  const file = decodeOffer(text);
  if (file !== undefined) return { kind: "file", offer: file };
  const service = decodeServiceOffer(text);
  if (service !== undefined) return { kind: "service", offer: service };
  const withdrawn = decodeWithdrawal(text);
  if (withdrawn !== undefined) return { kind: "withdrawal", service: withdrawn };
  const outcome = decodeProposal(text);
  if (outcome !== undefined) return { kind: "proposal", outcome };
  const statement = decodeStatement(text);
  return statement === undefined ? undefined : { kind: "statement", statement };
}

/** Names an offer in a line: by its name, its outcome, or not at all. */
export function wordsOfOffer(offer: Offer): string {
  switch (offer.kind) {
    case "file":
    case "service":
      return offer.offer.name;
    case "proposal":
      return offer.outcome;
    case "statement":
      return offer.statement.reason ?? "";
    case "withdrawal":
      return "";
  }
}

/** An id under which something was offered. */
export interface KnownOffer extends Known {
  readonly id: string;
}

interface Known {
  readonly kind: "file" | "service";
  readonly from: MemberId | undefined;
}

/**
 * The ids under which something was offered in a room, as far as one participant knows: everybody sees the id of an offer to all, and
 * could offer something else under it, or withdraw it (B1, X2). The newest are kept, as many as entries of the log.
 */
export class OfferIds {
  readonly #known = new Map<string, Known>();

  /** Oldest first. */
  get known(): readonly KnownOffer[] {
    return Array.from(this.#known, ([id, known]) => ({ id, ...known }));
  }

  /** As an earlier process knew them. */
  restore(known: readonly KnownOffer[]): void {
    for (const { id, kind, from } of known) this.#known.set(id, { kind, from });
  }

  /**
   * The offer in a text; `undefined` for what is none, for one under an id that is taken, and for a withdrawal of what its sender has
   * not offered. @param from undefined for this participant itself
   */
  read(text: string, from: MemberId | undefined): Offer | undefined {
    const found = offerIn(text);
    if (found === undefined) return undefined;
    if (found.kind === "withdrawal") {
      const known = this.#known.get(toBase64url(found.service));
      return known?.kind === "service" && known.from === from ? found : undefined;
    }
    if (found.kind === "proposal" || found.kind === "statement") return found;
    const id = toBase64url(found.offer.id);
    if (this.#known.has(id)) return undefined;
    this.#known.set(id, { kind: found.kind, from });
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size > ROOM.maxTranscriptEntries) this.#known.delete(oldest);
    return found;
  }
}
