import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  rmdir,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askWhich, parseChoice } from "../../../src/cli/setup/choose.ts";
import { existing, programFolders } from "../../../src/cli/setup/machine.ts";
import { type Place, platformOf } from "../../../src/cli/setup/places.ts";
import { setup, type SetupOptions, type SetupRequest } from "../../../src/cli/setup/setup.ts";
import { CLIENT_NAMES, type ClientName } from "../../../src/cli/setup/names.ts";
import { writeEdit } from "../../../src/cli/setup/files/write-file.ts";
import { TOOLS } from "../../../src/mcp/tools/index.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { recorder } from "../support.ts";

const onWindows = process.platform === "win32";

let root: string;
let home: string;
let bin: string;
let bundle: string;
let project: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "tunnel-setup-"));
  home = path.join(root, "home");
  bin = path.join(root, "bin");
  bundle = path.join(root, "opt", "dist", "tunnel-mcp.cjs");
  project = path.join(root, "project");
  const skill = path.join(root, "opt", "skills", "tunnel-etiquette");
  await Promise.all([home, bin, skill, project].map((folder) => mkdir(folder, { recursive: true })));
  await writeFile(path.join(skill, "SKILL.md"), "# Etiquette\n");
});

afterEach(() => rm(root, { recursive: true }));

const file = (...below: string[]): string => path.join(home, ...below);

/** Puts a file into the home folder. */
async function put(below: string, text: string): Promise<string> {
  const target = file(...below.split("/"));
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, text);
  return target;
}

/** A client's program on the PATH. It is looked for and never run: it would fail. */
async function putProgram(name: string): Promise<void> {
  const script = path.join(bin, onWindows ? `${name}.cmd` : name);
  await writeFile(script, onWindows ? "exit 1\r\n" : "#!/bin/sh\nexit 1\n");
  await chmod(script, 0o755);
}

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(request: Partial<SetupRequest> = {}, more: Partial<SetupOptions> = {}): Promise<Run> {
  const output = recorder();
  const code = await setup({
    request: { clients: [], mode: "set-up", yes: true, force: false, project: false, ...request },
    bundle,
    platform: platformOf(process.platform),
    home,
    cwd: project,
    tempDirectories: [],
    applications: path.join(root, "Applications"),
    env: {},
    searchPath: [bin],
    clock: systemClock,
    output,
    ask: undefined,
    onShutdown: () => undefined,
    ...more,
  });
  return { code, out: output.stdout(), err: output.stderr() };
}

