import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { parseCommand } from "../src/cli/args.ts";
import { readConfig } from "../src/cli/env.ts";
import { SETTINGS } from "../src/cli/settings.ts";
import { PROVIDER_NAMES } from "../src/tunnel/registry/registry.ts";
import { PUBLISHED } from "../src/view/setup/registration.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const serverSchema = z.object({ command: z.string(), args: z.array(z.string()) });
const pkgSchema = z.looseObject({ name: z.string(), version: z.string(), description: z.string() });
/** What the registry's schema of 2025-12-11 demands of an entry like this one, and nothing beyond it. */
const entrySchema = z.strictObject({
  $schema: z.literal("https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"),
  name: z.string().regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().max(100),
  description: z.string().min(1).max(100),
  version: z.string().max(255),
  websiteUrl: z.url().optional(),
  repository: z.strictObject({ url: z.url(), source: z.literal("github") }).optional(),
  packages: z.tuple([
    z.strictObject({
      registryType: z.literal("npm"),
      identifier: z.string(),
      version: z.string(),
      runtimeHint: z.literal("npx"),
      transport: z.strictObject({ type: z.literal("stdio") }),
      environmentVariables: z.array(
        z.strictObject({
          name: z.string(),
          description: z.string(),
          format: z.enum(["string", "number", "boolean", "filepath"]),
          choices: z.array(z.string()).optional(),
          default: z.string().optional(),
          isSecret: z.boolean().optional(),
        }),
      ),
    }),
  ]),
});

function script(name: string, ...args: string[]): string {
  const options = { encoding: "utf8", stdio: "pipe" } as const;
  return execFileSync(process.execPath, [path.join(root, "scripts", name), ...args], options);
}

function json(file: string): unknown {
  return JSON.parse(readFileSync(path.join(root, file), "utf8"));
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .map((name) => name.split(path.sep).join("/"))
    .sort();
}

const pkg = pkgSchema.parse(json("package.json"));

let folder: string;
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "tunnel-manifests-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the manifests", () => {
  it("are what package.json and the program's tables make of them", () => {
    expect(script("gen-manifests.mjs", "--check")).toContain("up to date");
  });

  it("are found out when one of them says something else", () => {
    script("gen-manifests.mjs", "--into", folder);
    expect(script("gen-manifests.mjs", "--check", "--into", folder)).toContain("up to date");
    const file = path.join(folder, ".claude-plugin", "plugin.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(pkg.version, "9.9.9"));
    const checked = () => script("gen-manifests.mjs", "--check", "--into", folder);
    expect(checked).toThrow(/out of date: \.claude-plugin\/plugin\.json/);
  });

  it.each([
    ".claude-plugin/plugin.json",
    ".codex-plugin/plugin.json",
    ".cursor-plugin/plugin.json",
    "plugin.json",
    "gemini-extension.json",
  ])("name the same plugin in the package's version in %s", (file) => {
    expect(json(file)).toMatchObject({
      name: "tunnel",
      version: pkg.version,
      description: pkg.description,
    });
  });

  it("start a command line that this program understands wherever they name one", () => {
    const [monitor] = z.array(z.looseObject({ command: z.string() })).parse(json("monitors/monitors.json"));
    expect(monitor?.command).toBe('node "${CLAUDE_PLUGIN_ROOT}/dist/tunnel-mcp.cjs" wake --watch');
    for (const file of [".claude-plugin/plugin.json", ".cursor-plugin/plugin.json", "mcp.json"]) {
      const { mcpServers } = z
        .looseObject({ mcpServers: z.record(z.string(), serverSchema) })
        .parse(json(file));
      expect(mcpServers["tunnel"]?.args.at(-1)).toMatch(/\/dist\/tunnel-mcp\.cjs$/);
    }
  });

  it("name a command for the monitor that exists", () => {
    expect(parseCommand(["wake", "--watch"])).toMatchObject({ kind: "wake-watch" });
  });

  it("enter the server in the registry under the name that package.json gives it, with this version", () => {
    const entry = entrySchema.parse(json("server.json"));
    expect(json("package.json")).toMatchObject({ mcpName: entry.name });
    expect([entry.version, entry.packages[0].version, entry.packages[0].identifier]).toEqual([
      pkg.version,
      pkg.version,
      pkg.name,
    ]);
  });

  it.skipIf(PUBLISHED)(
    "send nobody to npm before the package is published, but for the entry of the registry",
    () => {
      script("gen-manifests.mjs", "--into", folder);
      const files = filesIn(folder).filter((name) => name !== "package.json" && name !== "server.json");
      expect(files.length).toBeGreaterThan(5);
      for (const file of files) expect(readFileSync(path.join(folder, file), "utf8")).not.toMatch(/npx|npm/);
    },
  );
});

