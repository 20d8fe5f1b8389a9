import { constants } from "node:fs";
import { access, lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
import { must } from "../../errors/must.ts";
import { skillState, type SkillState } from "./install-skill.ts";
import { type Client, CLIENTS } from "./clients.ts";
import { type Elsewhere, elsewhereOf, whyProjectIgnored } from "./elsewhere.ts";
import { Unusable } from "./formats/config-text.ts";
import { configText } from "./formats/formats.ts";
import { backupOf, isLeaving } from "./files/leavings.ts";
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
      /** The owner, where the system has such a thing. */
      readonly owner: { readonly uid: number; readonly gid: number };
      readonly isReadOnly: boolean;
      readonly isLink: boolean;
      /** The copy that `setup` saved at its last change. */
      readonly backup: string | undefined;
    };

export interface ClientFacts {
  /** For a project, its file and format stand in the place of the user's. */
  readonly client: Client;
  /** Whether there is any sign of it on this machine, beside what `setup` puts there. */
  readonly isHere: boolean;
  readonly file: ConfigFile;
  /** Where else the client has our server from. */
  readonly elsewhere: readonly Elsewhere[];
  /** The reason for which the client would not read the file. */
  readonly ignored: string | undefined;
  readonly skill: { readonly dir: string; readonly state: SkillState } | undefined;
}

export interface MachineOptions extends Whereabouts {
  /** The running bundle, absolute; the skill lies beside it. */
  readonly bundle: string;
  /** Absolute folders for programs. */
  readonly searchPath: readonly string[];
  /** The folder in which the command was started. */
  readonly cwd: string;
  /** Whether the files of the project in `cwd` are meant, and not the user's. */
  readonly project: boolean;
}

/** Settings of clients are smaller; anything larger is something else. */
const MAX_CONFIG_BYTES = 64 * 1024 * 1024;

/** Reads all facts about the machine that planning needs, and changes nothing. */
export function lookAround(options: MachineOptions): Promise<readonly ClientFacts[]> {
  return Promise.all(CLIENTS.map((client) => factsOf(client, options)));
}

async function factsOf(client: Client, options: MachineOptions): Promise<ClientFacts> {
  const isHere = await isInstalled(client, options);
  if (options.project) return projectFacts(client, isHere, options);
  const dir = client.skills === undefined ? undefined : locate(client.skills, options);
  const file = await readConfigFile(await configPath(client, options));
  return {
    client,
    isHere,
    file,
    elsewhere: await elsewhereOf(client, file.kind === "text" ? file.text : undefined, options),
    ignored: undefined,
    skill: dir === undefined ? undefined : { dir, state: await skillIn(dir, options) },
  };
}

async function projectFacts(client: Client, isHere: boolean, options: MachineOptions): Promise<ClientFacts> {
  const { folder, ...own } = client.project ?? { folder: "", files: client.files };
  const path = pathOf(options.platform);
  const below = path.join(options.cwd, folder);
  return {
    client: { ...client, ...own },
    isHere,
    file: await readConfigFile(await fileIn(below, { format: client.format, ...own }, options)),
    elsewhere: [],
    ignored: await whyProjectIgnored(client, options),
    skill: undefined,
  };
}

/** A client is found by its program, its application, or by what it has written itself. */
async function isInstalled(client: Client, options: MachineOptions): Promise<boolean> {
  if (client.program !== undefined && (await isOnPath(client.program, options))) return true;
  const apps = await Promise.all(client.apps.map((place) => existing(place, options)));
  if (apps.some((found) => found.length > 0)) return true;
  const traces = (await Promise.all(client.traces.map((place) => existing(place, options)))).flat();
  const leavings = await Promise.all(traces.map((place) => isLeaving(place, client).catch(() => false)));
  return leavings.includes(false);
}

/** A folder that cannot be read, or that is a file, blocks the skill and nothing else. */
function skillIn(dir: string, { bundle }: MachineOptions): Promise<SkillState> {
  return skillState({ bundle, dir }).catch((): SkillState => "blocked");
}

async function configPath(
  { folders, files, older, format }: Client,
  options: MachineOptions,
): Promise<string> {
  const [old] = older === undefined ? [] : await existing(older, options);
  if (old !== undefined) return old;
  const found = (await Promise.all(folders.map((place) => existing(place, options)))).flat();
  const usual = folders.map((place) => locate(place, options)).findLast((place) => place !== undefined);
  const folder = found[0] ?? usual ?? options.home;
  return fileIn(folder, { files, format }, options);
}

/** The file in a folder that has our entry, or else the first one that exists, or else the last one. */
async function fileIn(
  folder: string,
  { files, format }: Pick<Client, "files" | "format">,
  { platform }: MachineOptions,
): Promise<string> {
  const path = pathOf(platform);
  const paths = files.map((name) => path.join(folder, name));
  const there = await Promise.all(paths.map(isThere));
  const found = paths.filter((_, index) => there[index]);
  if (found.length > 1) {
    for (const file of found) if (hasEntry(await readConfigFile(file), format)) return file;
  }
  return found[0] ?? must(paths.at(-1), "a file of a client");
}

function hasEntry(file: ConfigFile, format: Client["format"]): boolean {
  try {
    return file.kind === "text" && configText(format).entry(file.text).kind === "present";
  } catch (error) {
    if (error instanceof Unusable) return false;
    throw error;
  }
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
    const isLink = (await lstat(path)).isSymbolicLink();
    const owner = { uid: found.uid, gid: found.gid };
    return { kind: "text", path, target, text, mode: found.mode & 0o777, owner, isReadOnly, isLink, backup };
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

/** Whether a program is on the search path, as the system would find it. */
async function isOnPath(name: string, options: MachineOptions): Promise<boolean> {
  const path = pathOf(options.platform);
  const endings = options.platform === "win32" ? [".exe", ".cmd", ".bat"] : [""];
  for (const folder of programFolders(options)) {
    for (const ending of endings) {
      const file = path.join(folder, name + ending);
      if (await isProgram(file, options.platform)) return true;
    }
  }
  return false;
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
