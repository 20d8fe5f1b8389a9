import { createLookup } from "../net/resolve.ts";
import type { Clock } from "../runtime/clock.ts";
import { restoreEngineDefaults } from "../runtime/engine-defaults.ts";
import { nodePrimitives as primitives } from "../runtime/primitives.ts";
import { providersFor } from "../tunnel/registry/registry.ts";
import type { Config } from "./config.ts";
import { LocalFiles } from "./files/local-files.ts";
import { Sessions } from "./sessions.ts";

/** The sessions of this process on the real network. Heavy to load, so it is only ever imported on demand. */
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
  return new Sessions({
    config,
    primitives,
    clock,
    lookup: createLookup({ doh: config.doh }),
    localFiles: new LocalFiles({ cwd, home, env, config, clock }),
    providers: providersFor({ ...config, env, cwd, clock }),
  });
}
