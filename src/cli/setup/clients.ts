import type { ServerCommand } from "../../view/setup/registration.ts";
import { type Format, SERVER } from "./formats/format.ts";
import type { ClientName } from "./names.ts";
import type { Place } from "./places.ts";

/** A client's file of servers for one project. */
interface ProjectFile {
  /** Below the project's folder, with `/`. */
  readonly folder: string;
  /** The file in it: the first of these that exists, and otherwise the last one. */
  readonly files: readonly string[];
  readonly format: Format;
  /** Whether the client, started in a folder further down, reads the file as well. */
  readonly isInherited: boolean;
  /** The step of the human after which the client reads the file. */
  readonly afterwards: string;
}

export interface Client {
  readonly name: ClientName;
  readonly title: string;
  /** The page that documents the form of its file and where that is. */
  readonly source: string;
  /** A program on the PATH that shows that the client is here. */
  readonly program?: string;
  /** The applications' folders that show the same. */
  readonly apps: readonly Place[];
  /** Its own files and folders, which show the same if there is anything in them that is not ours. */
  readonly traces: readonly Place[];
  /** The folder of its configuration: the first of these that exists, and otherwise the last one. */
  readonly folders: readonly Place[];
  /** The file in it: the first of these that exists, and otherwise the last one. */
  readonly files: readonly string[];
  /** A file of older versions, which the client still uses where it exists. */
  readonly older?: Place;
  readonly format: Format;
  /**
   * The arguments of its own command that registers a server, for a human who would rather use that. `setup` edits the file
   * itself, since every such command writes the file anew, in a layout of its own.
   */
  readonly byHand?: (server: ServerCommand) => readonly string[];
  /** Where its own sessions write the file at any time: the folder beside the file that they take as a lock for that. */
  readonly lock?: string;
  readonly project?: ProjectFile;
  /** Its folder for skills of the user. */
  readonly skills?: Place;
  /** The step of the human after which the client knows the server. */
  readonly afterwards: string;
  /** What may be added to the entry for its mode without a human: one text for each tool. */
  readonly unattended?: readonly string[];
}

type EntryForm = (server: ServerCommand) => Readonly<Record<string, unknown>>;

const plain: EntryForm = ({ command, args }) => ({ command, args });
const typed: EntryForm = ({ command, args }) => ({ type: "stdio", command, args });

const json = (containers: readonly (readonly string[])[], entry: EntryForm): Format => ({
  kind: "json",
  containers,
  entry,
});

const servers = json([["mcpServers"]], plain);
const typedServers = json([["mcpServers"]], typed);
const vscodeServers = json([["servers"]], typed);
const zedServers = json([["context_servers"]], plain);
/** Version 2 has its servers one level deeper, and also reads the form of version 1. */
const opencodeServers = json([["mcp", "servers"], ["mcp"]], ({ command, args }) => ({
  type: "local",
  command: [command, ...args],
}));
const addMcp = ({ command, args }: ServerCommand): readonly string[] => [
  "--add-mcp",
  JSON.stringify({ name: SERVER, command, args }),
];
/** The same file and form for two clients. */
const MCP_JSON = { folder: "", files: [".mcp.json"], format: typedServers, isInherited: true } as const;

/** An application for one person or for everybody (macOS), and where installers for one person put it (Windows). */
function apps(mac: string, windows: string): readonly Place[] {
  return [
    { base: "applications", path: `${mac}.app`, on: "darwin" },
    { base: "home", path: `Applications/${mac}.app`, on: "darwin" },
    { base: "local", path: windows, on: "win32" },
  ];
}

/** The folder that several clients share (agentskills.io). */
const AGENTS_SKILLS: Place = { base: "home", path: ".agents/skills" };

const GEMINI: Place = {
  base: "home",
  path: ".gemini",
  variable: ["GEMINI_CLI_HOME", ".gemini"],
};
const CODEX: Place = { base: "home", path: ".codex", variable: ["CODEX_HOME", ""] };
const COPILOT: Place = { base: "home", path: ".copilot", variable: ["COPILOT_HOME", ""] };
const CURSOR: Place = { base: "home", path: ".cursor" };
const OPENCODE: Place = { base: "xdg", path: "opencode" };
const VSCODE: Place = { base: "settings", path: "Code/User" };
const WINDSURF: Place = { base: "home", path: ".codeium/windsurf" };
const INSIDERS: Place = { base: "settings", path: "Code - Insiders/User" };
const VSCODIUM: Place = { base: "settings", path: "VSCodium/User" };
/** Zed follows XDG on Linux alone, and has its own variable inside of a Flatpak. */
const ZED: readonly Place[] = [
  { base: "settings", path: "Zed", on: "win32" },
  { base: "home", path: ".config/zed", on: "darwin" },
  { base: "xdg", path: "zed", variable: ["FLATPAK_XDG_CONFIG_HOME", "zed"], on: "linux" },
];
const CLAUDE_DESKTOP: readonly Place[] = [
  // The Windows package does not see %APPDATA%. Windows keeps its files here instead.
  { base: "local", path: "Claude-Data/claude_*", on: "win32" },
  { base: "local", path: "Packages/Claude_*/LocalCache/Roaming/Claude", on: "win32" },
  { base: "settings", path: "Claude" },
];

