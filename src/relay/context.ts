import type { Clock } from "../runtime/clock.ts";
import type { Emitter } from "../runtime/emitter.ts";
import type { Authority } from "./auth/authority.ts";
import type { Claims } from "./claims/claims.ts";
import type { RelayEvent } from "./events.ts";
import type { Elsewhere } from "./elsewhere.ts";
import type { RelayLimits } from "./limits/limits.ts";

/** The means that all parts of one node share. */
export interface RelayContext {
  /** Of this node, in claims and tickets: letters, digits and hyphens. */
  readonly node: string;
  readonly clock: Clock;
  readonly claims: Claims;
  /** Undefined where there is no other node. */
  readonly elsewhere: Elsewhere | undefined;
  readonly authority: Authority;
  readonly limits: RelayLimits;
  /** HTTP services are at NAME.DOMAIN; undefined where there are none. Lower case. */
  readonly domain: string | undefined;
  /** Whether names outlive a restart. */
  readonly keepsNames: boolean;
  readonly isBlocked: (word: string) => boolean;
  /** Browsers see a warning before the first page of a name, since strangers may have one. */
  readonly warnsBrowsers: boolean;
  /** For complaints, shown on the relay's own pages. */
  readonly contact: string | undefined;
  readonly events: Emitter<RelayEvent>;
  /** So many connections are open that each guest should take one, and not two. */
  readonly isCrowded: () => boolean;
}
