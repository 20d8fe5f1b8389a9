import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askWhich, parseChoice } from "../../../src/cli/setup/choose.ts";
import { existing, programFolders } from "../../../src/cli/setup/machine.ts";
import { type Place, platformOf } from "../../../src/cli/setup/places.ts";
import { runProgram } from "../../../src/cli/setup/run-program.ts";
import { setup, type SetupOptions, type SetupRequest } from "../../../src/cli/setup/setup.ts";
import { writeEdit } from "../../../src/cli/setup/write-file.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { handClock, recorder } from "../support.ts";

const onWindows = process.platform === "win32";
const fakeClient = fileURLToPath(new URL("fake-client.mjs", import.meta.url));

let root: string;
let home: string;
let bin: string;
let bundle: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "tunnel-setup-"));
  home = path.join(root, "home");
  bin = path.join(root, "bin");
  bundle = path.join(root, "opt", "dist", "tunnel-mcp.cjs");
  const skill = path.join(root, "opt", "skills", "tunnel-etiquette");
  await Promise.all([home, bin, skill].map((folder) => mkdir(folder, { recursive: true })));
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

/** A client's program on the PATH that records its arguments and does as the variable FAKE says. */
async function putProgram(name: string): Promise<void> {
  const script = path.join(bin, onWindows ? `${name}.cmd` : name);
  const line = onWindows
    ? `@"${process.execPath}" "${fakeClient}" ${name} %*\r\n`
    : `#!/bin/sh\nexec '${process.execPath}' '${fakeClient}' ${name} "$@"\n`;
  await writeFile(script, line);
  await chmod(script, 0o755);
}

const calls = async (): Promise<string> => readFile(file("calls.txt"), "utf8").catch(() => "");

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(request: Partial<SetupRequest> = {}, more: Partial<SetupOptions> = {}): Promise<Run> {
  const output = recorder();
  const code = await setup({
    request: { clients: [], mode: "set-up", yes: true, force: false, ...request },
    bundle,
    platform: platformOf(process.platform),
    home,
    tempDirectories: [],
    env: { SystemRoot: process.env["SystemRoot"], PATHEXT: process.env["PATHEXT"], FAKE_HOME: home },
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
    const where = { platform: "linux", home, env: {}, bundle, searchPath: [] } as const;
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

describe("a client's own command", () => {
  it("is run without a shell, with every argument as it is", async () => {
    bundle = path.join(root, "opt", "a b & $(c) 'd'", "tunnel-mcp.cjs");
    await putProgram("claude");
    const { code, out } = await run({ clients: ["claude-code"] });
    expect(code).toBe(0);
    expect(out).toContain("ok    Claude Code: registered by claude\n");
    expect(out).toContain("does not show it"); // the fake one has written nothing
    expect(JSON.parse(await calls())).toEqual([
      "claude",
      "mcp",
      "add",
      "--scope",
      "user",
      "tunnel",
      "--",
      "node",
      bundle,
    ]);
  });

  it("that fails is shown with its last words, without colours, and with the way to do without", async () => {
    await putProgram("codex");
    const env = { FAKE: "fail", FAKE_HOME: home };
    const { code, out } = await run({ clients: ["codex"] }, { env: { ...process.env, ...env } });
    expect(code).toBe(1);
    expect(out).toContain(
      "FAIL  Codex: client-command-failed: the client's own command failed: codex: it ended with 3:",
    );
    expect(out).toContain("    line 5\n    line 6\n    line 7\n    line 8\n    no such thing\n");
    expect(out).not.toContain("line 4\n");
    expect(out).toContain("setup --print");
  });

  it("that does not end is ended", async () => {
    await putProgram("codex");
    const clock = handClock();
    const running = runProgram(path.join(bin, onWindows ? "codex.cmd" : "codex"), [], {
      env: { ...process.env, FAKE: "hang", FAKE_HOME: home },
      cwd: home,
      clock,
      signal: new AbortController().signal,
    });
    clock.advance(60_000);
    expect(await running).toEqual({ ok: false, why: "it did not end within 60 s" });
  });

  it("that cannot be started is a failure, too", async () => {
    const result = await runProgram(path.join(bin, "none"), [], {
      env: {},
      cwd: home,
      clock: systemClock,
      signal: new AbortController().signal,
    });
    expect(result).toEqual({ ok: false, why: "it could not be started (ENOENT)" });
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
