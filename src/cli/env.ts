import path from "node:path";
import type { Environment } from "./io/environment.ts";
import type { Identity } from "../control/descriptor.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { allSettings, type Config, type Setting, SETTINGS, SKILLS_DIR } from "./settings.ts";

/**
 * Reads and checks every setting of the server; an empty variable counts as unset.
 * @returns `problems` names the variables that were ignored, with their accepted forms but never their values
 * @throws {TunnelError} config-invalid, naming all bad variables where ignoring one of them would weaken something
 */
export function readConfig(env: Environment): { config: Config; problems: readonly string[] } {
  const problems: string[] = [];
  const refused: string[] = [];
  const values = Object.entries<Setting<unknown>>(SETTINGS).map(([name, setting]) => {
    const value = valueIn(env, setting);
    if (value === undefined) {
      const problem = `${setting.variable} must be ${setting.kind.accepted}`;
      (setting.weakens ? refused : problems).push(problem);
    }
    return [name, value?.is ?? setting.default];
  });
  const config = Object.fromEntries(values) as Config;
  if (config.publicUrl !== undefined && config.transport !== "direct") {
    const { publicUrl, transport } = SETTINGS;
    refused.push(`${publicUrl.variable} must be unset, or used together with ${transport.variable}=direct`);
  }
  if (refused.length > 0) {
    throw new TunnelError("config-invalid", { detail: [...refused, ...problems].join("; ") });
  }
  return { config, problems };
}

/** The value that holds, in an object since it may be undefined; undefined when the text does not have the accepted form. */
function valueIn<T>(
  env: Environment,
  { variable, kind, default: fallback }: Setting<T>,
): { is: T } | undefined {
  const text = env[variable];
  if (text === undefined || text === "") return { is: fallback };
  const value = kind.parse(text);
  return value === undefined ? undefined : { is: value };
}

/** Where `install-skill` puts the skill when no `--dir` is given. */
export function skillsDirectory(env: Environment, home: string): string {
  return valueIn(env, SKILLS_DIR)?.is ?? path.join(home, ".claude", "skills");
}

/** The client's session that this process belongs to, and its folder. Claude Code tells both to all that it starts. */
export function identityOf(env: Environment, cwd: string): Identity {
  return { session: env["CLAUDE_CODE_SESSION_ID"] || undefined, folder: env["CLAUDE_PROJECT_DIR"] || cwd };
}

/**
 * Whether the client's session runs without a person, and may end with the agent's turn. Claude Code tells its servers how
 * it was started: `cli` in a terminal, `sdk-cli` for `claude -p`, `sdk-ts` and `sdk-py` from a program.
 */
export function isHeadless(env: Environment): boolean {
  return env["CLAUDE_CODE_ENTRYPOINT"]?.startsWith("sdk-") === true;
}

/** Whether Claude Code has started this server as part of its plugin, which brings a monitor (monitors/monitors.json). */
export function isPlugin(env: Environment): boolean {
  return Boolean(env["CLAUDE_PLUGIN_ROOT"]);
}

/** Whether text for a terminal may carry colour (see no-color.org). */
export function wantsColor(env: Environment, isTerminal: boolean): boolean {
  return isTerminal && !env["NO_COLOR"];
}

/** The environment without this program's own settings, for server processes that are given theirs explicitly. */
export function withoutSettings(env: Environment): Record<string, string> {
  const others: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !allSettings().some(({ variable }) => variable === name)) others[name] = value;
  }
  return others;
}
