import { statSync } from "node:fs";
import { isIP } from "node:net";
import path from "node:path";
import type { Environment } from "./io/environment.ts";
import type { Identity } from "../control/descriptor.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { ROOM } from "../protocol/base/limits.ts";
import { isName } from "../protocol/base/text.ts";
import type { Config } from "../session/config.ts";
import { publicOrigin } from "../tunnel/direct.ts";

/** One variable: how it is read, and how `--help` explains it. */
interface Variable<T> {
  /** The accepted form, to follow "must be". */
  readonly form: string;
  /** The value, or undefined when `text` (never empty) does not have the accepted form. */
  readonly parse: (text: string) => T | undefined;
  readonly fallback: T;
}

const MINUTE_MS = 60_000;
const TRANSPORTS = { cloudflared: "cloudflared", direct: "direct" } as const;
const ON_OFF = { on: true, off: false } as const;
const YES_NO = { "1": true, true: true, "0": false, false: false } as const;

const VARIABLES = {
  TUNNEL_TRANSPORT: oneOf<Config["transport"]>(TRANSPORTS, "cloudflared"),
  TUNNEL_BIND: {
    form: "an IP address such as 127.0.0.1 or 0.0.0.0",
    parse: (text) => (isIP(text) === 0 ? undefined : text),
    fallback: "127.0.0.1",
  } satisfies Variable<string>,
  TUNNEL_PORT: wholeNumber(0, 65_535, 0),
  TUNNEL_PUBLIC_URL: optional(
    "a ws, wss, http or https origin without path, query or user name",
    parseOrigin,
  ),
  TUNNEL_NAME: optional("1 to 64 characters on one line, without control characters", parseName),
  TUNNEL_CLOUDFLARED: optional("the absolute path of a cloudflared program", (text) =>
    path.isAbsolute(text) ? text : undefined,
  ),
  TUNNEL_DOH: oneOf<boolean>(ON_OFF, true),
  TUNNEL_STANDBY: oneOf<boolean>(ON_OFF, true),
  TUNNEL_CONTEXT: oneOf<boolean>(ON_OFF, true),
  TUNNEL_UNATTENDED: oneOf<boolean>(YES_NO, false),
  TUNNEL_IDLE_MINUTES: wholeNumber(1, 1_440, ROOM.idleMs / MINUTE_MS),
  TUNNEL_INVITE_MINUTES: wholeNumber(1, 1_440, ROOM.inviteLifetimeMs / MINUTE_MS),
  TUNNEL_SKIP_REACHABILITY_CHECK: oneOf<boolean>(YES_NO, false),
  TUNNEL_SAVE_ROOTS: list("absolute paths of existing folders", isFolder),
  TUNNEL_SHARE_ROOTS: list("absolute paths of existing folders", isFolder),
  TUNNEL_SHARE_ALLOW: list("absolute paths of files", () => true),
  TUNNEL_CHANNEL: oneOf<boolean>(ON_OFF, false),
};

/**
 * Reads and checks every variable; an empty one counts as unset.
 * @throws TunnelError `config-invalid`, naming all unusable variables and their accepted forms but never their values
 */
