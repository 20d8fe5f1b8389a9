import { asTunnelError } from "../errors/tunnel-error.ts";
import { LazyServices, noServices } from "../services/tunnels/lazy-services.ts";
import { machineFacts, stateFolders } from "../runtime/private-folders.ts";
import type { KeptLook } from "../session/resumable.ts";
import type { Sessions } from "../session/sessions.ts";
import { hasStays } from "../session/stays/places.ts";
import { noExposures } from "../expose/exposures/lazy-exposures.ts";
import { type Command, parseCommand } from "../cli/args.ts";
import {
  identityOf,
  knowsCodes,
  readConfig,
  skillsDirectory,
  wantsColor,
  withoutSettings,
} from "../cli/env.ts";
import { agentShell } from "../cli/io/agent-shell.ts";
import { helpText, terminalHint } from "../cli/help.ts";
import { runExpose } from "./expose.ts";
import type { Host } from "./host.ts";
import { describeSafely } from "./lifecycle.ts";
import { codeAfterLoss } from "./output-loss.ts";
import { serve } from "./serve.ts";
import { surroundingProblems } from "./surroundings.ts";
import type { Output } from "../cli/io/output.ts";
import type { PageCommandOptions, ShownPage } from "../cli/page/page.ts";

/**
 * 0: done. 1: tried and failed. 2: the arguments or the environment cannot be used. 3, 4, 5: see WakeCode. 141: ended because
 * nobody reads the output.
 */
type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 141;

/** Runs the command line to its end. Never rejects: a failure is explained on stderr. */
export async function run(host: Host): Promise<ExitCode> {
  const command = parseCommand(host.args);
  try {
    return await Promise.race([execute(command, host), endByLoss(command, host)]);
  } catch (thrown) {
    const error = asTunnelError(thrown);
    const next = isForAgents(command) ? error.next : error.nextForPerson;
    host.err(await wrapped(`tunnel-mcp: ${error.message}\n  ${next}\n`, host.columns.err()));
    if (error.code === "internal") host.err(`  ${describeSafely(error)}\n`);
    return error.code === "config-invalid" ? 2 : 1;
  }
}

/** Never resolves for a command that goes on without its output. */
async function endByLoss(command: Command, { outputLost }: Host): Promise<ExitCode> {
  const code = codeAfterLoss(command, await outputLost);
  return code ?? new Promise(() => undefined);
}

/** tunnel_status gives the command `wake` to an agent, which reads its output. */
function isForAgents({ kind }: Command): boolean {
  return kind === "wake" || kind === "wake-watch";
}

async function execute(command: Command, host: Host): Promise<ExitCode> {
  const { env, version, clock, onShutdown } = host;
  switch (command.kind) {
    case "help":
      host.out(await wrapped(helpText(version, host.bundle), host.columns.out()));
      return 0;
    case "version":
      host.out(`${version}\n`);
      return 0;
    case "usage-error":
      host.err(
        await wrapped(
          `tunnel-mcp: ${command.message}\n  ${command.usage}  (more: tunnel-mcp --help)\n`,
          host.columns.err(),
        ),
      );
      return 2;
    case "serve": {
      const { config, problems } = checkedSettings(host);
      if (host.stdinIsTerminal) host.err(`${terminalHint(host.bundle)}\n`);
      const identity = identityOf(env, host.cwd);
      const { cwd, home, bundle } = host;
      await serve({ config, problems, version, clock, env, cwd, home, identity, bundle, onShutdown });
      return 0;
    }
    case "relay": {
      const { relay } = await import("./relaying.ts");
      return relay(command.args, host);
    }
    default:
      return executeLater(command, host);
  }
}

/** Loads the wrapping only where a line does not fit: a starting server has no use for it. */
async function wrapped(text: string, columns: number | undefined): Promise<string> {
  const needed = Math.max(...text.split("\n").map((line) => line.length));
  if (columns === undefined || columns === 0 || needed < columns) return text;
  return (await import("./commands.ts")).wrapWords(text, columns);
}

