import { stdioServers } from "../../bridge/stdio/stdio-servers.ts";
import type { Config } from "../../cli/settings.ts";
import { exposedElsewhere } from "../../control/exposed.ts";
import { portHolder } from "../../control/ports.ts";
import { Exposures } from "../../expose/exposures/exposures.ts";
import { ExposureHistory } from "../../expose/exposures/history.ts";
import { INSPECTED_BYTES } from "../../expose/inspector/limits.ts";
import { Redactor } from "../../expose/inspector/secrets.ts";
import { MemoryBudget } from "../../expose/inspector/budget.ts";
import { SignInDesk } from "../../expose/oauth/desk.ts";
import { DOCUMENT_FETCH } from "../../expose/oauth/limits.ts";
import { socketProbe } from "../../expose/proving/socket.ts";
import { CLOUDFLARE_DOH, createDohResolver, GOOGLE_DOH } from "../../net/doh.ts";
import { createHttpsClient } from "../../net/https.ts";
import { NO_PROXIES, proxyAgents } from "../../net/proxy.ts";
import { createPublicGet } from "../../net/public-get.ts";
import { createLookup } from "../../net/resolve.ts";
import { trustOf } from "../../net/trust.ts";
import type { Clock } from "../../runtime/clock.ts";
import { nodePrimitives as primitives } from "../../runtime/primitives.ts";
import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";
import { resolveShownFolder, secretNameToShow } from "../../session/paths/show.ts";
import type { Sessions } from "../../session/sessions.ts";

/** The exposures of this process on the real network. Heavy to load: imported with the first call that exposes something. */
export function loadExposures(options: {
  readonly config: Config;
  /** Oversight and providers are one for everything that this process does. */
  readonly sessions: Sessions;
  /** Ports on which this process listens for services of members. */
  readonly servicePorts?: () => readonly number[];
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
}): Exposures {
  const { config, sessions, servicePorts = () => [], clock, env, cwd, home } = options;
  const trust = trustOf(env, [config.relayCa]);
  const proxies = proxyAgents(env, trust);
  const client = createHttpsClient({ proxies, trust });
  const facts = machineFacts();
  const { platform } = facts;
  const { pid } = process;
  const folders = privateFolders(env, facts);
  const lookup = createLookup({ doh: config.doh, client });
  const isProxied = proxies(new URL("https://claude.ai/")) !== undefined;
  const direct = createHttpsClient({ proxies: NO_PROXIES, trust });
  // A proxy would resolve the names that strangers give anew, to hosts of its own network as well: clients register themselves then.
  const documents = isProxied ? undefined : createPublicGet({ ...DOCUMENT_FETCH, client: direct, clock });
  const signIns = new SignInDesk({ clock, primitives, documents });
  const exposures: Exposures = new Exposures(
    {
      clock,
      primitives,
      overseer: sessions.overseer,
      providers: sessions.providers,
      config,
      cwd,
      find: {
        allow: config.exposeAllow,
        ownPorts: () => [...sessions.ports, ...exposures.ports, ...servicePorts()],
        portHolder: (port) => portHolder(port, { folders, platform, pid, clock }),
        lookup,
        trust,
        folders: {
          folder: (typed) => resolveShownFolder(typed, { cwd, home, roots: config.shareRoots }),
          secretName: secretNameToShow,
        },
      },
      stdio: stdioServers({ path: config.mcpServers, clock, env, cwd, folders, platform }),
      signIns,
      authorize: (about) => signIns.authorize(about),
      prover: {
        client,
        resolver: config.doh
          ? createDohResolver({ servers: [...CLOUDFLARE_DOH, ...GOOGLE_DOH], negativeIsFinal: true, client })
          : undefined,
        openSocket: socketProbe({ proxies, trust }),
        isSkipped: config.skipReachabilityCheck,
      },
      others: () => exposedElsewhere({ folders, platform, pid, clock }),
      bodies: new MemoryBudget(INSPECTED_BYTES),
      redactor: new Redactor(),
    },
    new ExposureHistory({ folders, platform, pid }),
  );
  return exposures;
}
