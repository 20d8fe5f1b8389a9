import type { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import * as z from "zod";
import type { Clock } from "../runtime/clock.ts";
import type { Config } from "../session/config.ts";
import type { Sessions } from "../session/sessions.ts";
import { transportWithCancellations } from "./cancellations.ts";
import { Fence } from "./fence.ts";
import { registerResources, ResourceNews, type Era } from "./resources.ts";
import { createServer } from "./server.ts";

export interface ServeOptions {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** Registers what must be done before the process may end, whatever ends it. */
  readonly onShutdown: (hook: () => Promise<void>) => void;
}

const CLOSE_LIMIT_MS = 1_000;

/**
 * Serves MCP on stdin and stdout, in both protocol eras. Resolves when stdin has ended, the one portable sign that the
 * client is gone, and every tunnel is torn down.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { version, clock } = options;
  // Compiling a validator for each schema of the MCP SDK costs more than it saves on a few messages a minute.
  z.config({ jitless: true });
  let sessions: Promise<Sessions> | undefined;
  const news = new ResourceNews(clock);
  const getSessions = (): Promise<Sessions> => (sessions ??= createSessions(options, news));
  options.onShutdown(async () => (await sessions)?.shutDown());

  const transport = transportWithCancellations((call) => {
    void sessions?.then((loaded) => loaded.callCancelled(call));
  });
  const ended = new Promise<void>((resolve) => {
    process.stdin.once("end", resolve).once("close", resolve);
    // The SDK closes its transport by itself when a line is endless. It then reads no more, and stdin would never end.
    const close = transport.close.bind(transport);
    transport.close = () => close().finally(resolve);
  });
  const services = {
    clock,
    fence: new Fence(),
    sessions: getSessions,
    loaded: () => sessions,
    isUnattended: options.config.unattended,
  };
  const factory = ({ era }: { era: Era }): McpServer => {
    const server = createServer(version, services);
    registerResources(server, services, news, era);
    return server;
  };
  const server = serveStdio(factory, { transport });
  await ended;
  await (await sessions)?.shutDown();
  // A client that has stopped reading must not keep this process alive.
  await Promise.race([
    server.close(),
    new Promise<void>((resolve) => void clock.after(CLOSE_LIMIT_MS, resolve)),
  ]);
}

/**
 * Made with the first tool call. Sockets, cryptography and tunnels are loaded then, and not at start-up: a client that
 * only lists the tools should not wait for them.
 */
async function createSessions(options: ServeOptions, news: ResourceNews): Promise<Sessions> {
  const { loadSessions } = await import("../session/load.ts");
  const sessions = loadSessions(options);
  news.follow(sessions);
  return sessions;
}
