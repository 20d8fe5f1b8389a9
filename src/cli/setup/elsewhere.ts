import { access, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parse as parseJson } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import * as z from "zod/mini";
import type { Client } from "./clients.ts";
import { configText } from "./formats/formats.ts";
import { SERVER } from "./formats/format.ts";
import { isOurs } from "./ours.ts";
import { type ServerEntry, Unusable, withoutMark } from "./formats/config-text.ts";
import { locate, type Whereabouts } from "./places.ts";

/** Another place from which a client takes our server, beside its own file for the user. */
export type Elsewhere =
  /** A plugin brings server and skill. `takeOut` is the command that takes it out. */
  | { readonly kind: "plugin"; readonly id: string; readonly takeOut: readonly string[] }
  /** A file for one project, shared with others of that project. */
  | {
      readonly kind: "project";
      readonly folder: string;
      readonly path: string;
      readonly argv: readonly string[];
    }
  /** The user's own file, under another name. */
  | { readonly kind: "name"; readonly name: string; readonly argv: readonly string[] }
  /** A part of the user's own file that holds for one folder alone. */
  | { readonly kind: "folder"; readonly folder: string; readonly argv: readonly string[] };

export interface ElsewhereOptions extends Whereabouts {
  /** The folder in which the command was started. */
  readonly cwd: string;
}

/** The name of our plugin, with that of the catalogue in the clone from which it is installed. */
const PLUGIN = "tunnel@tunnel-mcp";

/** Everything that `client` has of our server beside its file; `text` is that file's. */
export async function elsewhereOf(
  client: Client,
  text: string | undefined,
  options: ElsewhereOptions,
): Promise<readonly Elsewhere[]> {
  const project = [...otherNames(client, text), ...(await projectEntries(client, options))];
  switch (client.name) {
    case "claude-code":
      return [...(await claudePlugins(options)), ...claudeFolders(text), ...project];
    case "codex":
      return [...codexPlugins(text), ...project];
    case "gemini":
      return [...(await geminiExtensions(options)), ...project];
    default:
      return project;
  }
}

/** The entry of a project's own file, in the working directory or above it where the client looks there, too. */
async function projectEntries(
  { project }: Client,
  { cwd, home }: ElsewhereOptions,
): Promise<readonly Elsewhere[]> {
  if (project === undefined) return [];
  const folders = project.isInherited ? await upToRepository(cwd) : [cwd];
  const files = folders
    .filter((folder) => folder !== home)
    .flatMap((folder) =>
      project.files.map((name) => ({ folder, path: path.join(folder, project.folder, name) })),
    );
  const found: Elsewhere[] = [];
  for (const file of files) {
    const entry = entryIn(await textOf(file.path), project.format);
    if (entry?.kind === "present") found.push({ kind: "project", ...file, argv: entry.argv });
  }
  return found;
}

/** This program under a name that somebody else has given to it. */
function otherNames({ format }: Client, text: string | undefined): readonly Elsewhere[] {
  try {
    const servers = text === undefined ? [] : [...configText(format).servers(text)];
    return servers
      .filter(([name, argv]) => name !== SERVER && isOurs(argv))
      .map(([name, argv]) => ({ kind: "name", name, argv }));
  } catch (error) {
    if (error instanceof Unusable) return [];
    throw error;
  }
}

function entryIn(text: string | undefined, format: Client["format"]): ServerEntry | undefined {
  try {
    return text === undefined ? undefined : configText(format).entry(text);
  } catch (error) {
    if (error instanceof Unusable) return undefined;
    throw error;
  }
}

/** A folder and those above it, up to the top of its repository; outside of one the folder alone. */
async function upToRepository(folder: string): Promise<readonly string[]> {
  const folders = [folder];
  for (let at = folder; ; at = path.dirname(at)) {
    if (at !== folder) folders.push(at);
    const isTop = await access(path.join(at, ".git")).then(
      () => true,
      () => false,
    );
    if (isTop) return folders;
    if (path.dirname(at) === at) return [folder];
  }
}

const Enabled = z.object({ enabledPlugins: z.record(z.string(), z.unknown()) });

/**
 * Claude Code keeps in its settings which plugins are on: the user's, the project's, and the user's for the project, each
 * of which outweighs the ones before.
 */
async function claudePlugins(options: ElsewhereOptions): Promise<readonly Elsewhere[]> {
  const own = locate({ base: "home", path: ".claude", variable: ["CLAUDE_CONFIG_DIR", ""] }, options);
  const { cwd } = options;
  const files = [
    ...(own === undefined ? [] : [path.join(own, "settings.json")]),
    path.join(cwd, ".claude", "settings.json"),
    path.join(cwd, ".claude", "settings.local.json"),
  ];
  const enabled = new Map<string, unknown>();
  for (const file of files) {
    const settings = Enabled.safeParse(await jsonOf(file));
    if (!settings.success) continue;
    for (const [id, value] of Object.entries(settings.data.enabledPlugins)) enabled.set(id, value);
  }
  return [...enabled]
    .filter(([id, value]) => id === PLUGIN && value !== false)
    .map(([id]) => ({ kind: "plugin", id, takeOut: ["claude", "plugin", "uninstall", id] }));
}

