import { constants } from "node:fs";
import { access, lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
import { must } from "../../errors/must.ts";
import { skillState, type SkillState } from "./install-skill.ts";
import { type Client, CLIENTS } from "./clients.ts";
import { locate, pathOf, type Place, type Platform, type Whereabouts } from "./places.ts";

/** A client's configuration file as it was found. */
export type ConfigFile =
  | { readonly kind: "missing"; readonly path: string }
  | { readonly kind: "unusable"; readonly path: string; readonly why: string }
  | {
      readonly kind: "text";
      readonly path: string;
      /** The real file, where `path` is a link to it. */
      readonly target: string;
      readonly text: string;
      readonly mode: number;
      readonly isReadOnly: boolean;
      /** The copy that `setup` saved at its last change. */
      readonly backup: string | undefined;
    };

export interface ClientFacts {
  readonly client: Client;
  /** Absolute path of its program, where that is on the PATH. */
  readonly program: string | undefined;
  /** Whether there is any sign of it on this machine. */
  readonly isHere: boolean;
  readonly file: ConfigFile;
  readonly skill: { readonly dir: string; readonly state: SkillState } | undefined;
}

export interface MachineOptions extends Whereabouts {
  /** The running bundle, absolute; the skill lies beside it. */
  readonly bundle: string;
  /** Absolute folders for programs. */
  readonly searchPath: readonly string[];
}

/** Settings of clients are smaller; anything larger is something else. */
const MAX_CONFIG_BYTES = 64 * 1024 * 1024;

export function backupOf(target: string): string {
  return `${target}.bak-tunnel`;
}

/** Reads all facts about the machine that planning needs, and changes nothing. */
export function lookAround(options: MachineOptions): Promise<readonly ClientFacts[]> {
  return Promise.all(CLIENTS.map((client) => factsOf(client, options)));
}

async function factsOf(client: Client, options: MachineOptions): Promise<ClientFacts> {
  const program = client.program === undefined ? undefined : await findProgram(client.program, options);
  const traces = await Promise.all(client.traces.map((place) => existing(place, options)));
  const dir = client.skills === undefined ? undefined : locate(client.skills, options);
  return {
    client,
    program,
    isHere: program !== undefined || traces.some((found) => found.length > 0),
    file: await readConfigFile(await configPath(client, options)),
    skill: dir === undefined ? undefined : { dir, state: await skillIn(dir, options) },
  };
}

/** A folder that cannot be read, or that is a file, blocks the skill and nothing else. */
function skillIn(dir: string, { bundle }: MachineOptions): Promise<SkillState> {
  return skillState({ bundle, dir }).catch((): SkillState => "blocked");
}

async function configPath({ folders, files }: Client, options: MachineOptions): Promise<string> {
  const path = pathOf(options.platform);
  const found = (await Promise.all(folders.map((place) => existing(place, options)))).flat();
  const folder = found[0] ?? locate(must(folders.at(-1), "a folder of a client"), options) ?? options.home;
  for (const name of files) {
    const file = path.join(folder, name);
    if (await isThere(file)) return file;
  }
  return path.join(folder, must(files.at(-1), "a file of a client"));
}

/** The existing paths that a place stands for. */
export async function existing(place: Place, options: MachineOptions): Promise<readonly string[]> {
  const located = locate(place, options);
  if (located === undefined) return [];
  if (!located.includes("*")) return (await isThere(located)) ? [located] : [];
  const path = pathOf(options.platform);
  const segments = located.split(path.sep);
  const star = segments.findIndex((segment) => segment.includes("*"));
  const pattern = segments.slice(0, star + 1).join(path.sep);
  const prefix = path.basename(pattern).replace("*", "").toLowerCase();
  const names = await readdir(path.dirname(pattern)).catch(() => []);
  const matching = names.filter((name) => name.toLowerCase().startsWith(prefix)).sort();
  const paths = matching.map((name) => path.join(path.dirname(pattern), name, ...segments.slice(star + 1)));
  const there = await Promise.all(paths.map(isThere));
  return paths.filter((_, index) => there[index]);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** Reads a file and the facts that writing it back must keep. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  if (!(await isThere(path))) return { kind: "missing", path };
  try {
    const target = await realpath(path);
    const found = await stat(target);
    if (!found.isFile()) return { kind: "unusable", path, why: "it is not a file" };
    if (found.size > MAX_CONFIG_BYTES) return { kind: "unusable", path, why: "it is too large" };
    const text = decode(await readFile(target));
    if (text === undefined) return { kind: "unusable", path, why: "it is not UTF-8 text" };
    const saved = await readFile(backupOf(target)).catch(() => undefined);
    const isReadOnly = (found.mode & 0o200) === 0 || !(await isWritable(target));
    const backup = saved === undefined ? undefined : decode(saved);
    return { kind: "text", path, target, text, mode: found.mode & 0o777, isReadOnly, backup };
  } catch (error) {
    return { kind: "unusable", path, why: whyUnreadable(error) };
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "it is a link that leads nowhere";
  if (code === "EACCES" || code === "EPERM") return "it may not be read";
  return typeof code === "string" ? `it cannot be read (${code})` : "it cannot be read";
}

/** A program on the search path, as the system would find it. */
async function findProgram(name: string, options: MachineOptions): Promise<string | undefined> {
  const path = pathOf(options.platform);
  const endings = options.platform === "win32" ? [".exe", ".cmd", ".bat"] : [""];
  for (const folder of programFolders(options)) {
    for (const ending of endings) {
      const file = path.join(folder, name + ending);
      if (await isProgram(file, options.platform)) return file;
    }
  }
  return undefined;
}

/** A client on the Windows side of a WSL could not start a server by a path of this side. */
export function programFolders({
  searchPath,
  env,
}: Pick<MachineOptions, "searchPath" | "env">): readonly string[] {
  if (env["WSL_DISTRO_NAME"] === undefined) return searchPath;
  return searchPath.filter((folder) => !/^\/mnt\/[a-z](?:\/|$)/.test(folder));
}

async function isProgram(file: string, platform: Platform): Promise<boolean> {
  try {
    const found = await stat(file);
    return found.isFile() && (platform === "win32" || (found.mode & 0o111) !== 0);
  } catch {
    return false;
  }
}
