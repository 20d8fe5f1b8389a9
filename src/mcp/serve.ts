import type { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import * as z from "zod";
import type { Identity } from "../control/descriptor.ts";
import type { Endpoint } from "../control/endpoint.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Config } from "../session/config.ts";
import type { TunnelId } from "../session/handle.ts";
import type { Sessions } from "../session/sessions.ts";
import { transportWithCancellations } from "./cancellations.ts";
import { Channel } from "./channel.ts";
import { Fence } from "./results/fence.ts";
import { registerResources, ResourceNews, type Era } from "./resources.ts";
import type { Payload } from "./results/result.ts";
import { createServer } from "./server.ts";
import { wakeView } from "./results/wake.ts";

export interface ServeOptions {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** Whose server this is, for other commands of the same user that look for it. */
  readonly identity: Identity;
  /** The path of the running program. */
  readonly bundle: string;
  /** Registers what must be done before the process may end, whatever ends it. */
  readonly onShutdown: (hook: () => Promise<void>) => void;
}

const CLOSE_LIMIT_MS = 1_000;

/**
 * Serves MCP on stdin and stdout, in both protocol eras. Resolves when stdin has ended, the one portable sign that the
 * client is gone, and every tunnel is torn down.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, version, clock } = options;
  // Compiling a validator for each schema of the MCP SDK costs more than it saves on a few messages a minute.
  z.config({ jitless: true });
  const channel = new Channel(clock);
  const news = new ResourceNews(clock);
  let loading: Promise<Loaded> | undefined;
  let sessions: Promise<Sessions> | undefined;
  let endpoint: Endpoint | undefined;
  const load = async (): Promise<Loaded> => {
    const parts = await loadParts(options);
    channel.follow(parts.sessions);
    news.follow(parts.sessions);
    ({ endpoint } = parts);
    return parts;
  };
  const getSessions = (): Promise<Sessions> =>
    (sessions ??= (loading ??= load()).then((parts) => parts.sessions));
  const stop = async (): Promise<void> => {
    const parts = await loading;
    await parts?.sessions.shutDown();
    await parts?.endpoint.close();
  };
  options.onShutdown(stop);

  const transport = transportWithCancellations((call) => {
    void sessions?.then((made) => made.callCancelled(call));
  });
  const ended = new Promise<void>((resolve) => {
    process.stdin.once("end", resolve).once("close", resolve);
    // The SDK closes its transport by itself when a line is endless. It then reads no more, and stdin would never end.
    const close = transport.close.bind(transport);
    transport.close = () => close().finally(resolve);
  });
  const wake = (tunnelId: TunnelId): Payload =>
    wakeView(tunnelId, {
      bundle: options.bundle,
      platform: process.platform,
      endpoint: endpoint?.state ?? "unopened",
      channel: config.channel ? (channel.isAttached ? "declared" : "unsupported") : "off",
    });
  const services = {
    clock,
    fence: new Fence(),
    sessions: getSessions,
    loaded: () => sessions,
    isUnattended: config.unattended,
    wake,
  };
  const factory = ({ era }: { era: Era }): McpServer => {
    // Clients refuse channels of a server that speaks the newer revision.
    const hasChannel = config.channel && era === "legacy";
    const made = createServer(version, services, hasChannel);
    if (hasChannel) channel.attach(made);
    registerResources(made, services, news, era);
    return made;
  };
  const server = serveStdio(factory, { transport });
  await ended;
  await stop();
  // A client that has stopped reading must not keep this process alive.
  await Promise.race([
    server.close(),
    new Promise<void>((resolve) => void clock.after(CLOSE_LIMIT_MS, resolve)),
  ]);
}

interface Loaded {
  readonly sessions: Sessions;
  readonly endpoint: Endpoint;
}

/**
 * Made with the first tool call. Sockets, cryptography and tunnels are loaded then, and not at start-up: a client that
 * only lists the tools should not wait for them.
 */
async function loadParts(options: ServeOptions): Promise<Loaded> {
  const { clock, env, identity } = options;
  const { ACTIONS, Endpoint, controlFolders, loadSessions, placeFacts } = await import("../app/later.ts");
  const sessions = loadSessions(options);
  const facts = placeFacts();
  const endpoint = new Endpoint({
    sessions,
    clock,
    actions: ACTIONS,
    identity,
    folders: controlFolders(env, facts),
    platform: facts.platform,
    pid: process.pid,
  });
  return { sessions, endpoint };
}
