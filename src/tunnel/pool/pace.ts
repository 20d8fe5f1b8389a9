import type { TunnelError } from "../../errors/tunnel-error.ts";
import type { FailureWeight } from "../provider.ts";

interface Backoff {
  readonly firstMs: number;
  readonly ceilingMs: number;
}

const PACE = {
  /** Most failures are over in seconds or last for long; 5 min at most, since somebody may be waiting for an address. */
  retry: { firstMs: 5_000, ceilingMs: 300_000 },
  /** The same while members are away: an outage ends at any moment, and they wait for it. */
  pressing: { firstMs: 5_000, ceilingMs: 30_000 },
  /** A refusal counts requests over minutes, and asking too early may prolong it. */
  refused: { firstMs: 120_000, ceilingMs: 900_000 },
  factor: 2,
  /** Largest random share added to a wait, so that hosts which failed together do not all retry together. */
  jitter: 0.25,
  /** A tunnel that ends before this many ms ended early. The first early end in a row is replaced at once. */
  earlyEndMs: 60_000,
} as const;

/** A wait before the next opening, in ms. `mayShorten`: it only keeps us from asking in vain, so news may shorten it. */
export interface Hold {
  readonly ms: number;
  readonly mayShorten: boolean;
  readonly error: TunnelError;
}

/** Decides when the next tunnel may be asked for, by how the last ones went. */
export class Pace {
  readonly #random: () => number;
  #failures = 0;
  #refusals = 0;
  #earlyEnds = 0;
  #hold: { readonly until: number; readonly mayShorten: boolean; readonly error: TunnelError } | undefined;

  /** @param random at least 0 and below 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Failures since the last success or {@link startOver}. */
  get failures(): number {
    return this.#failures;
  }

  /** An opening failed: the wait before the next one. `isPressing`: members are away. */
  failed(error: TunnelError, weight: FailureWeight, isPressing: boolean, now: number): Hold {
    this.#failures += 1;
    if (weight === "refused") {
      this.#refusals += 1;
      this.#hold = { until: now + PACE.refused.firstMs, mayShorten: false, error };
      return { ms: this.#delay(PACE.refused, this.#refusals), mayShorten: false, error };
    }
    if (weight === "lasting") return { ms: PACE.retry.ceilingMs, mayShorten: false, error };
    return {
      ms: this.#delay(isPressing ? PACE.pressing : PACE.retry, this.#failures),
      mayShorten: true,
      error,
    };
  }

  succeeded(): void {
    this.#failures = 0;
    this.#refusals = 0;
  }

  /** A tunnel that had been opened is gone. */
  ended(livedMs: number, error: TunnelError, now: number): void {
    if (livedMs >= PACE.earlyEndMs) {
      this.#earlyEnds = 0;
      return;
    }
    this.#earlyEnds += 1;
    if (this.#earlyEnds > 1) {
      const until = now + this.#delay(PACE.retry, this.#earlyEnds - 1);
      this.#hold = { until, mayShorten: true, error };
    }
  }

  /** The next one is needed more than the last: the waits begin small again. */
  startOver(): void {
    this.#failures = 0;
  }

  /** The wait that even an urgent opening observes, and why; `undefined` when nothing stands against opening now. */
  hold(isPressing: boolean, now: number): Hold | undefined {
    const hold = this.#hold;
    if (hold === undefined || hold.until <= now) return undefined;
    const { mayShorten, error } = hold;
    return { ms: shortened({ ms: hold.until - now, mayShorten }, isPressing), mayShorten, error };
  }

  #delay({ firstMs, ceilingMs }: Backoff, nth: number): number {
    const ms = firstMs * PACE.factor ** (nth - 1) * (1 + this.#random() * PACE.jitter);
    return Math.min(Math.round(ms), ceilingMs);
  }
}

/** What is left of a wait once members are away. */
export function shortened({ ms, mayShorten }: Pick<Hold, "ms" | "mayShorten">, isPressing: boolean): number {
  return isPressing && mayShorten ? Math.min(ms, PACE.pressing.ceilingMs) : ms;
}
