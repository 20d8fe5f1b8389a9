import type { MemberId } from "../../protocol/base/ids.ts";
import type { PortReset } from "../../protocol/services/stream.ts";
import type { StreamReset } from "../../protocol/link/stream-frames.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import { nameOf, type ServiceTunnel, type VisitOverseer } from "../port.ts";
import type { OwnOffer } from "./own-offer.ts";

/** Whether a connection is let in, or the code of the reset that says why not. */
export type Verdict = "yes" | PortReset | StreamReset;

interface Asking {
  readonly askId: number;
  readonly verdict: () => Verdict | undefined;
  readonly wakers: Set<() => void>;
}

/** Asks this side's person before a member connects: once for each member, or each time where they wanted that. */
export class Visits {
  readonly #clock: Clock;
  readonly #overseer: VisitOverseer;
  readonly #tunnel: Pick<ServiceTunnel, "tunnelId" | "presence">;
  readonly #asking = new Map<OwnOffer, Map<string, Asking>>();

  constructor(clock: Clock, overseer: VisitOverseer, tunnel: Pick<ServiceTunnel, "tunnelId" | "presence">) {
    this.#clock = clock;
    this.#overseer = overseer;
    this.#tunnel = tunnel;
  }

  /**
   * Resolves when it is decided, or when it has waited for long enough (`asked`): the ask stays, and the same member may come again.
   * @param isKnock nothing is connected yet: where each connection is asked about, that is not one to ask about
   */
  async judge(offer: OwnOffer, who: MemberId, isKnock: boolean): Promise<Verdict> {
    const isEach = offer.offer.confirms === true;
    if (offer.denied.has(who)) return "denied";
    if (isEach && isKnock) return "yes";
    if (!isEach && (offer.admitted.has(who) || this.#overseer.closed(["visit-service"]).length === 0))
      return "yes";
    const connection = isEach ? offer.stats.connections + offer.pending : undefined;
    const asking = this.#ask(offer, who, connection);
    if (asking === undefined) return "busy";
    const until = this.#clock.now() + SERVICES_LIMITS.askedMs;
    while (asking.verdict() === undefined) {
      const left = until - this.#clock.now();
      if (left <= 0) break;
      await wait(this.#clock, left, {
        until: (wake) => {
          asking.wakers.add(wake);
          return () => asking.wakers.delete(wake);
        },
      });
    }
    // An ask about one connection is of no use once that has gone.
    if (asking.verdict() === undefined && isEach) this.#overseer.asks.withdraw(asking.askId, "gone");
    return asking.verdict() ?? "asked";
  }

  /** The offer is over. */
  end(offer: OwnOffer): void {
    for (const { askId } of this.#asking.get(offer)?.values() ?? [])
      this.#overseer.asks.withdraw(askId, "gone");
    this.#asking.delete(offer);
  }

  /** The ask about this member, which may stand already; undefined where too many wait. */
  #ask(offer: OwnOffer, who: MemberId, connection: number | undefined): Asking | undefined {
    const key = connection === undefined ? who : `${who} ${connection}`;
    const ofOffer = this.#asking.get(offer) ?? new Map<string, Asking>();
    this.#asking.set(offer, ofOffer);
    const known = ofOffer.get(key);
    if (known !== undefined) return known;
    const wakers = new Set<() => void>();
    let verdict: Verdict | undefined;
    const ask = this.#overseer.asks.open({
      tunnelId: this.#tunnel.tunnelId,
      gates: ["visit-service"],
      subject: {
        kind: "visit",
        name: offer.offer.name,
        target: offer.handler.target,
        member: who,
        memberName: nameOf(this.#tunnel, who),
        ...(connection === undefined ? {} : { connection }),
      },
      causer: { member: who },
      settle: ({ state }) => {
        verdict = state === "approved" ? "yes" : state === "refused" ? "denied" : "asked";
        if (connection === undefined && verdict === "yes") offer.admitted.add(who);
        if (connection === undefined && verdict === "denied") offer.denied.add(who);
        ofOffer.delete(key);
        for (const wake of wakers) wake();
      },
    });
    if (ask === undefined) return undefined;
    const asking: Asking = { askId: ask.id, wakers, verdict: () => verdict };
    ofOffer.set(key, asking);
    return asking;
  }
}