describe("the manifests of a published package", () => {
  const published = () => {
    const preview = script("gen-manifests.mjs", "--preview", "git+https://github.com/ana/tunnel.git");
    return z.record(z.string(), z.unknown()).parse(JSON.parse(preview));
  };

  it("enter it in the registry under its repository's owner, who is proved by package.json", () => {
    const files = published();
    const entry = entrySchema.parse(files["server.json"]);
    expect(entry).toMatchObject({ name: "io.github.ana/tunnel-mcp", version: pkg.version });
    expect(entry.packages[0]).toMatchObject({ identifier: pkg.name, version: pkg.version });
    expect(files["package.json"]).toMatchObject({ mcpName: entry.name });
  });

  it("offer every setting of the server with defaults and choices that it takes", () => {
    const [{ environmentVariables }] = entrySchema.parse(published()["server.json"]).packages;
    const names = environmentVariables.map(({ name }) => name);
    expect(names).toContain("TUNNEL_NAME");
    expect(names).not.toContain("TUNNEL_SKILLS_DIR"); // for a command, not for the server
    expect(environmentVariables.find(({ name }) => name === "TUNNEL_TRANSPORT")).toMatchObject({
      choices: PROVIDER_NAMES,
      default: SETTINGS.transport.default,
    });
    expect(environmentVariables.find(({ name }) => name === "TUNNEL_IDLE_MINUTES")).toMatchObject({
      format: "number",
      default: String(SETTINGS.idleMinutes.default),
    });
    for (const { name, default: fallback, choices = [] } of environmentVariables) {
      for (const value of [fallback, ...choices]) expect(readConfig({ [name]: value }).problems).toEqual([]);
    }
  });

  it("take the program from npm in one version where a client has only the git repository", () => {
    const files = published();
    const fromNpm = { command: "npx", args: ["-y", `${pkg.name}@${pkg.version}`] };
    for (const file of [
      ".codex-plugin/plugin.json",
      ".cursor-plugin/plugin.json",
      "mcp.json",
      "gemini-extension.json",
    ])
      expect(files[file]).toMatchObject({ mcpServers: { tunnel: fromNpm } });
    expect(files[".claude-plugin/marketplace.json"]).toMatchObject({
      plugins: [{ source: { source: "npm", package: pkg.name, version: pkg.version } }],
    });
  });
});

describe("what is built from them", () => {
  it("is a plugin of exactly the files that npm would bring", () => {
    script("plugin.mjs", folder);
    const [command = "npm", ...args] =
      process.platform === "win32"
        ? [process.execPath, path.join(path.dirname(process.execPath), "node_modules/npm/bin/npm-cli.js")]
        : ["npm"];
    const packed = execFileSync(command, [...args, "pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: root,
      encoding: "utf8",
      stdio: "pipe",
    });
    const packs = z
      .union([z.array(z.unknown()), z.record(z.string(), z.unknown())])
      .parse(JSON.parse(packed));
    const [pack] = Object.values(packs);
    const { files } = z.looseObject({ files: z.array(z.looseObject({ path: z.string() })) }).parse(pack);
    expect(filesIn(folder)).toEqual(files.map((file) => file.path).sort());
  });

  it("is the same bundle for Claude Desktop, byte by byte, every time", () => {
    const [first, second] = [script("mcpb.mjs"), script("mcpb.mjs")];
    expect(first).toMatch(/sha256 [0-9a-f]{64}/);
    expect(second).toBe(first);
  });
});

it.skipIf(PUBLISHED)("is refused for publication until it has a name of its own and a repository", () => {
  const checked = () => script("check-release.mjs");
  for (const reason of ["PUBLISHED", "`private`", "`repository`"]) expect(checked).toThrow(reason);
  // `npm publish` itself asks nobody but this field.
  expect(json("package.json")).toMatchObject({ private: true });
});