/** Texts for people are wrapped where a terminal shows them; data, and what is to be copied, are left as they are. */
async function outputFor(command: LaterCommand, host: Host): Promise<Output> {
  const { out, err, env, columns, stdoutIsTerminal, stderrIsTerminal } = host;
  const output: Output = { out, err, color: wantsColor(env, stdoutIsTerminal) };
  const isData =
    command.kind === "export" ||
    (command.kind === "setup" && command.request.mode === "print") ||
    (command.kind === "observe" && command.json) ||
    (command.kind === "kept" && command.json);
  if (isData || isForAgents(command) || !(stdoutIsTerminal || stderrIsTerminal)) return output;
  const { wrapWords } = await import("./commands.ts");
  // They wrap their own lines, where they know which of them are links, codes or tables.
  const wrapsItself = ["open", "join", "resume", "kept", "expose", "expose-list"].includes(command.kind);
  return {
    ...output,
    out: wrapsItself ? out : (text) => out(wrapWords(text, columns.out() || undefined)),
    err: (text) => err(wrapWords(text, columns.err() || undefined)),
  };
}

/** The settings. What is wrong with them, and with the folders of this machine, is told on stderr and stops nothing. */
function checkedSettings({ env, err, cwd, home }: Host): ReturnType<typeof readConfig> {
  const settings = readConfig(env);
  const { config, problems } = settings;
  for (const { message, nextForPerson } of [...problems, ...surroundingProblems({ config, cwd, home, env })])
    err(`tunnel-mcp: warning: ${message}\n  ${nextForPerson}\n`);
  return settings;
}

type LaterCommand = Exclude<Command, { kind: "help" | "version" | "usage-error" | "serve" | "relay" }>;

// Heavy modules are imported on demand: a starting server must not load the other commands.
async function executeLater(command: LaterCommand, host: Host): Promise<ExitCode> {
  const { env, clock, onShutdown } = host;
  const output = await outputFor(command, host);
  switch (command.kind) {
    case "demo": {
      const { demo } = await import("./commands.ts");
      return demo({
        transport: command.transport,
        bundle: host.bundle,
        env,
        plainEnv: withoutSettings(env),
        cwd: host.cwd,
        clock,
        output,
        onShutdown,
        showPage: command.page ? () => showPageHere(host, output) : undefined,
      });
    }
    case "doctor":
      return runDoctor(host, output);
    case "verify":
    case "export":
      return runTranscript(command, host, output);
    case "open":
    case "join":
    case "resume":
      return runChat(command, host, output);
    case "expose":
      return runExpose(command, host, output, checkedSettings(host).config);
    case "expose-list":
    case "expose-stop":
      return runExpose(command, host, output, readConfig(env).config);
    case "wake":
    case "wake-watch":
      return runWake(command, host, output);
    default:
      return showOrPrepare(command, host, output);
  }
}

async function runTranscript(
  command: Extract<LaterCommand, { kind: "verify" | "export" }>,
  { env, clock, cwd }: Host,
  output: Output,
): Promise<ExitCode> {
  const { exportTranscript, verify } = await import("./commands.ts");
  if (command.kind === "verify") return verify({ file: command.file, output });
  const { serverSearch } = await import("./waking.ts");
  const search = serverSearch(env, identityOf(env, cwd));
  return exportTranscript({ ...search, request: command.request, clock, output, cwd });
}

/** The commands that show a person what there is, and those that write files for other programs. */
async function showOrPrepare(
  command: PreparingCommand | Extract<LaterCommand, { kind: "kept" | "watch" | "page" | "observe" }>,
  host: Host,
  output: Output,
): Promise<ExitCode> {
  switch (command.kind) {
    case "kept":
      return runKept(command, host, output);
    case "watch":
      return runWatch(command, host, output);
    case "page":
      return runPage(host, output);
    case "observe":
      return runObserve(command, host, output);
    default:
      return prepareMachine(command, host, output);
  }
}

type PreparingCommand = Extract<
  LaterCommand,
  { kind: "setup" | "install-skill" | "uninstall-skill" | "anthropic-tunnel" }
>;

