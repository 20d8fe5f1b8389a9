import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import * as z from "zod";
import { helpText } from "../../src/cli/help.ts";
import { registration } from "../../src/mcp/registration.ts";

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

test("an unknown argument: what was not understood and the usage on stderr, nothing on stdout, exit code 2", () => {
  const stderr = `tunnel-mcp: unknown command serve\n\n${helpText(version, bundle)}`;
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
    "demo",
    "doctor",
    "install-skill",
    "wake",
    "--dir PATH",
    "--force",
    "--help",
    "--version",
  ]) {
    expect(text).toContain(`  ${name}`);
  }
  const source = readFileSync(new URL("../../src/cli/env.ts", import.meta.url), "utf8");
  const variables = new Set(source.match(/TUNNEL_[A-Z_]+/g));
  expect(new Set(text.match(/TUNNEL_[A-Z_]+/g))).toEqual(variables);
  expect(variables.size).toBe(13);
  expect(text).toContain("  claude mcp add tunnel -- node /opt/tunnel-mcp.cjs\n");
});

test("the line to register is one a shell takes, also for a folder with a space", () => {
  expect(registration("/home/ana b/tunnel-mcp.cjs")).toBe(
    'claude mcp add tunnel -- node "/home/ana b/tunnel-mcp.cjs"',
  );
  expect(registration("C:\\tools\\tunnel-mcp.cjs")).toBe(
    "claude mcp add tunnel -- node C:\\tools\\tunnel-mcp.cjs",
  );
});