const Projects = z.object({
  projects: z.record(z.string(), z.object({ mcpServers: z.optional(z.record(z.string(), z.unknown())) })),
});

/** The local scope of Claude Code: servers for one folder, in the user's own file. */
function claudeFolders(text: string | undefined): readonly Elsewhere[] {
  const root = Projects.safeParse(text === undefined ? undefined : parseJson(withoutMark(text)));
  if (!root.success) return [];
  return Object.entries(root.data.projects).flatMap(([folder, { mcpServers = {} }]) => {
    if (!Object.hasOwn(mcpServers, SERVER)) return [];
    const entry = configText(folderFormat(folder)).entry(text ?? "");
    return entry.kind === "present" ? [{ kind: "folder" as const, folder, argv: entry.argv }] : [];
  });
}

/** The form of an entry of Claude Code that holds for one folder alone. */
export function folderFormat(folder: string): Client["format"] {
  return {
    kind: "json",
    containers: [["projects", folder, "mcpServers"]],
    entry: ({ command, args }) => ({ type: "stdio", command, args }),
  };
}

const Plugins = z.object({ plugins: z.record(z.string(), z.object({ enabled: z.optional(z.unknown()) })) });

function codexPlugins(text: string | undefined): readonly Elsewhere[] {
  const root = Plugins.safeParse(text === undefined ? undefined : tomlOf(text));
  if (!root.success) return [];
  return Object.entries(root.data.plugins)
    .filter(([id, { enabled }]) => id === PLUGIN && enabled !== false)
    .map(([id]) => ({ kind: "plugin", id, takeOut: ["codex", "plugin", "remove", id] }));
}

const Named = z.object({ name: z.string() });
const Enablement = z.object({ [SERVER]: z.object({ overrides: z.array(z.string()) }) });

/** An extension of Gemini CLI is a folder with a manifest, or with a note of where the linked folder is. */
async function geminiExtensions(options: ElsewhereOptions): Promise<readonly Elsewhere[]> {
  const own = locate({ base: "home", path: ".gemini", variable: ["GEMINI_CLI_HOME", ".gemini"] }, options);
  if (own === undefined) return [];
  const folder = path.join(own, "extensions", SERVER);
  const names: readonly string[] = await readdir(folder).catch(() => []);
  const manifest = Named.safeParse(await jsonOf(path.join(folder, "gemini-extension.json")));
  const isOurs = manifest.success
    ? manifest.data.name === SERVER
    : names.includes(".gemini-extension-install.json");
  // Each override is a pattern of folders, and one with a mark ahead switches the extension off there.
  const enablement = Enablement.safeParse(
    await jsonOf(path.join(own, "extensions", "extension-enablement.json")),
  );
  const overrides = enablement.success ? enablement.data[SERVER].overrides : [];
  const isOff = overrides.length > 0 && overrides.every((override) => override.startsWith("!"));
  if (!isOurs || isOff) return [];
  return [{ kind: "plugin", id: SERVER, takeOut: ["gemini", "extensions", "uninstall", SERVER] }];
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}

async function jsonOf(file: string): Promise<unknown> {
  const text = await textOf(file);
  return text === undefined ? undefined : parseJson(withoutMark(text));
}

function tomlOf(text: string): unknown {
  try {
    return parseToml(withoutMark(text), { integersAsBigInt: true });
  } catch {
    return undefined;
  }
}

/** A reason for which a client would not read a file of the project, as far as its own settings tell. */
export async function whyProjectIgnored(
  { name, title, project }: Client,
  options: ElsewhereOptions,
): Promise<string | undefined> {
  const { cwd, home } = options;
  if (project === undefined) return `${title} reads no file of a project`;
  if (cwd === home) return "your home folder is no project; leave --project out";
  if (name === "codex" && (await codexTrust(options)) === "untrusted")
    return `Codex ignores it, since its configuration calls ${cwd} untrusted`;
  if (name === "gemini" && (await geminiTrust(options)) === "DO_NOT_TRUST")
    return `Gemini CLI starts no server there, since its trustedFolders.json calls ${cwd} untrusted`;
  return undefined;
}

const Trust = z.object({ projects: z.record(z.string(), z.object({ trust_level: z.optional(z.string()) })) });

async function codexTrust(options: ElsewhereOptions): Promise<string | undefined> {
  const own = locate({ base: "home", path: ".codex", variable: ["CODEX_HOME", ""] }, options);
  const text = own === undefined ? undefined : await textOf(path.join(own, "config.toml"));
  const root = Trust.safeParse(text === undefined ? undefined : tomlOf(text));
  return root.success ? root.data.projects[options.cwd]?.trust_level : undefined;
}

const Trusted = z.record(z.string(), z.string());

async function geminiTrust(options: ElsewhereOptions): Promise<string | undefined> {
  const own = locate({ base: "home", path: ".gemini", variable: ["GEMINI_CLI_HOME", ".gemini"] }, options);
  const rules = Trusted.safeParse(
    own === undefined ? undefined : await jsonOf(path.join(own, "trustedFolders.json")),
  );
  return rules.success ? rules.data[options.cwd] : undefined;
}
