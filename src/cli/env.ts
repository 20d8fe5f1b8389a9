import path from "node:path";
import type { Environment } from "./io/environment.ts";
import type { Identity } from "../control/descriptor.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { readable } from "./setting-kinds.ts";
import { allSettings, type Config, type Setting, SETTINGS, SKILLS_DIR } from "./settings.ts";
import { unknownSettings } from "./unknown-settings.ts";

/**
 * Reads and checks every setting of the server; an empty variable counts as unset.
 * @returns `problems` names the variables that were ignored, with their accepted forms but never their values
 * @throws {TunnelError} config-invalid, naming all bad variables where ignoring one of them would weaken something
 */
export function readConfig(env: Environment): { config: Config; problems: readonly TunnelError[] } {
  const ignored: string[] = [];
  const refused: string[] = [];
  const values = Object.entries<Setting<unknown>>(SETTINGS).map(([name, setting]) => {
    const { is, problem } = valueIn(env, setting);
    if (problem !== undefined) (setting.weakens ? refused : ignored).push(problem);
    return [name, is];
  });
  const config = Object.fromEntries(values) as Config;
  if (config.publicUrl !== undefined && config.transport !== "direct") {
    const { publicUrl, transport } = SETTINGS;
    refused.push(`${publicUrl.variable} must be unset, or used together with ${transport.variable}=direct`);
  }
  if (refused.length > 0) {
    throw new TunnelError("config-invalid", { detail: [...refused, ...ignored].join("; ") });
  }
  const problems = [
    ...ignored.map((detail) => new TunnelError("setting-ignored", { detail })),
    ...unknownSettings(env).map((detail) => new TunnelError("setting-unknown", { detail })),
  ];
  return { config, problems };
}

/** The value that holds, and what is wrong with the text where another one was meant. */
function valueIn<T>(
  env: Environment,
  { variable, kind, default: fallback }: Setting<T>,
): { is: T; problem?: string } {
  const text = readable(env[variable] ?? "", kind);
  // Blanks alone are no value that anybody means.
  const isUnset = text === "" && (env[variable] ?? "").replace(/^\uFEFF|[\r\n]+$/g, "") === "";
  if (isUnset) return { is: fallback };
  const value = kind.parse(text);
  if (value !== undefined) return { is: value };
  const why = kind.explain?.(text);
  const problem = `${variable} must be ${kind.accepted}${why === undefined ? "" : ` (${why})`}`;
  return { is: kind.salvage?.(text) ?? fallback, problem };
}

/** Where `install-skill` puts the skill when no `--dir` is given. */
export function skillsDirectory(env: Environment, home: string): string {
  const claude = env["CLAUDE_CONFIG_DIR"] ?? "";
  return (
    valueIn(env, SKILLS_DIR).is ??
    path.join(path.isAbsolute(claude) ? claude : path.join(home, ".claude"), "skills")
  );
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

/** Whether a terminal obeys more than characters: one of an editor, or of an expect script, shows codes as they are. */
export function knowsCodes(env: Environment): boolean {
  return env["TERM"] !== "dumb" && env["TERM"] !== "unknown";
}

/**
 * Whether text may carry colour. NO_COLOR (no-color.org) and FORCE_COLOR=0 turn it off. Nothing turns it on where there is no
 * terminal: agents and scripts read the output, and inherit variables that were set for somebody else.
 */
export function wantsColor(env: Environment, isTerminal: boolean): boolean {
  const isOff = Boolean(env["NO_COLOR"]) || env["FORCE_COLOR"] === "0" || env["FORCE_COLOR"] === "false";
  return isTerminal && knowsCodes(env) && !isOff;
}

/** The environment without this program's own settings, for server processes that are given theirs explicitly. */
export function withoutSettings(env: Environment): Record<string, string> {
  const others: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !allSettings().some(({ variable }) => variable === name)) others[name] = value;
  }
  return others;
}
