import { noServices } from "../services/tunnels/lazy-services.ts";
import type { Command } from "../cli/args.ts";
import { identityOf, knowsCodes, readConfig } from "../cli/env.ts";
import type { Output } from "../cli/io/output.ts";
import { agentShell } from "../cli/io/agent-shell.ts";
import { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import type { Host } from "./host.ts";

type ExposeCommands = Extract<Command, { kind: "expose" | "expose-list" | "expose-stop" }>;

/** Exposes something in this process, or looks for what others of this user expose. */
export async function runExpose(
  command: ExposeCommands,
  host: Host,
  output: Output,
  config: ReturnType<typeof readConfig>["config"],
): Promise<0 | 1 | 2> {
  if (command.kind === "expose") return runHere(command, host, output, config);
  const { env, clock, version, columns } = host;
  const { exposeList, exposeStop } = await import("./commands.ts");
  const { serverSearch } = await import("./waking.ts");
  const { folders, platform } = serverSearch(env, identityOf(env, host.cwd));
  if (command.kind === "expose-stop")
    return exposeStop({ command, folders, platform, clock, env, version, output });
  const width = columns.out() || undefined;
  return exposeList({ command, folders, platform, pid: process.pid, clock, output, columns: width });
}

async function runHere(
  command: Extract<ExposeCommands, { kind: "expose" }>,
  host: Host,
  output: Output,
  config: ReturnType<typeof readConfig>["config"],
): Promise<0 | 1 | 2> {
  const { env, version, clock, cwd, home, onShutdown } = host;
  const { expose } = await import("./commands.ts");
  let close: (() => Promise<void>) | undefined;
  // Registered first, so that it runs last: the address goes before the ways to it.
  onShutdown(async () => close?.());
  const load = async () => {
    const { loadSessions, notifyPerson, openEndpoints } = await import("./sessions.ts");
    const sessions = loadSessions({ config, clock, env, cwd, home });
    const exposures = new LazyExposures(async () => {
      const { loadExposures } = await import("./reaching/reaching.ts");
      return loadExposures({ config, sessions, clock, env, cwd, home });
    });
    const identity = identityOf(env, cwd);
    // This command opens no tunnel.
    const services = noServices();
    const endpoints = openEndpoints({ sessions, exposures, services, clock, env, identity, version, cwd });
    const quiet =
      config.notify === undefined
        ? undefined
        : notifyPerson({ sessions, clock, env, cwd, command: config.notify });
    close = async () => {
      await Promise.all([exposures.shutDown(), sessions.shutDown()]);
      await Promise.all([quiet?.(), endpoints.questions.close(), endpoints.faces.close()]);
    };
    return exposures.get();
  };
  const isTerminal = host.stdoutIsTerminal && knowsCodes(env);
  const code = await expose({
    command,
    exposures: load,
    isConsented: agentShell(env) === undefined,
    clock,
    platform: process.platform,
    output,
    input: process.stdin,
    terminal: process.stdout,
    isInteractive: host.stdinIsTerminal && isTerminal && !command.json,
    showsCodes: isTerminal,
    outputLost: host.outputLost,
    onShutdown,
    exitNow: host.exitNow,
  });
  await close?.();
  return code;
}