describe("setup", () => {
  it("finds nobody on an empty machine, says so, and writes nothing", async () => {
    const { code, out, err } = await run();
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("no MCP client was found here");
    expect(await readdir(home)).toEqual([]);
    expect((await run({ mode: "remove" })).code).toBe(0);
  });

  it("shows what it would do, and does nothing, where nobody can be asked", async () => {
    await put(".cursor/mcp.json", "{}\n");
    const { code, out } = await run({ yes: false });
    expect(code).toBe(0);
    expect(out).toContain(`  1  Cursor  add it to ${file(".cursor", "mcp.json")}\n`);
    expect(out).toContain("Run it again with --yes");
    expect(await readFile(file(".cursor", "mcp.json"), "utf8")).toBe("{}\n");
    expect(await readdir(file(".cursor"))).toEqual(["mcp.json"]);
  });

  it("registers with what it finds, saves what was there, copies the skill; again, it changes nothing", async () => {
    const cursor = await put(".cursor/mcp.json", `{ "mcpServers": {} } // mine\n`);
    const codex = await put(".codex/config.toml", `model = "o"\n`);
    const first = await run();
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toContain(
      `ok    Cursor: added to ${cursor}\n      the file as it was: ${cursor}.bak-tunnel\n`,
    );
    expect(await readFile(`${cursor}.bak-tunnel`, "utf8")).toBe(`{ "mcpServers": {} } // mine\n`);
    expect(await readFile(codex, "utf8")).toContain("[mcp_servers.tunnel]");
    expect(await readFile(file(".agents", "skills", "tunnel-etiquette", "SKILL.md"), "utf8")).toBe(
      "# Etiquette\n",
    );

    const before = await snapshot();
    const second = await run();
    expect(second.code).toBe(0);
    expect(second.out).toContain("  -  Cursor  registered already\n");
    expect(second.out).toContain("There is nothing to do.");
    expect(await snapshot()).toEqual(before);
  });

  it("takes everything out again, and every file is as it was", async () => {
    await put(".cursor/mcp.json", `{\r\n\t"a": [1], // x\r\n}`);
    await put(".codex/config.toml", "# none");
    const before = await snapshot();
    await run();
    const { code, out } = await run({ mode: "remove" });
    expect(code).toBe(0);
    expect(out).toContain("Deleted the skill:");
    const after = await snapshot();
    for (const [name, text] of before) expect(after.get(name), name).toBe(text);
    expect((await run({ mode: "remove" })).out).toContain("  -  Cursor  not registered\n");
  });

  it("serves a client that is named though there is no sign of it, and no other", async () => {
    await put(".cursor/mcp.json", "{}");
    expect((await run({ clients: ["windsurf"] })).code).toBe(0);
    expect(await readFile(file(".codeium", "windsurf", "mcp_config.json"), "utf8")).toContain(`"tunnel"`);
    expect(await readFile(file(".cursor", "mcp.json"), "utf8")).toBe("{}");
  });

  it("does the others when one cannot be done, says why with a code and a next step, and ends with 1", async () => {
    const broken = await put(".cursor/mcp.json", "{ sk-secret");
    await put(".codex/config.toml", "");
    const { code, out } = await run();
    expect(code).toBe(1);
    expect(out).toContain("ok    Codex: added to");
    expect(out).toContain(`FAIL  Cursor: client-config-unusable: `);
    expect(out).toContain("setup --print");
    expect(out).not.toContain("sk-secret");
    expect(await readFile(broken, "utf8")).toBe("{ sk-secret");
  });

  it("prints what to write by hand for one client or for all, and changes nothing", async () => {
    const { out } = await run({ mode: "print", clients: ["codex"] });
    expect(out).toContain(`  in ${file(".codex", "config.toml")}:`.replace("  in", "  or, in"));
    expect(out).toContain(`  [mcp_servers.tunnel]\n  command = "node"\n`);
    const all = await run({ mode: "print" });
    for (const title of ["Claude Code", "Cursor", "VS Code", "Windsurf"])
      expect(all.out).toContain(`${title}\n`);
    expect(await readdir(home)).toEqual([]);
  });

  it("shows what codex exec needs, tool by tool, and never for receiving, exposing or connecting", async () => {
    const { out } = await run({ mode: "print", clients: ["codex"] });
    const named = [
      ...out.matchAll(/^ {2}\[mcp_servers\.tunnel\.tools\.(\w+)\] # .+\n {2}approval_mode = "approve"$/gm),
    ];
    const writing = TOOLS.filter(
      ({ name, annotations }) => !annotations.readOnlyHint && name !== "tunnel_status",
    );
    const expected = writing.map(({ name }) => name).filter((name) => !/receive|expose|connect/.test(name));
    expect(named.map(([, tool = ""]) => tool)).toEqual(expect.arrayContaining(expected));
    expect(named).toHaveLength(expected.length);
    await put(".codex/config.toml", "");
    expect((await run()).out).toContain("refuses most tools: setup --print --client codex\n");
    expect(await readFile(file(".codex", "config.toml"), "utf8")).not.toContain("approval_mode");
  });

  it("is refused for a copy that will be deleted one day, but not for taking it out", async () => {
    await put(".cursor/mcp.json", "{}");
    const places = [
      { bundle, tempDirectories: [root] },
      { bundle: path.join(root, "_npx", "1a2b", "dist", "tunnel-mcp.cjs") },
      { bundle: path.join(root, "dlx-12", "dist", "tunnel-mcp.cjs") },
    ];
    for (const place of places) {
      const thrown = await run({}, place).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(TunnelError);
      expect(thrown).toMatchObject({ code: "setup-place-passing" });
    }
    expect((await run({ mode: "remove" }, { tempDirectories: [root] })).code).toBe(0);
  });

  it("finds a folder of which only the beginning of the name is known", async () => {
    const where = {
      platform: "linux",
      home,
      env: {},
      bundle,
      searchPath: [],
      cwd: home,
      project: false,
    } as const;
    const place: Place = { base: "home", path: "Packages/Claude_*/Roaming/Claude" };
    expect(await existing(place, where)).toEqual([]);
    for (const name of ["Claude_b", "Claude_a", "Other_c", "claude_d"])
      await put(`Packages/${name}/Roaming/x`, "");
    await put("Packages/Claude_b/Roaming/Claude/x", "");
    await put("Packages/Other_c/Roaming/Claude/x", "");
    expect(await existing(place, where)).toEqual([file("Packages", "Claude_b", "Roaming", "Claude")]);
  });

  it("passes by the programs of a Windows around a WSL", () => {
    const searchPath = ["/usr/bin", "/mnt/c", "/mnt/c/Users/ana/bin", "/mnt/data/bin"];
    expect(programFolders({ searchPath, env: {} })).toEqual(searchPath);
    const inside = { searchPath, env: { WSL_DISTRO_NAME: "Debian" } };
    expect(programFolders(inside)).toEqual(["/usr/bin", "/mnt/data/bin"]);
  });

  it("registers all the same where something is in the way of the skill, and says so", async () => {
    await put(".cursor/mcp.json", "{}");
    await put(".cursor/skills", "a file");
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toContain("leave the skill out: something else is in the way of");
    expect(out).toContain("ok    Cursor: added to");
    expect(await readFile(file(".cursor", "skills"), "utf8")).toBe("a file");
  });

  it("says so when the skill cannot be copied, and ends with 1", async () => {
    await put(".cursor/mcp.json", "{}");
    await rm(path.join(root, "opt", "skills"), { recursive: true });
    const { code, out, err } = await run();
    expect(out).toContain("ok    Cursor: added to");
    expect(code).toBe(1);
    expect(err).toMatch(/^tunnel-mcp: the skill could not be put into .*skills \(ENOENT\)\n/);
  });
});

describe("setup with a person at the terminal", () => {
  beforeEach(async () => {
    await put(".cursor/mcp.json", "{}");
    await put(".codex/config.toml", "");
    await put(".codeium/windsurf/mcp_config.json", "{}");
  });

  async function answer(lines: string): Promise<Run> {
    const input = new PassThrough();
    const said = recorder();
    input.end(lines);
    const result = await run({ yes: false }, { ask: (count) => askWhich(input, said.out, count) });
    return { ...result, out: result.out + said.stdout() };
  }

  it("does what was chosen by number, and only that", async () => {
    const { code, out } = await answer("1, 3\n");
    expect(code).toBe(0);
    expect(out).toContain("Which ones? Numbers from 1 to 3, all or none [all]: ");
    expect(await readFile(file(".codex", "config.toml"), "utf8")).toContain("tunnel");
    expect(await readFile(file(".cursor", "mcp.json"), "utf8")).toBe("{}");
    expect(await readFile(file(".codeium", "windsurf", "mcp_config.json"), "utf8")).toContain("tunnel");
  });

  it.each(["none\n", "", "n\n"])("changes nothing on %j", async (lines) => {
    const before = await snapshot();
    const { code, out } = await answer(lines);
    expect(code).toBe(0);
    expect(out).toContain("Nothing has been changed.");
    expect(await snapshot()).toEqual(before);
  });

  it("asks again until the answer is clear; Enter is all of them", async () => {
    const { out } = await answer("4\nfoo\n\n");
    expect(out.match(/That was not clear\./g)).toHaveLength(2);
    expect(await readFile(file(".cursor", "mcp.json"), "utf8")).toContain("tunnel");
  });

  it.each([
    ["", [1, 2, 3]],
    ["ALL", [1, 2, 3]],
    ["2", [2]],
    ["3 1,1", [1, 3]],
    ["0", []],
    ["q", []],
    ["1 all", undefined],
    ["-1", undefined],
    ["1.5", undefined],
    ["4", undefined],
  ])("reads %j as %j of three", (text, numbers) => {
    expect(parseChoice(text, 3)).toEqual(
      numbers === undefined ? { kind: "unclear" } : { kind: "chosen", numbers },
    );
  });
});

describe("a client", () => {
  it("is found by its program alone, and not by what setup has left", async () => {
    await putProgram("codex");
    await run({ clients: ["cursor", "opencode", "zed"] });
    const { out } = await run();
    expect(out).toContain("Codex");
    for (const title of ["Cursor", "opencode", "Zed"]) expect(out).not.toContain(title);
    await put(".cursor/argv.json", "{}");
    expect((await run()).out).toContain("  -  Cursor  registered already\n");
  });

  it.skipIf(onWindows)(
    "is found by its application on macOS before it has ever been started (POSIX)",
    async () => {
      await mkdir(path.join(root, "Applications", "Zed.app"), { recursive: true });
      await mkdir(file("Applications", "Cursor.app"), { recursive: true });
      const { out } = await run({}, { platform: "darwin" });
      expect(out).toContain(`ok    Cursor: added to ${file(".cursor", "mcp.json")}\n`);
      expect(out).toContain(`ok    Zed: added to ${file(".config", "zed", "settings.json")}\n`);
      expect(out).not.toContain("Windsurf");
    },
  );

  it("is not found by empty folders, saved files, the skill, or a file with our entry alone", async () => {
    await mkdir(file(".codeium", "windsurf"), { recursive: true });
    await mkdir(file(".copilot"));
    await run({ clients: ["cursor"] });
    await put(".cursor/mcp.json.bak-tunnel", "{}");
    expect((await run()).err).toContain("no MCP client was found here");
    expect((await run({ mode: "remove" })).out).toContain("Cursor");
  });

  it("leaves no file and no folder where there was none, the skill's included", async () => {
    const all = CLIENT_NAMES;
    expect((await run({ clients: all })).code).toBe(0);
    expect(await readdir(home)).not.toEqual([]);
    expect((await run({ clients: all, mode: "remove" })).code).toBe(0);
    expect(await readdir(home)).toEqual([]);
  });

  it("leaves none either after its path was corrected in between, or when nobody is named", async () => {
    await run({ clients: ["codex", "opencode"] });
    await run(
      { clients: ["codex", "opencode"] },
      { bundle: path.join(root, "opt", "dist", "..", "dist", "x", "tunnel-mcp.cjs") },
    );
    expect(await readdir(file(".codex"))).toEqual(["config.toml", "config.toml.bak-tunnel"]);
    expect((await run({ mode: "remove" })).code).toBe(0);
    expect(await readdir(file(".codex")).catch(() => "gone")).toBe("gone");
    expect(await readdir(file(".config")).catch(() => "gone")).toBe("gone");
  });

  it("leaves none either where the client has added the address of its schema", async () => {
    await run({ clients: ["opencode"] });
    const target = file(".config", "opencode", "opencode.json");
    const text = await readFile(target, "utf8");
    await writeFile(target, text.replace("{", `{\n  "$schema": "https://opencode.ai/config.json",`));
    await run({ clients: ["opencode"], mode: "remove" });
    expect(await readdir(home)).toEqual([]);
  });

  it.skipIf(onWindows)("keeps a folder that is a link, and what it leads to (POSIX)", async () => {
    const real = path.join(root, "dotfiles");
    await mkdir(real);
    await symlink(real, file(".codex"));
    await run({ clients: ["codex"] });
    expect(await readdir(real)).toEqual(["config.toml"]);
    await run({ clients: ["codex"], mode: "remove" });
    expect(await readdir(real)).toEqual([]);
    expect((await lstat(file(".codex"))).isSymbolicLink()).toBe(true);
  });

  it("keeps the folder that a variable names, and everything that is not ours", async () => {
    const codexHome = path.join(root, "codex");
    await mkdir(codexHome);
    const env = { CODEX_HOME: codexHome };
    await put(".cursor/other.txt", "x");
    await run({ clients: ["codex", "cursor"] }, { env });
    await run({ clients: ["codex", "cursor"], mode: "remove" }, { env });
    expect(await readdir(codexHome)).toEqual([]);
    expect(await readdir(file(".cursor"))).toEqual(["other.txt"]);
  });

  it("has the file of two names edited that has our entry already", async () => {
    await put(".config/opencode/opencode.json", "{}");
    await run({ clients: ["opencode"] });
    const later = await put(".config/opencode/opencode.jsonc", "{ /* later */ }");
    expect((await run({ clients: ["opencode"] })).out).toContain("registered already");
    expect((await run({ clients: ["opencode"], mode: "remove" })).code).toBe(0);
    expect(await readFile(file(".config", "opencode", "opencode.json"), "utf8")).toBe("{}");
    expect(await readFile(later, "utf8")).toBe("{ /* later */ }");
  });

  it("that starts this program under another name gets no second one, and is told what remains", async () => {
    const entry = { command: "node", args: ["/x/dist/tunnel-mcp.cjs"] };
    const cursor = await put(".cursor/mcp.json", JSON.stringify({ mcpServers: { mine: entry } }));
    await put(
      ".codex/config.toml",
      `[mcp_servers.mine]\ncommand = "node"\nargs = ["/x/dist/tunnel-mcp.cjs"]\n`,
    );
    const { code, out } = await run();
    expect(code).toBe(0);
    for (const title of ["Codex ", "Cursor"])
      expect(out).toContain(`${title}  has it under another name already`);
    expect(JSON.parse(await readFile(cursor, "utf8"))).toEqual({ mcpServers: { mine: entry } });
    const removal = await run({ mode: "remove" });
    expect(removal.code).toBe(1);
    expect(removal.out).toContain("an entry of the name mine in the same file");
  });

  it("with a valid file that cannot be edited is shown the lines to write by hand", async () => {
    await put(".codex/config.toml", `[[mcp_servers]]\nname = "x"\n`);
    const { code, out } = await run();
    expect(code).toBe(1);
    expect(out).toContain(`"mcp_servers" in it is not a table`);
    expect(out).toContain(`write this into it by hand:`);
    expect(out).toContain(`[mcp_servers.tunnel]`);
  });

  it("Codex gets no byte of its file changed but our entry, and the old file is kept, without its own command", async () => {
    await putProgram("codex");
    const text = `# mine\nmodel = "o"   # why\nmcp_servers = { z = { command = "x" } }\n\n[features]\na =   true\n`;
    const target = await put(".codex/config.toml", text);
    await chmod(target, 0o600);
    const { out } = await run();
    expect(out).toContain(`the file as it was: ${target}.bak-tunnel\n`);
    expect(await readFile(`${target}.bak-tunnel`, "utf8")).toBe(text);
    if (!onWindows) expect((await stat(`${target}.bak-tunnel`)).mode & 0o777).toBe(0o600);
    const changed = await readFile(target, "utf8");
    expect(changed.replace(/, tunnel = \{ command[^}]*\}/, "")).toBe(text);
    await run({ mode: "remove" });
    expect(await readFile(target, "utf8")).toBe(text);
  });
});

