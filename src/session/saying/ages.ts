import type { MemberId } from "../../protocol/base/ids.ts";
import type { Entry } from "../../protocol/room/log.ts";
import type { Clock } from "../../runtime/clock.ts";

/** The clocks of two sides are compared to about a second: less than this is no wait. */
const SLACK_MS = 2_000;
/** The longest time that a room may be idle (G3). What claims to have waited longer was stamped by a clock that has been set since. */
const MAX_WAIT_MS = 7 * 24 * 60 * 60_000;

/** A word of this side's own server. */
interface OwnWord {
  readonly kind: "notice";
}

/**
 * The ages of entries. Their times are the host's, whose clock may be wrong by years or be set, so an entry is as old as it has been
 * here; longer where it waited before it arrived and the host's time, corrected by the skew of its clock, says so.
 */
export class Ages {
  readonly #self: MemberId;
  readonly #clock: Clock;
  readonly #skew: () => number | undefined;
  readonly #arrivals = new WeakMap<Entry | OwnWord, number>();
  /** The skew as the own arrival shows it, which the host writes down at the moment at which it tells of it. */
  #first: number | undefined;

  constructor(options: { self: MemberId; clock: Clock; skew: () => number | undefined }) {
    this.#self = options.self;
    this.#clock = options.clock;
    this.#skew = options.skew;
  }

  arrived(entry: Entry | OwnWord): void {
    const now = this.#clock.now();
    this.#arrivals.set(entry, now);
    if (entry.kind === "system" && entry.event === "joined" && entry.member === this.#self)
      this.#first = entry.ts - now;
  }

  /** When an entry was said, by this side's clock: never after it arrived. */
  saidAt(entry: Entry | OwnWord): number {
    const arrived = this.#arrivals.get(entry) ?? this.#clock.now();
    const skew = this.#skew() ?? this.#first;
    if (entry.kind === "notice" || skew === undefined) return arrived;
    const waited = arrived - (entry.ts - skew);
    return waited > SLACK_MS && waited <= MAX_WAIT_MS ? arrived - waited : arrived;
  }
}
