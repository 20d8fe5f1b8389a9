import { stdioServers } from "../../bridge/stdio/stdio-servers.ts";
import type { Config } from "../../cli/settings.ts";
import { portHolder } from "../../control/ports.ts";
import type { LazyExposures } from "../../expose/exposures/lazy-exposures.ts";
import { createHttpsClient } from "../../net/https.ts";
import { proxyAgents } from "../../net/proxy.ts";
import { createLookup } from "../../net/resolve.ts";
import { trustOf } from "../../net/trust.ts";
import type { Clock } from "../../runtime/clock.ts";
import { nodePrimitives as primitives } from "../../runtime/primitives.ts";
import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";
import { MemberServices } from "../../services/tunnels/member-services.ts";
import { hasOtherUsers } from "../../services/taker/other-users.ts";
import type { Sessions } from "../../session/sessions.ts";

/** The services that members of this process's tunnels offer each other. Heavy to load: imported with the first call that offers or uses one. */
export function loadServices(options: {
  readonly config: Config;
  readonly sessions: Sessions;
  readonly exposures: LazyExposures;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where names of files begin. */
  readonly cwd: string;
}): MemberServices {
  const { config, sessions, exposures, clock, env, cwd } = options;
  const trust = trustOf(env, [config.relayCa]);
  const client = createHttpsClient({ proxies: proxyAgents(env, trust), trust });
  const facts = machineFacts();
  const { platform } = facts;
  const { pid } = process;
  const folders = privateFolders(env, facts);
  const services: MemberServices = new MemberServices({
    clock,
    primitives,
    overseer: sessions.overseer,
    find: {
      allow: config.shareServices,
      ownPorts: () => [...sessions.ports, ...(exposures.loaded?.ports ?? []), ...services.ports],
      portHolder: (port) => portHolder(port, { folders, platform, pid, clock }),
      lookup: createLookup({ doh: config.doh, client }),
      trust,
    },
    scanner: sessions.scanner,
    stdio: stdioServers({ path: config.mcpServers, clock, env, cwd, folders, platform }),
    isShared: async () => !config.sharedMachine && (await hasOtherUsers()),
  });
  return services;
}
