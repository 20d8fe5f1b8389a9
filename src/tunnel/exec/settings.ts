import type { HttpsClient } from "../../net/https.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Settings and facts of the machine that a tunnel command depends on. */
export interface ExecSettings {
  /** The program and its arguments; `{port}` in any of them becomes the relay's port. Undefined or empty: none is set. */
  readonly command: readonly string[] | undefined;
  /** Finds the public URL in a line of output: its first group, or the whole match. Undefined: the first https URL. */
  readonly commandUrl: RegExp | undefined;
  /** Whether names may be resolved by DNS-over-HTTPS. */
  readonly doh: boolean;
  readonly skipReachabilityCheck: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Through the proxy of the environment, where there is one. */
  readonly client: HttpsClient;
}
