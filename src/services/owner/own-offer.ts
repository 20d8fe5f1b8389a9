import { toBase64url } from "../../protocol/base/bytes.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import type { ServiceOffer } from "../../protocol/services/offer.ts";
import type { ServiceId } from "../../session/service-offers.ts";
import type { StreamSocket } from "../connection/stream-socket.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import type { Handler } from "./handler.ts";

/** Why an offer of this side is over. */
export type OfferEnd = "withdrawn" | "expired" | "not-offered" | "tunnel-over";

/** How an offer of this side stands. Times are milliseconds since the epoch. */
export type OfferState =
  /** A person has still to let it go. */
  | { readonly name: "held" }
  | { readonly name: "offered"; readonly endsAt: number | undefined }
  | { readonly name: "over"; readonly why: OfferEnd };

/** A service that this side offers. */
export class OwnOffer {
  readonly serviceId: ServiceId;
  readonly offer: ServiceOffer;
  /** Those it is for; everybody when undefined. */
  readonly to: readonly MemberId[] | undefined;
  readonly handler: Handler;
  state: OfferState = { name: "held" };
  readonly connections = new Map<StreamSocket, MemberId>();
  /** Streams that were asked for and are not connections yet. */
  pending = 0;
  /** Members whose first connection this side's person has let in, and those whom they have refused. */
  readonly admitted = new Set<MemberId>();
  readonly denied = new Set<MemberId>();
  readonly stats = { connections: 0, bytesIn: 0, bytesOut: 0 };
  readonly #salts = new Set<string>();

  constructor(parts: Pick<OwnOffer, "offer" | "to" | "handler">) {
    this.serviceId = toBase64url(parts.offer.id);
    this.offer = parts.offer;
    this.to = parts.to;
    this.handler = parts.handler;
  }

  get isOffered(): boolean {
    return this.state.name === "offered";
  }

  isFor(who: MemberId): boolean {
    return this.to?.includes(who) !== false;
  }

  get hasRoom(): boolean {
    return this.connections.size + this.pending < (this.offer.most ?? 0);
  }

  /** Whether a request with this salt has not been seen before: one that was recorded on the way is good for nothing. */
  isNew(salt: Uint8Array): boolean {
    const text = toBase64url(salt);
    if (this.#salts.has(text)) return false;
    this.#salts.add(text);
    const [oldest] = this.#salts;
    if (oldest !== undefined && this.#salts.size > SERVICES_LIMITS.maxSalts) this.#salts.delete(oldest);
    return true;
  }

  /** No connection is left, and none is let in. */
  async end(why: OfferEnd): Promise<void> {
    if (this.state.name === "over") return;
    this.state = { name: "over", why };
    for (const socket of this.connections.keys()) socket.resetWith(why === "tunnel-over" ? "away" : "gone");
    await this.handler.close();
  }
}