/** The commands that write files for other programs. */
async function prepareMachine(command: PreparingCommand, host: Host, output: Output): Promise<ExitCode> {
  switch (command.kind) {
    case "setup":
      return runSetup(command, host, output);
    case "anthropic-tunnel": {
      const { anthropicTunnel, realProbes } = await import("./commands.ts");
      return anthropicTunnel({
        command,
        cwd: host.cwd,
        env: host.env,
        platform: process.platform,
        now: host.clock.now(),
        output,
        input: process.stdin,
        inputIsTerminal: host.stdinIsTerminal,
        probes: () => realProbes(checkedSettings(host).config, host.env),
      });
    }
    case "install-skill": {
      const { installSkill } = await import("./commands.ts");
      return installSkill(skillOptions(command, host, output));
    }
    case "uninstall-skill": {
      const { uninstallSkill } = await import("./commands.ts");
      return uninstallSkill({ ...skillOptions(command, host, output), kept: [host.home] });
    }
  }
}

async function runDoctor(host: Host, output: Output): Promise<ExitCode> {
  const { env, clock } = host;
  const { config } = checkedSettings(host);
  const { doctor, realProbes, relayToCheck } = await import("./commands.ts");
  const probes = realProbes(config, env);
  const relay = relayToCheck(config, env, clock);
  const { transport } = config;
  const countKept = async (): Promise<number> => (await keptHere(host)(new Set())).length;
  return doctor({ probes, relay, transport, countKept, clock, output });
}

async function runWake(
  command: Extract<LaterCommand, { kind: "wake" | "wake-watch" }>,
  { env, clock, cwd, home, onShutdown }: Host,
  output: Output,
): Promise<ExitCode> {
  const { keptSearch, serverSearch, wake, wakeWatch } = await import("./waking.ts");
  const search = { ...serverSearch(env, identityOf(env, cwd)), ...keptSearch(env, home) };
  const { tunnelId } = command;
  if (command.kind === "wake")
    return wake({ ...search, tunnelId, timeoutMs: command.timeoutMs, clock, output });
  const ending = new AbortController();
  onShutdown(async () => ending.abort());
  await wakeWatch({ ...search, tunnelId, clock, output, signal: ending.signal });
  return 0;
}

async function runChat(
  command: Extract<LaterCommand, { kind: "open" | "join" | "resume" }>,
  host: Host,
  output: Output,
): Promise<ExitCode> {
  const { env, version, clock, cwd, home, stdinIsTerminal, onShutdown } = host;
  const { config } = checkedSettings(host);
  const { chat } = await import("./commands.ts");
  let faces: { close(): Promise<void> } | undefined;
  onShutdown(async () => faces?.close());
  // A chat exposes nothing.
  const exposures = noExposures();
  let loading: Promise<Sessions> | undefined;
  const services = new LazyServices(async () => {
    const sessions = await (loading ??= load());
    const { loadServices } = await import("./reaching/reaching.ts");
    return loadServices({ config, sessions, exposures, clock, env, cwd });
  });
  const load = async (): Promise<Sessions> => {
    const { loadSessions, openFaces } = await import("./sessions.ts");
    const sessions = loadSessions({ config, clock, env, cwd, home, keepsStays: true });
    faces = openFaces({
      sessions,
      exposures,
      services,
      clock,
      env,
      identity: identityOf(env, cwd),
      version,
      cwd,
    });
    return sessions;
  };
  const code = await chat({
    request: command,
    keptForSec: config.keepMinutes * 60,
    kept: async () => (await keptHere(host)(new Set())).filter(({ folder }) => folder === cwd),
    sessions: () => (loading ??= load()),
    services,
    clock,
    output,
    input: process.stdin,
    terminal: process.stdout,
    stdinIsTerminal,
    isInteractive: stdinIsTerminal && host.stdoutIsTerminal && knowsCodes(env),
    isAgentShell: agentShell(env) !== undefined,
    marksPaste: host.stderrIsTerminal && knowsCodes(env),
    outputLost: host.outputLost,
    onShutdown,
    exitNow: host.exitNow,
  });
  await faces?.close();
  return code;
}

/** Loads what reads them only where there are any. */
function keptHere({ env, home, clock }: Host): KeptLook {
  let looking: Promise<KeptLook> | undefined;
  return async (except) => {
    if (!(await hasStays(stateFolders(env, home, machineFacts())))) return [];
    looking ??= import("./sessions.ts").then(({ keptTunnelsHere }) =>
      keptTunnelsHere({ config: readConfig(env).config, clock, env, home }),
    );
    return (await looking)(except);
  };
}