describe("Claude Code", () => {
  const ours = { type: "stdio", command: "node", args: ["/x/tunnel-mcp.cjs"] };

  it("with the plugin gets nothing added, and is told how the plugin goes", async () => {
    await put(".claude.json", "{}");
    await put(".claude/settings.json", `{ "enabledPlugins": { "tunnel@tunnel-mcp": true } }`);
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toContain("has it from a plugin already, so nothing is added");
    expect(out).toContain("claude plugin uninstall tunnel@tunnel-mcp");
    expect(await readFile(file(".claude.json"), "utf8")).toBe("{}");
    expect(await readdir(file(".claude"))).toEqual(["settings.json"]);
    const removal = await run({ mode: "remove" });
    expect(removal.code).toBe(1);
    expect(removal.out).toContain("claude plugin uninstall tunnel@tunnel-mcp");
  });

  it.each([
    ["the user", ".claude/settings.json", undefined],
    ["the project", undefined, ".claude/settings.json"],
    ["the user in the project", undefined, ".claude/settings.local.json"],
  ])("with the plugin switched off by %s is registered", async (_, below, inProject) => {
    await put(".claude/settings.json", `{ "enabledPlugins": { "tunnel@tunnel-mcp": true } }`);
    const off = `{ "enabledPlugins": { "tunnel@tunnel-mcp": false, "tunnel@other": true } }`;
    if (below !== undefined) await put(below, off);
    if (inProject !== undefined) {
      await mkdir(path.join(project, ".claude"));
      await writeFile(path.join(project, inProject), off);
    }
    expect((await run()).out).toContain("ok    Claude Code: added to");
  });

  it("is freed of every scope of its user's file at once; what remains is named, and ends with 1", async () => {
    const whole = {
      numStartups: 3,
      mcpServers: { tunnel: ours },
      projects: { "/p": { mcpServers: { tunnel: ours } } },
    };
    const target = await put(".claude.json", JSON.stringify(whole, null, 2));
    await writeFile(path.join(project, ".mcp.json"), JSON.stringify({ mcpServers: { tunnel: ours } }));
    const { code, out } = await run({ mode: "remove" });
    expect(code).toBe(1);
    expect(out).toContain(
      `still there: the file of this project, ${path.join(project, ".mcp.json")}; to take it out: setup --remove --project in ${project}\n`,
    );
    expect(out).not.toContain("the folder /p alone, which outweighs");
    expect(JSON.parse(await readFile(target, "utf8"))).toEqual({
      numStartups: 3,
      mcpServers: {},
      projects: { "/p": { mcpServers: {} } },
    });
    expect((await run({ mode: "remove", project: true })).code).toBe(0);
    expect(await readdir(project)).toEqual([]);
    expect((await run({ mode: "remove" })).code).toBe(0);
  });

  it("whose folder is moved by CLAUDE_CONFIG_DIR is read and written there alone", async () => {
    const other = path.join(root, "claude");
    await mkdir(other);
    await writeFile(path.join(other, "settings.json"), `{ "enabledPlugins": { "tunnel@tunnel-mcp": true } }`);
    const env = { CLAUDE_CONFIG_DIR: other };
    expect((await run({ clients: ["claude-code"] }, { env })).out).toContain("from a plugin already");
    await writeFile(path.join(other, "settings.json"), "{}");
    expect((await run({ clients: ["claude-code"] }, { env })).code).toBe(0);
    expect((await readdir(other)).toSorted()).toEqual([".claude.json", "settings.json", "skills"]);
    expect(await readdir(home)).toEqual([]);
  });

  it("has a project's file seen from a folder further down in the repository", async () => {
    const below = path.join(project, "a", "b");
    await mkdir(below, { recursive: true });
    await writeFile(path.join(project, ".mcp.json"), JSON.stringify({ mcpServers: { tunnel: ours } }));
    await put(".claude.json", "{}");
    expect((await run({ yes: false }, { cwd: below })).out).not.toContain("also there");
    await mkdir(path.join(project, ".git"));
    expect((await run({ yes: false }, { cwd: below })).out).toContain(
      `setup --remove --project in ${project}\n`,
    );
  });

  it("of an older version has its older file edited where that exists", async () => {
    await put(".claude.json", "{}");
    const older = await put(".claude/.config.json", "{}");
    expect((await run()).out).toContain(`added to ${older}\n`);
    expect(await readFile(file(".claude.json"), "utf8")).toBe("{}");
  });

  it("is waited for while a session of it writes the file, and a lock that nobody renews is broken", async () => {
    const target = await put(".claude.json", `{ "a": 1 }`);
    await mkdir(`${target}.lock`);
    const running = run({ clients: ["claude-code"] });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await readFile(target, "utf8")).toBe(`{ "a": 1 }`);
    await writeFile(target, `{ "a": 2 }`);
    await rmdir(`${target}.lock`);
    expect((await running).code).toBe(0);
    expect(JSON.parse(await readFile(target, "utf8"))).toMatchObject({ a: 2, mcpServers: { tunnel: {} } });
    expect(await readdir(home)).not.toContain(".claude.json.lock");

    await mkdir(`${target}.lock`);
    await utimes(`${target}.lock`, 1, 1);
    expect((await run({ clients: ["claude-code"], mode: "remove" })).code).toBe(0);
  });
});