/** One of the builds of VS Code, which differ in names alone. */
function vscode({
  folder,
  ...names
}: Pick<Client, "name" | "title" | "source" | "program" | "apps"> & { readonly folder: Place }): Client {
  return {
    ...names,
    traces: [folder],
    folders: [folder],
    files: ["mcp.json"],
    format: vscodeServers,
    byHand: addMcp,
    project: {
      folder: ".vscode",
      files: ["mcp.json"],
      format: vscodeServers,
      isInherited: false,
      afterwards: "open the folder, trust it, and start the server when it asks",
    },
    skills: AGENTS_SKILLS,
    afterwards: "start the server when it asks whether you trust it",
  };
}

/**
 * The tools of which `codex exec`, which asks nobody, refuses every call until they are approved beforehand, and what each
 * approval gives away. Receiving a file, and whatever opens this machine to a peer, is not among them on purpose: a human
 * decides about those.
 */
const UNATTENDED: Readonly<Record<string, string>> = {
  tunnel_open: "opens a tunnel to this machine, and may give its invite to anybody",
  tunnel_join: "joins the tunnel of whatever link it is given",
  tunnel_invite: "invites more people, and revokes invites",
  tunnel_propose_done: "asks the humans to sign an outcome",
  tunnel_say: "says anything that it knows to the others",
  tunnel_share: "offers files of this folder to the others",
  tunnel_close: "ends the tunnel for everybody",
};