export function readConfig(env: Environment): Config {
  const problems: string[] = [];
  function read<T>(name: string, variable: Variable<T>): T {
    const text = env[name];
    if (text === undefined || text === "") return variable.fallback;
    const value = variable.parse(text);
    if (value !== undefined) return value;
    problems.push(`${name} must be ${variable.form}`);
    return variable.fallback;
  }
  const config: Config = {
    transport: read("TUNNEL_TRANSPORT", VARIABLES.TUNNEL_TRANSPORT),
    bind: read("TUNNEL_BIND", VARIABLES.TUNNEL_BIND),
    port: read("TUNNEL_PORT", VARIABLES.TUNNEL_PORT),
    publicUrl: read("TUNNEL_PUBLIC_URL", VARIABLES.TUNNEL_PUBLIC_URL),
    name: read("TUNNEL_NAME", VARIABLES.TUNNEL_NAME),
    cloudflaredPath: read("TUNNEL_CLOUDFLARED", VARIABLES.TUNNEL_CLOUDFLARED),
    doh: read("TUNNEL_DOH", VARIABLES.TUNNEL_DOH),
    standby: read("TUNNEL_STANDBY", VARIABLES.TUNNEL_STANDBY),
    idleMinutes: read("TUNNEL_IDLE_MINUTES", VARIABLES.TUNNEL_IDLE_MINUTES),
    inviteMinutes: read("TUNNEL_INVITE_MINUTES", VARIABLES.TUNNEL_INVITE_MINUTES),
    skipReachabilityCheck: read("TUNNEL_SKIP_REACHABILITY_CHECK", VARIABLES.TUNNEL_SKIP_REACHABILITY_CHECK),
    context: read("TUNNEL_CONTEXT", VARIABLES.TUNNEL_CONTEXT),
    unattended: read("TUNNEL_UNATTENDED", VARIABLES.TUNNEL_UNATTENDED),
    saveRoots: read("TUNNEL_SAVE_ROOTS", VARIABLES.TUNNEL_SAVE_ROOTS),
    shareRoots: read("TUNNEL_SHARE_ROOTS", VARIABLES.TUNNEL_SHARE_ROOTS),
    shareAllow: read("TUNNEL_SHARE_ALLOW", VARIABLES.TUNNEL_SHARE_ALLOW),
    channel: read("TUNNEL_CHANNEL", VARIABLES.TUNNEL_CHANNEL),
  };
  if (config.publicUrl !== undefined && config.transport !== "direct") {
    problems.push("TUNNEL_PUBLIC_URL must be unset, or used together with TUNNEL_TRANSPORT=direct");
  }
  if (problems.length > 0) throw new TunnelError("config-invalid", { detail: problems.join("; ") });
  return config;
}

/** Where `install-skill` puts the skill when no `--dir` is given. */
export function skillsDirectory(env: Environment, home: string): string {
  return env["TUNNEL_SKILLS_DIR"] || path.join(home, ".claude", "skills");
}

/** Which of a client's sessions this process belongs to, and where that works: Claude Code says so to all it starts. */
export function identityOf(env: Environment, cwd: string): Identity {
  return { session: env["CLAUDE_CODE_SESSION_ID"] || undefined, folder: env["CLAUDE_PROJECT_DIR"] || cwd };
}

/** Whether text for a terminal may carry colour (see no-color.org). */
export function wantsColor(env: Environment, isTerminal: boolean): boolean {
  return isTerminal && !env["NO_COLOR"];
}

/** The environment without this program's own settings, for server processes that are given theirs explicitly. */
export function withoutSettings(env: Environment): Record<string, string> {
  const others: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !Object.hasOwn(VARIABLES, name)) others[name] = value;
  }
  return others;
}

function oneOf<T>(values: Readonly<Record<string, T>>, fallback: T): Variable<T> {
  return {
    form: Object.keys(values).join(" or "),
    parse: (text) => (Object.hasOwn(values, text) ? values[text] : undefined),
    fallback,
  };
}

function wholeNumber(min: number, max: number, fallback: number): Variable<number> {
  return {
    form: `a whole number from ${min} to ${max}`,
    parse(text) {
      const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
    fallback,
  };
}

function optional(form: string, parse: (text: string) => string | undefined): Variable<string | undefined> {
  return { form, parse, fallback: undefined };
}

/** Paths, separated as in `PATH`. Absolute, since a client may start the server in any folder. */
function list(what: string, accepts: (entry: string) => boolean): Variable<readonly string[]> {
  return {
    form: `${what}, separated as in PATH`,
    parse(text) {
      const entries = text.split(path.delimiter).filter((entry) => entry !== "");
      const accepted = entries.filter(
        (entry) => path.isAbsolute(entry) && !entry.includes("\0") && accepts(entry),
      );
      return entries.length > 0 && accepted.length === entries.length ? entries : undefined;
    },
    fallback: [],
  };
}

function isFolder(entry: string): boolean {
  try {
    return statSync(entry, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}

function parseName(text: string): string | undefined {
  const name = text.trim().normalize("NFC");
  return isName(name) ? name : undefined;
}

function parseOrigin(text: string): string | undefined {
  try {
    return publicOrigin(text);
  } catch (error) {
    if (error instanceof TunnelError) return undefined;
    throw error;
  }
}
