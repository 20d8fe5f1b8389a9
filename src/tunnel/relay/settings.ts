import type { ProxyAgents } from "../../net/proxy.ts";
import type { Trust } from "../../net/trust.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Settings and facts of the machine that a relay depends on. */
export interface RelaySettings {
  /** Config.relay: the address of the relay. */
  readonly relay?: string | undefined;
  /** Config.relayToken, or the file that holds it, which is read for every registration. */
  readonly relayToken?: string | undefined;
  readonly relayTokenFile?: string | undefined;
  readonly network: { readonly proxies: ProxyAgents; readonly trust: Trust };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The project, and the user's home. */
  readonly cwd: string;
  readonly home: string;
  readonly clock: Clock;
}