describe("other plugins", () => {
  it("of Codex and Gemini CLI count like the one of Claude Code", async () => {
    await put(".codex/config.toml", `[plugins."tunnel@tunnel-mcp"]\nenabled = true\n`);
    await put(".gemini/settings.json", "{}");
    await put(".gemini/extensions/tunnel/.gemini-extension-install.json", "{}");
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toContain("codex plugin remove tunnel@tunnel-mcp");
    expect(out).toContain("gemini extensions uninstall tunnel");
    expect(out).toContain("There is nothing to do.");
    expect(await readFile(file(".gemini", "settings.json"), "utf8")).toBe("{}");
  });

  it("that are switched off bring nothing", async () => {
    await put(".codex/config.toml", `[plugins."tunnel@tunnel-mcp"]\nenabled = false\n`);
    await put(".gemini/settings.json", "{}");
    await put(".gemini/extensions/tunnel/.gemini-extension-install.json", "{}");
    await put(".gemini/extensions/extension-enablement.json", `{ "tunnel": { "overrides": ["!/home/*"] } }`);
    const { out } = await run();
    expect(out).toContain("ok    Codex: added to");
    expect(out).toContain("ok    Gemini CLI: added to");
  });
});

describe("setup --project", () => {
  const at = (...below: string[]): string => path.join(project, ...below);

  it("writes the files of the project for the clients that read one, and nothing in the home folder", async () => {
    const clients: readonly ClientName[] = [
      "claude-code",
      "codex",
      "copilot",
      "cursor",
      "gemini",
      "opencode",
      "vscode",
      "vscode-insiders",
      "vscodium",
      "zed",
    ];
    const { code, out } = await run({ clients, project: true });
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining("trust it: until then Codex"),
    });
    const files = (await readdir(project, { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    );
    expect(
      files.map(({ parentPath, name }) => path.relative(project, path.join(parentPath, name))).toSorted(),
    ).toEqual(
      [
        ".codex/config.toml",
        ".cursor/mcp.json",
        ".gemini/settings.json",
        ".mcp.json",
        ".vscode/mcp.json",
        ".zed/settings.json",
        "opencode.json",
      ].map((name) => path.join(...name.split("/"))),
    );
    expect(await readdir(home)).toEqual([]);
    expect((await run({ clients, project: true })).out).toContain("There is nothing to do.");
    expect((await run({ clients, project: true, mode: "remove" })).code).toBe(0);
    expect(await readdir(project)).toEqual([]);
  });

  it.each<[ClientName, string]>([
    ["windsurf", "Windsurf reads no file of a project"],
    ["claude-desktop", "Claude Desktop reads no file of a project"],
  ])("is refused for a client that reads none: %s", async (client, reason) => {
    const { code, out } = await run({ clients: [client], project: true });
    expect(code).toBe(1);
    expect(out).toContain(`client-project-ignored`);
    expect(out).toContain("Nothing of it can be done.");
    expect((await run({ clients: [client], project: true, yes: false })).code).toBe(1);
    expect(out).toContain(reason);
    expect(await readdir(project)).toEqual([]);
  });

  it("is refused in the home folder, and where the client's own settings call the folder untrusted", async () => {
    const home1 = await run({ clients: ["cursor"], project: true }, { cwd: home });
    expect(home1.code).toBe(1);
    expect(home1.out).toContain("your home folder is no project");
    await put(".codex/config.toml", `[projects.${JSON.stringify(project)}]\ntrust_level = "untrusted"\n`);
    await put(".gemini/trustedFolders.json", JSON.stringify({ [project]: "DO_NOT_TRUST" }));
    const { code, out } = await run({ clients: ["codex", "gemini"], project: true });
    expect(code).toBe(1);
    expect(out).toContain("Codex ignores it, since its configuration calls");
    expect(out).toContain("Gemini CLI starts no server there");
    expect(await readdir(project)).toEqual([]);
  });

  it("shows what to write by hand for the project, without the command that writes elsewhere", async () => {
    const { out } = await run({ clients: ["claude-code", "windsurf"], project: true, mode: "print" });
    expect(out).toContain(`in ${at(".mcp.json")}:`);
    expect(out).not.toContain("claude mcp add");
    expect(out).toContain("Windsurf reads no file of a project");
  });
});