async function runKept(
  request: Extract<LaterCommand, { kind: "kept" }>,
  host: Host,
  output: Output,
): Promise<ExitCode> {
  const { env, home, clock, columns } = host;
  const { kept } = await import("./commands.ts");
  return kept({
    request,
    look: keptHere(host),
    forget: async (only) => {
      const { forgetStaysHere } = await import("./sessions.ts");
      // The clock's timers keep no process alive, and the end of a caretaker is waited for by nothing else.
      const staying = setInterval(() => undefined, 1_000);
      try {
        return await forgetStaysHere({ config: readConfig(env).config, clock, env, home }, only);
      } finally {
        clearInterval(staying);
      }
    },
    clock,
    output,
    columns: columns.out() || undefined,
  });
}

async function runWatch(
  command: Extract<LaterCommand, { kind: "watch" }>,
  host: Host,
  output: Output,
): Promise<ExitCode> {
  const { watch } = await import("./commands.ts");
  const isInteractive = host.stdinIsTerminal && host.stdoutIsTerminal && knowsCodes(host.env);
  return watch({
    ...(await lookOptions(host, output)),
    isJson: command.json,
    input: process.stdin,
    terminal: process.stdout,
    isInteractive,
  });
}

async function runPage(host: Host, output: Output): Promise<ExitCode> {
  const { page } = await import("./commands.ts");
  return page(await pageOptions(host, output));
}

async function showPageHere(host: Host, output: Output): Promise<ShownPage> {
  const { showPage } = await import("./commands.ts");
  return showPage(await pageOptions(host, output));
}

async function pageOptions(host: Host, output: Output): Promise<PageCommandOptions> {
  const { bundle, stdinIsTerminal, stdoutIsTerminal } = host;
  const isInteractive = stdinIsTerminal && stdoutIsTerminal;
  return { ...(await lookOptions(host, output)), bundle, input: process.stdin, isInteractive };
}

/** For whatever looks at the servers of this user. */
async function lookOptions(
  host: Host,
  output: Output,
): Promise<Omit<PageCommandOptions, "bundle" | "input" | "isInteractive">> {
  const { env, cwd, version, clock, onShutdown } = host;
  const { serverSearch } = await import("./waking.ts");
  const { folders, platform } = serverSearch(env, identityOf(env, cwd));
  return { folders, platform, clock, env, version, output, onShutdown, kept: keptHere(host) };
}

async function runObserve(
  request: Extract<LaterCommand, { kind: "observe" }>,
  host: Host,
  output: Output,
): Promise<ExitCode> {
  const { env, version, clock, cwd, home, bundle, stdinIsTerminal, onShutdown } = host;
  // Nothing of a tunnel waits for whoever only reads along, and nothing of this machine is told.
  const config = { ...checkedSettings(host).config, gates: [], budgets: "off", context: false } as const;
  const { observe } = await import("./commands.ts");
  return observe({
    request,
    sessions: async () => (await import("./sessions.ts")).loadSessions({ config, clock, env, cwd, home }),
    exposures: noExposures(),
    services: noServices(),
    folders: [],
    platform: process.platform,
    clock,
    env,
    cwd,
    version,
    output,
    bundle,
    input: process.stdin,
    stdinIsTerminal,
    isInteractive: stdinIsTerminal && host.stdoutIsTerminal,
    marksPaste: host.stderrIsTerminal && knowsCodes(env),
    outputLost: host.outputLost,
    onShutdown,
  });
}

async function runSetup(
  command: Extract<LaterCommand, { kind: "setup" }>,
  host: Host,
  output: Output,
): Promise<ExitCode> {
  const { env, clock, onShutdown } = host;
  const { setupHere } = await import("./commands.ts");
  const { bundle, home, cwd, stdinIsTerminal, stdoutIsTerminal } = host;
  const isAtTerminal = stdinIsTerminal && stdoutIsTerminal;
  return setupHere({
    request: command.request,
    bundle,
    home,
    cwd,
    env,
    clock,
    output,
    isAtTerminal,
    onShutdown,
  });
}

function skillOptions(
  { dir, force }: Extract<Command, { kind: "install-skill" | "uninstall-skill" }>,
  { bundle, env, home }: Host,
  output: Output,
): { bundle: string; dir: string; force: boolean; output: Output } {
  return { bundle, dir: dir ?? skillsDirectory(env, home), force, output };
}