/** Every client, in the order of its title. */
export const CLIENTS: readonly Client[] = [
  {
    name: "claude-code",
    title: "Claude Code",
    source: "https://code.claude.com/docs/en/mcp",
    program: "claude",
    apps: [],
    traces: [
      { base: "home", path: ".claude.json", variable: ["CLAUDE_CONFIG_DIR", ".claude.json"] },
      { base: "home", path: ".claude", variable: ["CLAUDE_CONFIG_DIR", ""] },
    ],
    folders: [{ base: "home", path: "", variable: ["CLAUDE_CONFIG_DIR", ""] }],
    files: [".claude.json"],
    older: { base: "home", path: ".claude/.config.json", variable: ["CLAUDE_CONFIG_DIR", ".config.json"] },
    format: typedServers,
    byHand: ({ command, args }) => ["mcp", "add", "--scope", "user", SERVER, "--", command, ...args],
    lock: ".lock",
    project: {
      ...MCP_JSON,
      afterwards: "start a new session in the folder, and allow the server when it asks",
    },
    skills: { base: "home", path: ".claude/skills", variable: ["CLAUDE_CONFIG_DIR", "skills"] },
    afterwards: "start a new session",
  },
  {
    name: "claude-desktop",
    title: "Claude Desktop",
    source: "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    apps: apps("Claude", "AnthropicClaude"),
    traces: CLAUDE_DESKTOP,
    folders: CLAUDE_DESKTOP,
    files: ["claude_desktop_config.json"],
    format: servers,
    afterwards: "quit it and start it again",
  },
  {
    name: "codex",
    title: "Codex",
    source: "https://developers.openai.com/codex/mcp",
    program: "codex",
    apps: [],
    traces: [CODEX],
    folders: [CODEX],
    files: ["config.toml"],
    format: { kind: "toml", table: "mcp_servers" },
    byHand: ({ command, args }) => ["mcp", "add", SERVER, "--", command, ...args],
    project: {
      folder: ".codex",
      files: ["config.toml"],
      format: { kind: "toml", table: "mcp_servers" },
      isInherited: true,
      afterwards: "start a new session in the folder, and trust it: until then Codex ignores this file",
    },
    skills: AGENTS_SKILLS,
    afterwards: "start a new session",
    unattended: Object.entries(UNATTENDED).map(
      ([tool, gives]) => `[mcp_servers.${SERVER}.tools.${tool}] # ${gives}
approval_mode = "approve"`,
    ),
  },
  {
    name: "cursor",
    title: "Cursor",
    source: "https://cursor.com/docs/mcp",
    program: "cursor",
    apps: apps("Cursor", "Programs/cursor"),
    traces: [CURSOR],
    folders: [CURSOR],
    files: ["mcp.json"],
    format: servers,
    project: {
      folder: ".cursor",
      files: ["mcp.json"],
      format: servers,
      isInherited: false,
      afterwards: "open the folder, and switch the server on in the MCP settings if it asks",
    },
    skills: { base: "home", path: ".cursor/skills" },
    afterwards: "switch the server on in its MCP settings if it asks",
  },
  {
    name: "gemini",
    title: "Gemini CLI",
    source: "https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
    program: "gemini",
    apps: [],
    // Other programs keep things in ~/.gemini, too.
    traces: [
      { base: "home", path: ".gemini/settings.json", variable: ["GEMINI_CLI_HOME", ".gemini/settings.json"] },
    ],
    folders: [GEMINI],
    files: ["settings.json"],
    format: { ...servers, refusesMark: true },
    // Without the dashes it would take the server's options for its own.
    byHand: ({ command, args }) => [
      "mcp",
      "add",
      "--scope",
      "user",
      SERVER,
      command,
      ...(args.some((arg) => arg.startsWith("-")) ? ["--", ...args] : args),
    ],
    project: {
      folder: ".gemini",
      files: ["settings.json"],
      format: { ...servers, refusesMark: true },
      isInherited: false,
      afterwards:
        "start a new session in the folder, and trust it: until then Gemini CLI starts no server there",
    },
    skills: { base: "home", path: ".agents/skills", variable: ["GEMINI_CLI_HOME", ".agents/skills"] },
    afterwards: "start a new session",
  },
  {
    name: "copilot",
    title: "GitHub Copilot CLI",
    source: "https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
    program: "copilot",
    apps: [],
    traces: [COPILOT],
    folders: [COPILOT],
    files: ["mcp-config.json"],
    format: json([["mcpServers"]], ({ command, args }) => ({ type: "local", command, args, tools: ["*"] })),
    project: { ...MCP_JSON, afterwards: "start a new session in the folder, and trust it" },
    skills: AGENTS_SKILLS,
    afterwards: "start a new session",
  },
  {
    name: "opencode",
    title: "opencode",
    source: "https://opencode.ai/docs/mcp-servers/",
    program: "opencode",
    apps: [],
    traces: [OPENCODE],
    folders: [OPENCODE],
    files: ["opencode.jsonc", "opencode.json"],
    format: opencodeServers,
    project: {
      folder: "",
      files: ["opencode.jsonc", "opencode.json"],
      format: opencodeServers,
      isInherited: true,
      afterwards: "start a new session in the folder",
    },
    skills: AGENTS_SKILLS,
    afterwards: "start a new session",
  },
  vscode({
    name: "vscode",
    title: "VS Code",
    source: "https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
    program: "code",
    apps: apps("Visual Studio Code", "Programs/Microsoft VS Code"),
    folder: VSCODE,
  }),
  vscode({
    name: "vscode-insiders",
    title: "VS Code Insiders",
    source: "https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
    program: "code-insiders",
    apps: apps("Visual Studio Code - Insiders", "Programs/Microsoft VS Code Insiders"),
    folder: INSIDERS,
  }),
  vscode({
    name: "vscodium",
    title: "VSCodium",
    source: "https://github.com/VSCodium/vscodium/blob/master/docs/migration.md",
    program: "codium",
    apps: apps("VSCodium", "Programs/VSCodium"),
    folder: VSCODIUM,
  }),
  {
    name: "windsurf",
    title: "Windsurf",
    source: "https://docs.windsurf.com/windsurf/cascade/mcp",
    program: "windsurf",
    apps: apps("Windsurf", "Programs/Windsurf"),
    traces: [WINDSURF],
    folders: [WINDSURF],
    files: ["mcp_config.json"],
    format: servers,
    skills: { base: "home", path: ".codeium/windsurf/skills" },
    afterwards: "refresh its list of MCP servers",
  },
  {
    name: "zed",
    title: "Zed",
    source: "https://zed.dev/docs/ai/mcp",
    program: "zed",
    apps: apps("Zed", "Programs/Zed"),
    traces: ZED,
    folders: ZED,
    files: ["settings.json"],
    format: zedServers,
    project: {
      folder: ".zed",
      files: ["settings.json"],
      format: zedServers,
      isInherited: false,
      afterwards: "open the folder, and trust it",
    },
    afterwards: "look for a green mark beside the server in its agent settings",
  },
];
