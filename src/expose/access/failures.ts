import { isIP } from "node:net";
import type { Clock } from "../../runtime/clock.ts";

/** How often something may happen. */
export interface RateLimits {
  /** At once, from one source. */
  readonly perSource: number;
  /** One more for a source each time so much has passed. */
  readonly sourceRefillMs: number;
  /** At once, from all sources together: an attacker has many addresses. */
  readonly overall: number;
  readonly overallRefillMs: number;
  /** Sources remembered at most; the one that came the longest ago goes first. */
  readonly maxSources: number;
}

/** Holds so many, and gets one back each `refillMs`. */
class Bucket {
  readonly #size: number;
  readonly #refillMs: number;
  #left: number;
  #at: number;

  constructor(size: number, refillMs: number, now: number) {
    this.#size = size;
    this.#refillMs = refillMs;
    this.#left = size;
    this.#at = now;
  }

  /** Milliseconds until there is one to take; 0 where one has been taken. */
  take(now: number): number {
    this.#left = Math.min(this.#size, this.#left + (now - this.#at) / this.#refillMs);
    this.#at = now;
    if (this.#left < 1) return Math.ceil((1 - this.#left) * this.#refillMs);
    this.#left -= 1;
    return 0;
  }
}

/** Counts something that strangers cause, per source and overall. */
export class Rates {
  readonly #clock: Clock;
  readonly #limits: RateLimits;
  readonly #sources = new Map<string, Bucket>();
  readonly #overall: Bucket;

  constructor(clock: Clock, limits: RateLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#overall = new Bucket(limits.overall, limits.overallRefillMs, clock.now());
  }

  /** Sources that are remembered. */
  get sources(): number {
    return this.#sources.size;
  }

  /** Notes one more. Seconds for `Retry-After` where there were too many; undefined otherwise. */
  note(address: string): number | undefined {
    const now = this.#clock.now();
    const waitMs = this.#bucketOf(sourceOf(address), now).take(now) || this.#overall.take(now);
    return waitMs === 0 ? undefined : Math.ceil(waitMs / 1000);
  }

  #bucketOf(source: string, now: number): Bucket {
    const { perSource, sourceRefillMs, maxSources } = this.#limits;
    const bucket = this.#sources.get(source) ?? new Bucket(perSource, sourceRefillMs, now);
    // To the end: a map keeps the order in which its keys came.
    this.#sources.delete(source);
    this.#sources.set(source, bucket);
    const [oldest] = this.#sources.keys();
    if (this.#sources.size > maxSources && oldest !== undefined) this.#sources.delete(oldest);
    return bucket;
  }
}

/** Wrong credentials that are answered as such before 429 stands in their place. */
const FAILURES = {
  perSource: 20,
  sourceRefillMs: 15_000,
  overall: 300,
  overallRefillMs: 500,
  maxSources: 1024,
} as const;

/**
 * Counts wrong credentials, per source and overall. It only ever decides how a failure is answered: a right credential is
 * let in whatever stands here, so nobody can be locked out by the failures of others.
 */
export class Failures extends Rates {
  constructor(clock: Clock) {
    super(clock, FAILURES);
  }
}

/** One visitor's addresses as one: an IPv6 host has a whole /64 (RFC 6177 §2), of which it may use each address once. */
function sourceOf(address: string): string {
  const bare = address.replace(/%.*$/s, "");
  if (isIP(bare) !== 6) return bare.slice(0, 64);
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const [front = "", back] = canonical.split("::");
  const [before, after] = [front, back ?? ""].map((part) => part.split(":").filter((group) => group !== ""));
  const known = [...(before ?? []), ...(after ?? [])].length;
  const groups = [...(before ?? []), ...Array.from({ length: 8 - known }, () => "0"), ...(after ?? [])];
  const network = groups.slice(0, 4).join(":");
  // Loopback and IPv4-mapped addresses differ in the second half alone.
  return network === "0:0:0:0" ? canonical : `${network}::/64`;
}
