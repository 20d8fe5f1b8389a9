import { posix, win32 } from "node:path";
import { fileURLToPath } from "node:url";
import { plainEnvironment } from "../../children/environment.ts";
import { homeDirectory, tempDirectory, workingDirectory } from "../../runtime/places.ts";
import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";

/** The facts of the machine on which finding and running cloudflared depends. */
export interface BinaryEnvironment {
  readonly platform: string;
  readonly arch: string;
  /** The user's cache directory, absolute; undefined when none can be told. */
  readonly cacheHome: string | undefined;
  /** Absolute directories of PATH, in order. */
  readonly searchPath: readonly string[];
  readonly cwd: string;
  /** Where the running program lies: an npm neighbour named `cloudflared` is looked for from here upwards. */
  readonly ownDirectory: string;
  readonly tempDirectory: string;
  /** The environment of the child: nothing that steers cloudflared, whose flags can be set by variables of many names. */
  readonly childEnv: Readonly<Record<string, string>>;
  /** Private folders for the records of running children. */
  readonly recordFolders: readonly string[];
}

export interface HostFacts {
  readonly platform: string;
  readonly arch: string;
  readonly home: string;
  readonly cwd: string;
  readonly tempDirectory: string;
  readonly ownDirectory: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

export function hostFacts(): HostFacts {
  return {
    platform: process.platform,
    arch: process.arch,
    home: homeDirectory(),
    cwd: workingDirectory(),
    tempDirectory: tempDirectory(),
    ownDirectory: fileURLToPath(new URL(".", import.meta.url)),
  };
}

/** Reads what is needed out of `env`, which the caller passes from `process.env`. */
export function binaryEnvironment(env: Variables, host: HostFacts = hostFacts()): BinaryEnvironment {
  return {
    platform: host.platform,
    arch: host.arch,
    cacheHome: cacheHome(env, host),
    searchPath: searchPath(env, host.platform),
    cwd: host.cwd,
    ownDirectory: host.ownDirectory,
    tempDirectory: host.tempDirectory,
    childEnv: plainEnvironment(env, host.platform),
    recordFolders: privateFolders(env, machineFacts()),
  };
}

function cacheHome(env: Variables, { platform, home }: HostFacts): string | undefined {
  const path = platform === "win32" ? win32 : posix;
  const choose = (variable: string, ...fallback: string[]): string | undefined => {
    const set = variableOf(env, platform, variable);
    if (set !== undefined && path.isAbsolute(set)) return set;
    return path.isAbsolute(home) ? path.join(home, ...fallback) : undefined;
  };
  if (platform === "win32") return choose("LOCALAPPDATA", "AppData", "Local");
  return platform === "darwin" ? choose("", "Library", "Caches") : choose("XDG_CACHE_HOME", ".cache");
}

/**
 * PATH without the entries that a project directory could own: relative ones (they mean whatever the working directory
 * is) and `node_modules`, which npx puts in front and where `cloudflared` is a script that downloads an unchecked program.
 */
function searchPath(env: Variables, platform: string): string[] {
  const path = platform === "win32" ? win32 : posix;
  const entries = (variableOf(env, platform, "PATH") ?? "").split(path.delimiter);
  return entries
    .map((entry) => (platform === "win32" ? entry.replace(/^"(.*)"$/, "$1") : entry))
    .filter((entry) => isFullyAbsolute(entry, platform) && !entry.split(/[\\/]/).includes("node_modules"));
}

/** On Windows `\dir` is absolute by name only: it depends on the current drive. */
function isFullyAbsolute(entry: string, platform: string): boolean {
  return platform === "win32" ? /^(?:[a-z]:[\\/]|\\\\)/i.test(entry) : posix.isAbsolute(entry);
}

/** Windows variables have no case, but a copy of the environment does. */
function variableOf(env: Variables, platform: string, name: string): string | undefined {
  if (platform !== "win32") return env[name];
  return Object.entries(env).find(([key]) => key.toUpperCase() === name)?.[1];
}
