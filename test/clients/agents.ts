import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { BUNDLE } from "../support/agent.ts";
import { Home, type Installed, installAll, type PackageName } from "./client.ts";
import { type Script, StandIn } from "./model.ts";

/** How a run of a client is set up. */
export interface RunOptions {
  readonly script: Script;
  /** Variables for the MCP server, which some clients hand none of their own. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether the client may call every tool without a question. Else it goes by what it does by itself. */
  readonly isAllowed?: boolean;
  readonly more?: Settings;
  /** That of an earlier run, with its project and its conversations. */
  readonly home?: Home;
}

/** What a person may add to a client's configuration or command line. */
interface Settings {
  readonly flags?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
}

interface Launch {
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Place {
  readonly home: Home;
  readonly folder: string;
  /** Where the stand-in for the model listens. */
  readonly url: string;
  readonly server: {
    readonly command: string;
    readonly args: string[];
    readonly env: Record<string, string>;
  };
  readonly isAllowed: boolean;
  readonly more: Settings;
}

interface Kind {
  readonly package: PackageName;
  /** Writes the client's configuration, and tells how it is run without a person. */
  readonly launch: (place: Place) => Launch;
  /** A shell command in the background, as its model starts one. */
  readonly background?: (command: string) => {
    readonly tool: string;
    readonly args: Record<string, unknown>;
  };
}

const PROMPT = "Do what you have to do.";

function write(home: Home, file: string, value: unknown): string {
  const target = path.join(home.folder, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, typeof value === "string" ? value : JSON.stringify(value));
  return target;
}

/** The coding agents of npm. Each is run as a script runs it, with a stand-in for its model. */
const KINDS = {
  claude: {
    package: "@anthropic-ai/claude-code",
    launch: ({ home, folder, url, server, isAllowed, more }) => {
      const config = write(home, "mcp.json", { mcpServers: { tunnel: server } });
      const allowed = isAllowed ? ["--allowedTools", "mcp__tunnel,Bash"] : [];
      // The bin is put in place by an install script; this starts the same program without one.
      const script = path.join(folder, "cli-wrapper.cjs");
      return {
        program: [
          process.execPath,
          script,
          "-p",
          PROMPT,
          "--mcp-config",
          config,
          ...allowed,
          ...(more.flags ?? []),
        ],
        env: {
          ANTHROPIC_BASE_URL: url,
          ANTHROPIC_API_KEY: "none",
          // All tools in the first request, as where the search for tools is off.
          ENABLE_TOOL_SEARCH: "false",
          // Else a slow machine asks its model before the server is there.
          MCP_CONNECTION_NONBLOCKING: "0",
          MCP_CONNECT_TIMEOUT_MS: "60000",
          IS_SANDBOX: "1",
        },
      };
    },
    background: (command) => ({
      tool: "Bash",
      args: { command, run_in_background: true, description: "wait for the other side" },
    }),
  },
  codex: {
    package: "@openai/codex",
    launch: ({ home, folder, url, server, isAllowed, more }) => {
      const lines = [
        'model = "stand-in"',
        'model_provider = "stand-in"',
        "[model_providers.stand-in]",
        'name = "stand-in"',
        `base_url = ${JSON.stringify(url)}`,
        'wire_api = "responses"',
        "[mcp_servers.tunnel]",
        `command = ${JSON.stringify(server.command)}`,
        `args = ${JSON.stringify(server.args)}`,
        "[mcp_servers.tunnel.env]",
        ...Object.entries(server.env).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
      ];
      write(home, ".codex/config.toml", `${lines.join("\n")}\n`);
      const allowed = isAllowed ? ["--dangerously-bypass-approvals-and-sandbox"] : [];
      const script = path.join(folder, "bin", "codex.js");
      return {
        program: [
          process.execPath,
          script,
          "exec",
          "--skip-git-repo-check",
          ...allowed,
          ...(more.flags ?? []),
          PROMPT,
        ],
        env: {},
      };
    },
  },
  gemini: {
    package: "@google/gemini-cli",
    launch: ({ home, folder, url, server, isAllowed, more }) => {
      write(home, ".gemini/settings.json", {
        mcpServers: { tunnel: server },
        security: { auth: { selectedType: "gemini-api-key" } },
        privacy: { usageStatisticsEnabled: false },
        ...more.config,
      });
      const allowed = isAllowed ? ["--yolo"] : [];
      const script = path.join(folder, "bundle", "gemini.js");
      return {
        program: [
          process.execPath,
          script,
          "-m",
          "gemini-2.5-flash",
          ...allowed,
          ...(more.flags ?? []),
          "-p",
          PROMPT,
        ],
        env: { GOOGLE_GEMINI_BASE_URL: url, GEMINI_API_KEY: "none", GEMINI_CLI_TRUST_WORKSPACE: "true" },
      };
    },
  },
  opencode: {
    package: "opencode-ai",
    launch: ({ home, folder, url, server, more }) => {
      write(home, ".config/opencode/opencode.json", {
        autoupdate: false,
        model: "stand-in/model",
        provider: {
          "stand-in": {
            npm: "@ai-sdk/openai-compatible",
            name: "stand-in",
            options: { baseURL: url, apiKey: "none" },
            models: { model: { name: "model" } },
          },
        },
        mcp: {
          tunnel: {
            type: "local",
            command: [server.command, ...server.args],
            environment: server.env,
          },
        },
        ...more.config,
      });
      // The bin is put in place by an install script; it is a copy of this one.
      const system = process.platform === "win32" ? "windows" : process.platform;
      const name = process.platform === "win32" ? "opencode.exe" : "opencode";
      const program = path.join(folder, "..", `opencode-${system}-${process.arch}`, "bin", name);
      const env = {
        OPENCODE_DISABLE_AUTOUPDATE: "1",
        OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
        OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
        OPENCODE_DISABLE_MODELS_FETCH: "1",
      };
      return { program: [program, "run", ...(more.flags ?? []), PROMPT], env };
    },
  },
  copilot: {
    package: "@github/copilot",
    launch: ({ home, folder, url, server, isAllowed, more }) => {
      write(home, ".copilot/mcp-config.json", {
        mcpServers: { tunnel: { type: "local", ...server, tools: ["*"] } },
      });
      const allowed = isAllowed ? ["--allow-all-tools", "--allow-all-paths"] : [];
      return {
        program: [
          process.execPath,
          path.join(folder, "npm-loader.js"),
          "-p",
          PROMPT,
          ...allowed,
          ...(more.flags ?? []),
        ],
        // A model of one's own needs no login.
        env: { COPILOT_PROVIDER_BASE_URL: url, COPILOT_MODEL: "stand-in", COPILOT_OFFLINE: "true" },
      };
    },
    background: (command) => ({
      tool: "bash",
      args: {
        command,
        mode: "async",
        shellId: "wake",
        initial_wait: 30,
        description: "wait for the other side",
      },
    }),
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type ClientName = keyof typeof KINDS;

/** One version of a client. */
export class CodingAgent {
  readonly name: ClientName;
  readonly label: string;
  readonly version: string;
  readonly isThere: boolean;
  readonly #folder: string;

  constructor(name: ClientName, found: Installed) {
    this.name = name;
    this.label = found.ok ? `${name} ${found.version}` : found.label;
    this.isThere = found.ok;
    this.version = found.ok ? found.version : "";
    this.#folder = found.ok ? found.folder : "";
  }

  /** @throws {Error} for a client that has no shell in the background */
  background(command: string): { readonly tool: string; readonly args: Record<string, unknown> } {
    const kind: Kind = KINDS[this.name];
    if (kind.background === undefined) throw new Error(`${this.name} runs no command in the background`);
    return kind.background(command);
  }

  async start({
    script,
    settings = {},
    isAllowed = false,
    more = {},
    home = new Home(),
  }: RunOptions): Promise<Run> {
    const standIn = await StandIn.start(script);
    const kind: Kind = KINDS[this.name];
    const { program, env } = kind.launch({
      home,
      folder: this.#folder,
      url: standIn.url,
      isAllowed,
      more,
      server: {
        command: process.execPath,
        args: [BUNDLE],
        env: {
          TUNNEL_KEEP_MINUTES: "0",
          TUNNEL_TRANSPORT: "direct",
          TUNNEL_DOH: "off",
          TUNNEL_NAME: this.name,
          ...settings,
        },
      },
    });
    const [command = "", ...args] = program;
    const child = spawn(command, args, {
      cwd: home.project,
      env: { ...home.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: the scripts of npm only start the real program, which a signal to them does not reach.
      detached: process.platform !== "win32",
    });
    return new Run(home, standIn, child);
  }
}

/** A running client, and what it has done. */
export class Run {
  readonly home: Home;
  readonly model: StandIn;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = "";

  constructor(home: Home, model: StandIn, child: ChildProcess) {
    this.home = home;
    this.model = model;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
    this.#ended = new Promise((resolve) => void child.once("exit", () => resolve()));
  }

  /** @throws {Error} with what it has done, when it does not end in time */
  async ended(limitMs = 90_000): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error(`it does not end.\n${this.story}`)), limitMs);
    });
    await Promise.race([this.#ended, limit]).finally(() => clearTimeout(late));
  }

  /** The last results that its model was shown, and its own output, for the message of a failure. */
  get story(): string {
    const results = this.model.turns.at(-1)?.results.map((text) => text.slice(0, 400)) ?? [];
    return `${results.length} results, the last ones:\n${results.slice(-4).join("\n")}\n${this.#output.slice(-2_000)}`;
  }

  /** Its home stays. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    try {
      if (pid !== undefined && process.platform !== "win32") process.kill(-pid, "SIGKILL");
      else this.#child.kill("SIGKILL");
    } catch (error) {
      // The whole group is gone.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
    await this.#ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.model.stop();
    this.home.remove();
  }
}

/** Every version of every client that people get. */
export function codingAgents(): readonly CodingAgent[] {
  const names = Object.keys(KINDS) as ClientName[];
  return names.flatMap((name) =>
    installAll(KINDS[name].package).map((found) => new CodingAgent(name, found)),
  );
}
