import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { TOOLS } from "../../src/mcp/tools/index.ts";
import { BUNDLE } from "../support/agent.ts";
import { Home } from "./client.ts";
import { inspectorHere } from "./inspector.ts";

const inspector = inspectorHere();

let home: Home;
beforeEach(() => void (home = new Home()));
afterEach(() => home.remove());

/** Its answer on standard output, and what it has to say of the schemas on standard error. */
function inspect(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const { script, node } = inspector.ok ? inspector : { script: "", node: "" };
  return home.runBy(node, script, "--cli", "node", BUNDLE, ...args);
}

const listSchema = z.object({ tools: z.array(z.looseObject({ name: z.string() })) });

describe.skipIf(!inspector.ok).each(["legacy", "modern"])(`${inspector.label}, %s era`, (era) => {
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
