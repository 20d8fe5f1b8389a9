import type { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import * as z from "zod";
import type { Clock } from "../runtime/clock.ts";
import { wait } from "../runtime/wait.ts";
import type { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import type { LazyServices } from "../services/tunnels/lazy-services.ts";
import type { TunnelId } from "../session/session.ts";
import type { Sessions } from "../session/sessions.ts";
import type { ProblemView } from "../view/setup/problems.ts";
import type { Toolset } from "../view/setup/toolsets.ts";
import type { WakeFacts, WakePaths, WakeView } from "../view/setup/wake.ts";
import { transportWithCancellations } from "./cancellations.ts";
import { Channel } from "./channel.ts";
import { traitsOf, type ClientTraits } from "./clients/clients.ts";
import { clientIn, refusedDiscovery } from "./clients/greeting.ts";
import type { ResultSettings } from "./results/limit.ts";
import { registerResources, ResourceNews, type Era } from "./resources.ts";
import { Fence } from "./results/fence.ts";
import { createServer } from "./server.ts";
import { Forms } from "./calls/forms.ts";
import { SharedCalls } from "./calls/shared-calls.ts";

export interface ServeOptions {
  readonly version: string;
  readonly clock: Clock;
  /** Makes the sessions of this process; called once, by the first tool call. */
  readonly makeSessions: () => Promise<Sessions>;
  readonly exposures: LazyExposures;
  readonly services: LazyServices;
  /** The sets of tools that agents get. */
  readonly toolsets: readonly Toolset[];
  /** Nobody is there to confirm a tool call. */
  readonly isUnattended: boolean;
  /** What is wrong with the settings and this machine at the moment, and stops nothing. */
  readonly problems: () => Promise<readonly ProblemView[]>;
  readonly results: ResultSettings;
  /** A call that takes longer is answered within so many ms, and goes on. */
  readonly answerMs: number;
  /** Whether the user wants events of channels. */
  readonly wantsChannel: boolean;
  /** The session ends with its turn, as far as the environment tells. */
  readonly isHeadless: boolean;
  /**
   * Whether a program watches the tunnel and has its client wake the agent.
   * @param runsMonitors the client runs those of its plugins
   */
  readonly isWatched: (tunnelId: TunnelId, runsMonitors: boolean) => boolean;
  readonly wake: (tunnelId: TunnelId, facts: WakeFacts & Pick<WakePaths, "channel">) => WakeView;
  /** The line by which a person runs a command of this program in a shell of this machine. */
  readonly commandLine: (args: readonly string[]) => string;
  /** Ends all that the tools have opened, once the client is gone. */
  readonly stop: () => Promise<void>;
}

const CLOSE_LIMIT_MS = 1_000;

/**
 * Serves MCP on stdin and stdout, in both protocol eras. Resolves when stdin has ended, the one portable sign that the
 * client is gone, and every tunnel is torn down.
 */
export async function serveMcp(options: ServeOptions): Promise<void> {
  const { version, clock, makeSessions, isUnattended, problems, results, answerMs } = options;
  const { wantsChannel, isHeadless } = options;
  // Compiling a validator for each schema of the MCP SDK costs more than it saves on a few messages a minute.
  z.config({ jitless: true });
  const channel = new Channel(clock);
  const news = new ResourceNews(clock);
  let sessions: Promise<Sessions> | undefined;
  let loaded: Sessions | undefined;
  const load = async (): Promise<Sessions> => {
    const made = await makeSessions();
    loaded = made;
    channel.follow(made);
    news.follow(made);
    return made;
  };

  const calls = new SharedCalls(clock);
  let client: ReturnType<typeof clientIn>;
  const traits = (): ClientTraits => traitsOf(client, isHeadless);
  const transport = transportWithCancellations(
    (call) => {
      const run = calls.gaveUp(call);
      if (run !== undefined) void sessions?.then((made) => made.callCancelled(run));
    },
    (message) => {
      client ??= clientIn(message);
      // It takes channels from servers of the older era only, and prefers the newer one where it is offered.
      return wantsChannel && traits().takesChannels ? refusedDiscovery(message) : undefined;
    },
  );
  const ended = new Promise<void>((resolve) => {
    // The SDK is about to cancel all calls: what they wait for is not given up by that.
    process.stdin.once("end", () => loaded?.expectEnd());
    process.stdin.once("end", resolve).once("close", resolve);
    // The SDK closes its transport by itself when a line is endless. It then reads no more, and stdin would never end.
    const close = transport.close.bind(transport);
    transport.close = () => close().finally(resolve);
  });
  const services = {
    clock,
    fence: new Fence(),
    sessions: () => (sessions ??= load()),
    exposures: options.exposures,
    services: options.services,
    calls,
    forms: new Forms(),
    loaded: () => sessions,
    isUnattended,
    problems,
    results,
    answerMs,
    commandLine: options.commandLine,
    wake: (tunnelId: TunnelId) =>
      options.wake(tunnelId, {
        wokenBy: traits().wokenBy,
        isWatched: options.isWatched(tunnelId, traits().runsMonitors),
        isHeadless,
        channel: wantsChannel ? (channel.isAttached ? "declared" : "unsupported") : "off",
      }),
  };
  const factory = ({ era }: { era: Era }): McpServer => {
    // Clients refuse channels of a server that speaks the newer revision.
    const hasChannel = wantsChannel && era === "legacy";
    const made = createServer(version, services, {
      hasChannel,
      toolsets: options.toolsets,
      wokenBy: traits().wokenBy,
      isHeadless,
    });
    if (hasChannel) channel.attach(made);
    registerResources(made, services, news, era);
    return made;
  };
  const server = serveStdio(factory, { transport });
  await ended;
  await options.stop();
  // A client that has stopped reading must not keep this process alive.
  await Promise.race([server.close(), wait(clock, CLOSE_LIMIT_MS)]);
}
