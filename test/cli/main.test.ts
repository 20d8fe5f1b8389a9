import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import * as z from "zod";
import { helpText } from "../../src/cli/help.ts";
import { oneOf } from "../../src/cli/setting-kinds.ts";
import { allSettings } from "../../src/cli/settings.ts";
import { PROVIDER_NAMES } from "../../src/tunnel/registry/registry.ts";
import { registration } from "../../src/view/setup/registration.ts";

const bundle = fileURLToPath(new URL("../../dist/tunnel-mcp.cjs", import.meta.url));
const manifest = fileURLToPath(new URL("../../package.json", import.meta.url));
const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(manifest, "utf8")));

/** Runs the built program with stdin closed, as a user without a terminal would. */
function run(args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bundle, ...args], {
    env: { ...process.env, ...env },
    input: "",
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("--version prints the version of the package and nothing else", () => {
  expect(run(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help prints the usage on stdout", () => {
  expect(run(["--help"])).toEqual({ status: 0, stdout: helpText(version, bundle), stderr: "" });
});

test("an unknown argument: what was not understood and the line that helps on stderr, nothing on stdout, exit code 2", () => {
  const commands =
    "demo | open | join | resume | kept | expose | doctor | setup | install-skill | uninstall-skill | verify | export | wake | watch | page | observe | anthropic-tunnel | relay";
  const stderr = `tunnel-mcp: unknown command serve; did you mean observe?\n  tunnel-mcp ${commands}  (more: tunnel-mcp --help)\n`;
  expect(run(["serve"])).toEqual({ status: 2, stdout: "", stderr });
});

test.each([[[]], [["doctor"]]])(
  "a bad variable: its name and form on stderr, exit code 2 (arguments: %j)",
  (args) => {
    const { status, stdout, stderr } = run(args, { TUNNEL_PORT: "eighty" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^tunnel-mcp: .*: TUNNEL_PORT must be a whole number from 0 to 65535\n/);
    expect(stderr).not.toContain("eighty");
  },
);

test("the help fits a terminal and names every command and variable", () => {
  const text = helpText("1.2.3", "/opt/tunnel-mcp.cjs");
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(90);
  for (const name of [
    "open --goal TEXT",
    "join [LINK]",
    "expose TARGET...",
    "--open-path 'METHOD /PATH'",
    "expose list",
    "expose stop NAME|ID",
    "demo",
    "doctor",
    "setup",
    "--client NAME",
    "--remove",
    "install-skill",
    "wake",
    "watch",
    "observe [LINK]",
    "anthropic-tunnel init [DIR]",
    "anthropic-tunnel renew [DIR]",
    "--dir PATH",
    "--force",
    "--help",
    "--version",
  ]) {
    expect(text).toContain(`  ${name}`);
  }
  const variables = text.match(/TUNNEL_[A-Z_]+/g) ?? [];
  expect(variables.toSorted()).toEqual(
    allSettings()
      .map(({ variable }) => variable)
      .toSorted(),
  );
  expect(variables).toHaveLength(36);
  expect(text).toContain("  claude mcp add --scope user tunnel -- node /opt/tunnel-mcp.cjs\n");
});

test("the help fits a terminal with more providers than there are", () => {
  const kind = oneOf([...PROVIDER_NAMES, "carrier-pigeon", "message-in-a-bottle"]);
  const settings = allSettings().map((one) => (one.variable === "TUNNEL_TRANSPORT" ? { ...one, kind } : one));
  const text = helpText("1.2.3", "/opt/tunnel-mcp.cjs", settings);
  expect(text.match(/message-in-a-bottle/g)).toHaveLength(4);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(90);
});

test("the line to register is one a shell takes, also for a folder with a space", () => {
  expect(registration("/home/ana's b/$x.cjs", "linux")).toBe(
    String.raw`claude mcp add --scope user tunnel -- node '/home/ana'\''s b/$x.cjs'`,
  );
  expect(registration("C:\\tools\\tunnel-mcp.cjs", "win32")).toBe(
    "claude mcp add --scope user tunnel -- node C:\\tools\\tunnel-mcp.cjs",
  );
  expect(registration("C:\\Ana B\\tunnel-mcp.cjs", "win32")).toBe(
    'claude mcp add --scope user tunnel -- node "C:\\Ana B\\tunnel-mcp.cjs"',
  );
});

test("setup, end to end: registers with a client it finds, twice, prints, and takes it out again", () => {
  const home = mkdtempSync(path.join(tmpdir(), "tunnel-home-"));
  // The folder for temporary files is elsewhere, or a clone that lies in there would be refused.
  const elsewhere = { HOME: home, USERPROFILE: home, PATH: "", TMPDIR: home, TEMP: home, TMP: home };
  const file = path.join(home, ".cursor", "mcp.json");
  try {
    mkdirSync(path.dirname(file));
    writeFileSync(file, "{} // mine\n");
    const only = ["setup", "--client", "cursor"];
    expect(run(only, elsewhere)).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(file, "utf8")).toBe("{} // mine\n");
    expect(run([...only, "--yes"], elsewhere)).toMatchObject({ status: 0, stderr: "" });
    const after = readFileSync(file, "utf8");
    expect(JSON.parse(after.replace(" // mine", ""))).toEqual({
      mcpServers: { tunnel: { command: "node", args: [bundle] } },
    });
    const skill = path.join(home, ".cursor", "skills", "tunnel-etiquette", "SKILL.md");
    expect(readFileSync(skill, "utf8")).toContain("tunnel-etiquette");
    expect(run(["setup", "--yes"], elsewhere).stdout).toContain("There is nothing to do.");
    expect(readFileSync(file, "utf8")).toBe(after);
    expect(run([...only, "--print"], elsewhere).stdout).toContain(JSON.stringify(bundle));
    expect(run(["setup", "--remove", "--yes"], elsewhere)).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(file, "utf8")).toBe("{} // mine\n");
    expect(existsSync(skill)).toBe(false);
  } finally {
    rmSync(home, { recursive: true });
  }
});

test("setup of a copy in the folder for temporary files is refused with a code's message and a next step", () => {
  const { status, stdout, stderr } = run(["setup", "--yes"], {
    TMPDIR: path.dirname(bundle),
    TEMP: path.dirname(bundle),
    TMP: path.dirname(bundle),
  });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("is in a folder that is cleared from time to time");
  expect(stderr).toContain("Clone tunnel-mcp into a permanent folder");
});
