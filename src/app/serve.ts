import { hasLeftovers } from "../children/record-names.ts";
import { isHeadless, isPlugin } from "../cli/env.ts";
import type { Config } from "../cli/settings.ts";
import type { Identity } from "../control/descriptor.ts";
import type { Endpoints } from "./endpoint.ts";
import type { TunnelError } from "../errors/tunnel-error.ts";
import { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import { LazyServices } from "../services/tunnels/lazy-services.ts";
import { serveMcp } from "../mcp/serve.ts";
import type { Clock } from "../runtime/clock.ts";
import { machineFacts, privateFolders, stateFolders } from "../runtime/private-folders.ts";
import { shellLine } from "../runtime/shell-line.ts";
import type { Sessions } from "../session/sessions.ts";
import { hasStays } from "../session/stays/places.ts";
import { problemsView } from "../view/setup/problems.ts";
import { programOf } from "../view/setup/registration.ts";
import { wakeView } from "../view/setup/wake.ts";
import { surroundingProblems } from "./surroundings.ts";

export interface ServeOptions {
  readonly config: Config;
  /** Settings that were ignored, and what they must be. */
  readonly problems: readonly TunnelError[];
  readonly version: string;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** The owner, for other commands of the same user that look for this server. */
  readonly identity: Identity;
  /** The path of the running program. */
  readonly bundle: string;
  /** Registers a hook for the end of the process, whatever its cause. */
  readonly onShutdown: (hook: () => Promise<void>) => void;
}

/** The answer to a client's first question comes first. */
const SWEEP_AFTER_MS = 300;

/**
 * Ends the children that a killed server and their guards have left behind, and removes stays whose time is over. Loads nothing where
 * nothing was left.
 */
async function sweepLeftovers(options: ServeOptions): Promise<void> {
  const { env, clock, home } = options;
  const facts = machineFacts();
  if (await hasLeftovers(privateFolders(env, facts))) {
    const { sweepHere } = await import("./sessions.ts");
    await sweepHere(env, clock);
  }
  if (await hasStays(stateFolders(env, home, facts))) {
    const { sweepStaysHere } = await import("./sessions.ts");
    await sweepStaysHere(options);
  }
}

interface Loaded {
  readonly sessions: Sessions;
  readonly endpoints: Endpoints;
  /** Ends the calls of a person's own program, where they have named one. */
  readonly quiet: (() => Promise<void>) | undefined;
}

/**
 * The server that an MCP client starts. Sockets, cryptography and tunnels are loaded with the first tool call: a client that
 * only lists the tools must not wait for them. Resolves when the client is gone and every tunnel is torn down.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, problems, version, clock, bundle, env } = options;
  let loading: Promise<Loaded> | undefined;
  let endpoints: Endpoints | undefined;
  let closePage = (): Promise<void> => Promise.resolve();
  const load = async (): Promise<Loaded> => {
    const { loadSessions, notifyPerson, openEndpoints } = await import("./sessions.ts");
    const sessions = loadSessions({ ...options, keepsStays: true });
    endpoints = openEndpoints({ ...options, sessions, exposures, services });
    const { notify: command } = config;
    const quiet = command === undefined ? undefined : notifyPerson({ ...options, sessions, command });
    const { hasPage } = endpoints;
    if (config.page) {
      const { pageWithFirstTunnel } = await import("./paging.ts");
      closePage = pageWithFirstTunnel({ ...options, sessions, hasPage });
    }
    return { sessions, endpoints, quiet };
  };
  const exposures = new LazyExposures(async () => {
    const { sessions } = await (loading ??= load());
    const { loadExposures } = await import("./reaching/reaching.ts");
    return loadExposures({ ...options, sessions, servicePorts: () => services.loaded?.ports ?? [] });
  });
  const services: LazyServices = new LazyServices(async () => {
    const { sessions } = await (loading ??= load());
    const { loadServices } = await import("./reaching/reaching.ts");
    return loadServices({ ...options, sessions, exposures });
  });
  const stop = async (): Promise<void> => {
    const loaded = await loading;
    await Promise.all([exposures.shutDown(), services.shutDown(), loaded?.sessions.shutDown()]);
    await Promise.all([loaded?.quiet?.(), closePage()]);
    await Promise.all([loaded?.endpoints.questions.close(), loaded?.endpoints.faces.close()]);
  };
  options.onShutdown(stop);
  clock.after(SWEEP_AFTER_MS, () => void sweepLeftovers(options));
  await serveMcp({
    version,
    clock,
    makeSessions: async () => (await (loading ??= load())).sessions,
    exposures,
    services,
    toolsets: config.toolsets,
    isUnattended: config.unattended,
    problems: async () => {
      await endpoints?.questions.look();
      const endpointProblem = endpoints?.questions.problem;
      const now = [...problems, ...surroundingProblems(options)];
      const sessionProblems = (await loading)?.sessions.problems ?? [];
      return problemsView([
        ...now,
        ...(endpointProblem === undefined ? [] : [endpointProblem]),
        ...sessionProblems,
      ]);
    },
    // Claude Desktop runs Claude Code without what tools say of themselves.
    results: { set: config.resultLimit, dropsMeta: env["CLAUDE_CODE_ENTRYPOINT"] === "claude-desktop" },
    answerMs: config.answerSeconds * 1_000,
    wantsChannel: config.channel,
    isHeadless: isHeadless(env),
    isWatched: (tunnelId, runsMonitors) =>
      endpoints?.isWatched(tunnelId, runsMonitors && isPlugin(env)) === true,
    commandLine: (args) => shellLine([...programOf(bundle), ...args], process.platform),
    wake: (tunnelId, facts) =>
      wakeView(tunnelId, {
        ...facts,
        bundle,
        platform: process.platform,
        endpoint: endpoints?.questions.state ?? "unopened",
      }),
    stop,
  });
}
