import type { Clock } from "../../runtime/clock.ts";
import { Rates } from "./rates.ts";

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