describe("a file", () => {
  it.skipIf(onWindows)(
    "behind a link is changed itself, keeps its mode, and the link stays (POSIX)",
    async () => {
      const real = path.join(root, "dotfiles.json");
      await writeFile(real, "{}");
      await chmod(real, 0o666); // more than the umask leaves
      await mkdir(file(".cursor"));
      await symlink(real, file(".cursor", "mcp.json"));
      expect((await run()).code).toBe(0);
      expect((await lstat(file(".cursor", "mcp.json"))).isSymbolicLink()).toBe(true);
      expect(await readFile(real, "utf8")).toContain("tunnel");
      expect((await stat(real)).mode & 0o777).toBe(0o666);
      expect((await stat(`${real}.bak-tunnel`)).mode & 0o777).toBe(0o666);
    },
  );

  it.skipIf(process.getuid?.() !== 0)(
    "keeps its owner and group when root writes it (needs root)",
    async () => {
      const target = await put(".cursor/mcp.json", "{}");
      await chown(target, 1234, 2345);
      await run();
      for (const one of [target, `${target}.bak-tunnel`])
        expect(await stat(one)).toMatchObject({ uid: 1234, gid: 2345 });
    },
  );

  it.skipIf(onWindows)("that is new is for its user alone (POSIX)", async () => {
    await run({ clients: ["cursor"] });
    expect((await stat(file(".cursor", "mcp.json"))).mode & 0o777).toBe(0o600);
  });

  it("that is read-only, not UTF-8, a folder or a dead link is left alone with the reason", async () => {
    await chmod(await put(".cursor/mcp.json", "{}"), 0o444);
    await mkdir(file(".codeium", "windsurf", "mcp_config.json"), { recursive: true });
    await mkdir(file(".codex"));
    await writeFile(file(".codex", "config.toml"), Buffer.from([0xff, 0xfe, 0x61, 0]));
    const { code, out } = await run();
    expect(code).toBe(1);
    expect(out).toContain("mcp.json: it is read-only\n");
    expect(out).toContain("mcp_config.json: it is not a file\n");
    expect(out).toContain("config.toml: it is not UTF-8 text\n");
    await chmod(file(".cursor", "mcp.json"), 0o644);
  });

  it.skipIf(onWindows)("that is a link to nowhere is not created (POSIX)", async () => {
    await mkdir(file(".cursor"));
    await symlink(path.join(root, "nowhere"), file(".cursor", "mcp.json"));
    expect((await run()).out).toContain("it is a link that leads nowhere");
  });

  it("that has changed since it was read is not overwritten", async () => {
    const target = await put(".cursor/mcp.json", "{ }");
    const edit = {
      kind: "edit",
      what: "add",
      path: target,
      target,
      before: "{}",
      after: "x",
      mode: 0o600,
      owner: undefined,
      keepsOld: true,
      dropsBackup: false,
    } as const;
    await expect(writeEdit(edit)).rejects.toThrow("changed by something else");
    await expect(writeEdit({ ...edit, before: undefined })).rejects.toThrow("changed by something else");
    expect(await readdir(file(".cursor"))).toEqual(["mcp.json"]);
  });

  it("that cannot be written leaves nothing half done", async () => {
    const target = await put("a/file.json", "{}");
    const edit = {
      kind: "edit",
      what: "add",
      path: target,
      target,
      before: "{}",
      after: "x",
      mode: 0o600,
      owner: undefined,
      keepsOld: true,
      dropsBackup: false,
    } as const;
    await mkdir(`${target}.bak-tunnel`);
    await expect(writeEdit(edit)).rejects.toThrow("it cannot be written (E");
    expect(await readdir(file("a"))).toEqual(["file.json", "file.json.bak-tunnel"]);
    expect(await readFile(target, "utf8")).toBe("{}");
  });
});

/** Every file below the home folder with its text. */
async function snapshot(): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(await Promise.all(files.map(async (name) => [name, await readFile(name, "utf8")] as const)));
}
