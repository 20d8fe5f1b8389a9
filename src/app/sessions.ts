import { createLookup } from "../net/resolve.ts";
import type { Clock } from "../runtime/clock.ts";
import { nodePrimitives as primitives } from "../runtime/primitives.ts";
import { createCloudflaredProvider } from "../tunnel/cloudflared/cloudflared.ts";
import { createDirectProvider } from "../tunnel/direct.ts";
import { binaryEnvironment } from "../tunnel/cloudflared/environment.ts";
import type { Config } from "../session/config.ts";
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
  const { bind, publicUrl, cloudflaredPath: explicitPath, doh, skipReachabilityCheck } = config;
  const environment = binaryEnvironment(env);
  return new Sessions({
    config,
    primitives,
    clock,
    lookup: createLookup({ doh }),
    localFiles: new LocalFiles({ cwd, home, env, config, clock }),
    providers: {
      direct: createDirectProvider({ bind, publicUrl }),
      cloudflared: createCloudflaredProvider({
        environment,
        explicitPath,
        doh,
        skipReachabilityCheck,
        clock,
      }),
    },
  });
}
