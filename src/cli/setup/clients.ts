import type { ServerCommand } from "../../view/registration.ts";
import { type Format, SERVER } from "./formats/format.ts";
import type { ClientName } from "./names.ts";
import type { Place, Platform } from "./places.ts";

/** A client's own command for its configuration. */
export interface OwnCommand {
  readonly add: (server: ServerCommand) => readonly string[];
  /** Left out where it has none: then the entry is taken out of the file. */
  readonly remove?: readonly string[];
  /** The system on which the file is edited all the same. */
  readonly notOn?: Platform;
}

export interface Client {
  readonly name: ClientName;
  readonly title: string;
  /** A program on the PATH that shows that the client is here. */
  readonly program?: string;
  /** Files and folders that show the same. */
  readonly traces: readonly Place[];
  /** The folder of its configuration: the first of these that exists, and otherwise the last one. */
  readonly folders: readonly Place[];
  /** The file in it: the first of these that exists, and otherwise the last one. */
  readonly files: readonly string[];
  readonly format: Format;
  readonly own?: OwnCommand;
  /** Its folder for skills of the user. */
  readonly skills?: Place;
  /** The step of the human after which the client knows the server. */
  readonly afterwards: string;
}

type EntryForm = (server: ServerCommand) => Readonly<Record<string, unknown>>;

const plain: EntryForm = ({ command, args }) => ({ command, args });
const typed: EntryForm = ({ command, args }) => ({ type: "stdio", command, args });

const json = (containers: readonly (readonly string[])[], entry: EntryForm): Format => ({
  kind: "json",
  containers,
  entry,
});

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
const CLAUDE_DESKTOP: readonly Place[] = [
  // The Windows package does not see %APPDATA%. Windows keeps its files here instead.
  { base: "local", path: "Claude-Data/claude_*", on: "win32" },
  { base: "local", path: "Packages/Claude_*/LocalCache/Roaming/Claude", on: "win32" },
  { base: "settings", path: "Claude" },
];

/** Every client, in the order of its title. */
export const CLIENTS: readonly Client[] = [
  {
    name: "claude-code",
    title: "Claude Code",
    program: "claude",
    traces: [
      { base: "home", path: ".claude.json", variable: ["CLAUDE_CONFIG_DIR", ".claude.json"] },
      { base: "home", path: ".claude", variable: ["CLAUDE_CONFIG_DIR", ""] },
    ],
    folders: [{ base: "home", path: "", variable: ["CLAUDE_CONFIG_DIR", ""] }],
    files: [".claude.json"],
    format: json([["mcpServers"]], typed),
    own: {
      add: ({ command, args }) => ["mcp", "add", "--scope", "user", SERVER, "--", command, ...args],
      remove: ["mcp", "remove", "--scope", "user", SERVER],
    },
    skills: { base: "home", path: ".claude/skills", variable: ["CLAUDE_CONFIG_DIR", "skills"] },
    afterwards: "start a new session",
  },
  {
    name: "claude-desktop",
    title: "Claude Desktop",
    traces: CLAUDE_DESKTOP,
    folders: CLAUDE_DESKTOP,
    files: ["claude_desktop_config.json"],
    format: json([["mcpServers"]], plain),
    afterwards: "quit it and start it again",
  },
  {
    name: "codex",
    title: "Codex",
    program: "codex",
    traces: [CODEX],
    folders: [CODEX],
    files: ["config.toml"],
    format: { kind: "toml", table: "mcp_servers" },
    own: {
      add: ({ command, args }) => ["mcp", "add", SERVER, "--", command, ...args],
      remove: ["mcp", "remove", SERVER],
    },
    skills: AGENTS_SKILLS,
    afterwards: "start a new session",
  },
  {
    name: "cursor",
    title: "Cursor",
    program: "cursor",
    traces: [CURSOR],
    folders: [CURSOR],
    files: ["mcp.json"],
    format: json([["mcpServers"]], plain),
    skills: { base: "home", path: ".cursor/skills" },
    afterwards: "switch the server on in its MCP settings if it asks",
  },
  {
    name: "gemini",
    title: "Gemini CLI",
    program: "gemini",
    // Other programs keep things in ~/.gemini, too.
    traces: [
      { base: "home", path: ".gemini/settings.json", variable: ["GEMINI_CLI_HOME", ".gemini/settings.json"] },
    ],
    folders: [GEMINI],
    files: ["settings.json"],
    format: json([["mcpServers"]], plain),
    own: {
      // Without the dashes it would take the server's options for its own.
      add: ({ command, args }) => [
        "mcp",
        "add",
        "--scope",
        "user",
        SERVER,
        command,
        ...(args.some((arg) => arg.startsWith("-")) ? ["--", ...args] : args),
      ],
      remove: ["mcp", "remove", "--scope", "user", SERVER],
    },
    skills: { base: "home", path: ".agents/skills", variable: ["GEMINI_CLI_HOME", ".agents/skills"] },
    afterwards: "start a new session",
  },
  {
    name: "copilot",
    title: "GitHub Copilot CLI",
    program: "copilot",
    traces: [COPILOT],
    folders: [COPILOT],
    files: ["mcp-config.json"],
    format: json([["mcpServers"]], ({ command, args }) => ({ type: "local", command, args, tools: ["*"] })),
    skills: AGENTS_SKILLS,
    afterwards: "start a new session",
  },
  {
    name: "opencode",
    title: "opencode",
    program: "opencode",
    traces: [OPENCODE],
    folders: [OPENCODE],
    files: ["opencode.jsonc", "opencode.json"],
    // Version 2 has its servers one level deeper, and also reads the form of version 1.
    format: json([["mcp", "servers"], ["mcp"]], ({ command, args }) => ({
      type: "local",
      command: [command, ...args],
    })),
    skills: AGENTS_SKILLS,
    afterwards: "start a new session",
  },
  {
    name: "vscode",
    title: "VS Code",
    program: "code",
    traces: [VSCODE],
    folders: [VSCODE],
    files: ["mcp.json"],
    format: json([["servers"]], typed),
    own: {
      add: ({ command, args }) => ["--add-mcp", JSON.stringify({ name: SERVER, command, args })],
      // There `code` is a batch file, which breaks quotes inside an argument.
      notOn: "win32",
    },
    skills: AGENTS_SKILLS,
    afterwards: "start the server when it asks whether you trust it",
  },
  {
    name: "windsurf",
    title: "Windsurf",
    program: "windsurf",
    traces: [WINDSURF],
    folders: [WINDSURF],
    files: ["mcp_config.json"],
    format: json([["mcpServers"]], plain),
    skills: { base: "home", path: ".codeium/windsurf/skills" },
    afterwards: "refresh its list of MCP servers",
  },
];

/** The client's own command for this system; undefined where its file is edited. */
export function ownCommand(client: Client, platform: Platform): OwnCommand | undefined {
  return client.own?.notOn === platform ? undefined : client.own;
}
