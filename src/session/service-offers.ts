import { toBase64url } from "../protocol/base/bytes.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { ServiceEntry, WithdrawalEntry } from "../protocol/room/log.ts";
import { Emitter, type Observable } from "../runtime/emitter.ts";

/** The name of a service in tool calls. */
export type ServiceId = string;

/** A service that somebody else has offered to this side. */
export interface HeardOffer {
  readonly serviceId: ServiceId;
  readonly entry: ServiceEntry;
  /** Milliseconds since the epoch, by this side's clock. */
  readonly heardAt: number;
  /** When it ends by itself; undefined where it does not. */
  readonly endsAt: number | undefined;
  readonly isWithdrawn: boolean;
}

/** Offers that are remembered of each member. */
const MAX_OFFERS = 64;

/** The services that this side was offered in one tunnel, as far as its agent has been told. */
export class ServiceOffers implements Observable<HeardOffer> {
  readonly #heard = new Map<ServiceId, HeardOffer>();
  readonly #events = new Emitter<HeardOffer>();

  get all(): readonly HeardOffer[] {
    return [...this.#heard.values()];
  }

  /** Those that their owners have not ended. */
  open(now: number): readonly HeardOffer[] {
    return this.all.filter(({ isWithdrawn, endsAt }) => !isWithdrawn && (endsAt ?? now + 1) > now);
  }

  find(serviceId: ServiceId): HeardOffer | undefined {
    return this.#heard.get(serviceId);
  }

  /** Tells of an offer that was made or withdrawn. */
  subscribe(listener: (offer: HeardOffer) => void): () => void {
    return this.#events.subscribe(listener);
  }

  heard(entry: ServiceEntry | WithdrawalEntry, now: number): void {
    if (entry.own) return;
    if (entry.kind === "withdrawal") return this.#withdrawn(toBase64url(entry.service), entry.from);
    const { offer, from } = entry;
    const serviceId = toBase64url(offer.id);
    if (this.#heard.has(serviceId)) return;
    const endsAt = offer.lifeMs === undefined ? undefined : now + offer.lifeMs;
    this.#keep({ serviceId, entry, heardAt: now, endsAt, isWithdrawn: false });
    // One who offers without end pushes out its own offers, and nobody else's.
    const ofSender = this.all.filter((one) => one.entry.from === from);
    const [oldest] = ofSender;
    if (oldest !== undefined && ofSender.length > MAX_OFFERS) this.#heard.delete(oldest.serviceId);
  }

  #withdrawn(serviceId: ServiceId, from: MemberId): void {
    const known = this.#heard.get(serviceId);
    if (known?.entry.from === from) this.#keep({ ...known, isWithdrawn: true });
  }

  #keep(offer: HeardOffer): void {
    this.#heard.set(offer.serviceId, offer);
    this.#events.emit(offer);
  }
}
