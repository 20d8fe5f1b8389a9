import type { Config } from "../cli/settings.ts";
import { createHttpsClient } from "../net/https.ts";
import { proxyAgents } from "../net/proxy.ts";
import { trustOf } from "../net/trust.ts";
import { createLookup } from "../net/resolve.ts";
import type { Clock } from "../runtime/clock.ts";
import { restoreEngineDefaults } from "../runtime/engine-defaults.ts";
import { nodePrimitives as primitives } from "../runtime/primitives.ts";
import { providersFor } from "../tunnel/registry/registry.ts";
import { LocalFiles } from "../session/files/local-files.ts";
import { Sessions } from "../session/sessions.ts";

/** In the same bundle: the server opens both with the first tool call (scripts/build.mjs). */
export { openEndpoint } from "./endpoint.ts";

/** The sessions of this process on the real network. Heavy to load: imported on demand only. */
export function loadSessions(options: {
  config: Config;
  clock: Clock;
  env: Readonly<Record<string, string | undefined>>;
  /** The working directory and the user's home. */
  cwd: string;
  home: string;
}): Sessions {
  const { config, clock, env, cwd, home } = options;
  restoreEngineDefaults();
  const trust = trustOf(env);
  const proxies = proxyAgents(env, trust);
  const client = createHttpsClient({ proxies, trust });
  return new Sessions({
    config,
    primitives,
    clock,
    lookup: createLookup({ doh: config.doh, client }),
    network: { proxies, trust },
    localFiles: new LocalFiles({ cwd, home, env, config }),
    providers: providersFor({ ...config, env, cwd, clock, client }),
  });
}
