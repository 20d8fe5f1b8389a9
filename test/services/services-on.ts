import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { StdioMeans } from "../../src/bridge/stdio/stdio-servers.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { LazyServices } from "../../src/services/tunnels/lazy-services.ts";
import { MemberServices } from "../../src/services/tunnels/member-services.ts";
import { createLookup } from "../../src/net/resolve.ts";
import type { Sessions } from "../../src/session/sessions.ts";

/** Where no file names a stdio server. */
export const NO_STDIO: StdioMeans = {
  commandNamed: () => Promise.reject(new TunnelError("mcp-servers-unset")),
  start: () => {
    throw new TunnelError("internal");
  },
};

/** The services of these sessions, loaded with the first call that needs them. */
export function servicesOn(sessions: Sessions, clock: Clock): LazyServices {
  return new LazyServices(() =>
    Promise.resolve(
      new MemberServices({
        clock,
        primitives: nodePrimitives,
        overseer: sessions.overseer,
        find: { allow: [], ownPorts: () => [], lookup: createLookup({ doh: false }) },
        scanner: sessions.scanner,
        stdio: NO_STDIO,
        isShared: () => Promise.resolve(false),
      }),
    ),
  );
}
