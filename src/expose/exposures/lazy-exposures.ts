import { TunnelError } from "../../errors/tunnel-error.ts";
import { Lazy } from "../../runtime/lazy.ts";
import type { Exposures, ExposuresEvent } from "./exposures.ts";

/** The exposures of a server. */
export class LazyExposures extends Lazy<Exposures, ExposuresEvent> {}

/** Those of a program that exposes nothing. */
export function noExposures(): LazyExposures {
  return new LazyExposures(() => Promise.reject(new TunnelError("internal")));
}
