import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BUNDLE } from "../support/agent.ts";
import { Home, install, PLUGIN, ROOT } from "./client.ts";

/** Each client that npm has: the script that starts it, the file in which `setup` registers, how it takes our plugin. */
const CLIENTS = [
  {
    name: "claude-code",
    package: "@anthropic-ai/claude-code",
    script: "cli-wrapper.cjs",
    file: ".claude.json",
    plugin: [
      ["plugin", "marketplace", "add", ROOT],
      ["plugin", "install", "tunnel@tunnel-mcp"],
    ],
    takenOut: ["plugin", "uninstall", "tunnel@tunnel-mcp"],
  },
  {
    name: "codex",
    package: "@openai/codex",
    script: "bin/codex.js",
    file: ".codex/config.toml",
    plugin: [
      ["plugin", "marketplace", "add", ROOT],
      ["plugin", "add", "tunnel@tunnel-mcp"],
    ],
    takenOut: ["plugin", "remove", "tunnel@tunnel-mcp"],
  },
  {
    name: "gemini",
    package: "@google/gemini-cli",
    script: "bundle/gemini.js",
    file: ".gemini/settings.json",
    plugin: [["extensions", "link", PLUGIN, "--consent"]],
    takenOut: ["extensions", "uninstall", "tunnel"],
  },
] as const;

let home: Home;
beforeEach(() => void (home = new Home()));
afterEach(() => home.remove());

describe.each(CLIENTS)("setup", ({ name, script, file, ...client }) => {
  const installed = install(client.package);
  /** Both streams: some clients print their lists to standard error. */
  const run = async (...args: readonly string[]): Promise<string> => {
    if (!installed.ok) throw new Error("the client is not here");
    const { stdout, stderr } = await home.runBy(
      process.execPath,
      path.join(installed.folder, script),
      ...args,
    );
    return stdout + stderr;
  };

  it.skipIf(!installed.ok)(
    `registers what ${installed.label} lists, and takes it out without a trace`,
    async () => {
      const before = readdirSync(home.folder);
      expect(await home.run(BUNDLE, "setup", "--yes", "--client", name)).toContain(
        path.join(home.folder, file),
      );
      expect(await home.run(BUNDLE, "setup", "--yes", "--client", name, "--remove")).toContain("deleted");
      expect(readdirSync(home.folder)).toEqual(before);

      await home.run(BUNDLE, "setup", "--yes", "--client", name);
      expect(await run("mcp", "list")).toContain(BUNDLE);
      await home.run(BUNDLE, "setup", "--yes", "--client", name, "--remove");
      expect(await run("mcp", "list")).not.toContain(BUNDLE);
      if (name !== "claude-code") expect(existsSync(path.join(home.folder, file))).toBe(false);
    },
  );

  it.skipIf(!installed.ok)(
    `adds nothing where ${installed.label} has the plugin, and again after the shown command took it out`,
    async () => {
      for (const args of client.plugin) await run(...args);
      const said = await home.run(BUNDLE, "setup", "--yes", "--client", name);
      expect(said).toContain("has it from a plugin already, so nothing is added");
      expect(said).toContain(client.takenOut.join(" "));
      await run(...client.takenOut);
      expect(await home.run(BUNDLE, "setup", "--yes", "--client", name)).toContain("added to");
    },
  );
});
