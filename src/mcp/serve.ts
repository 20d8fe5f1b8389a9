import { serveStdio } from "@modelcontextprotocol/server/stdio";
import type { Clock } from "../runtime/clock.ts";
import type { Config } from "../session/config.ts";
import type { Sessions } from "../session/sessions.ts";
import { transportWithCancellations } from "./cancellations.ts";
import { Fence } from "./fence.ts";
import { createServer } from "./server.ts";

export interface ServeOptions {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Registers what must be done before the process may end, whatever ends it. */
  readonly onShutdown: (hook: () => Promise<void>) => void;
}

/**
 * Serves MCP on stdin and stdout, in both protocol eras. Resolves when stdin has ended, the one portable sign that the
 * client is gone, and every tunnel is torn down.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { version, clock } = options;
  let sessions: Promise<Sessions> | undefined;
  const loadSessions = (): Promise<Sessions> => (sessions ??= createSessions(options));
  options.onShutdown(async () => (await sessions)?.shutDown());

  const transport = transportWithCancellations((call) => {
    void sessions?.then((loaded) => loaded.callCancelled(call));
  });
  const ended = new Promise<void>((resolve) => {
    process.stdin.once("end", resolve).once("close", resolve);
  });
  const services = { clock, fence: new Fence(), sessions: loadSessions };
  const server = serveStdio(() => createServer(version, services), { transport });
  await ended;
  await (await sessions)?.shutDown();
  await server.close();
}

/** Sockets, cryptography and tunnels are loaded here, with the first tool call, and not at start-up. */
async function createSessions({ config, clock, env }: ServeOptions): Promise<Sessions> {
  const [
    { Sessions },
    { nodePrimitives },
    { createLookup },
    { createDirectProvider },
    { createCloudflaredProvider },
    { binaryEnvironment },
  ] = await Promise.all([
    import("../session/sessions.ts"),
    import("../runtime/primitives.ts"),
    import("../net/resolve.ts"),
    import("../tunnel/direct.ts"),
    import("../tunnel/cloudflared.ts"),
    import("../tunnel/environment.ts"),
  ]);
  const { bind, publicUrl, cloudflaredPath: explicitPath, doh, skipReachabilityCheck } = config;
  return new Sessions({
    config,
    primitives: nodePrimitives,
    clock,
    lookup: createLookup({ doh }),
    providers: {
      direct: createDirectProvider({ bind, publicUrl }),
      cloudflared: createCloudflaredProvider({
        environment: binaryEnvironment(env),
        explicitPath,
        doh,
        skipReachabilityCheck,
        clock,
      }),
    },
  });
}
