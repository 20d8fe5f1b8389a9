import { readFileSync } from "node:fs";
import path from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Home, install, MCPB } from "./client.ts";

const mcpb = install("@anthropic-ai/mcpb");
const script = mcpb.ok ? path.join(mcpb.folder, "dist", "cli", "cli.js") : "";

const manifestSchema = z.looseObject({
  server: z.looseObject({
    mcp_config: z.looseObject({
      command: z.string(),
      args: z.array(z.string()),
      env: z.record(z.string(), z.string()),
    }),
  }),
  tools: z.array(z.looseObject({ name: z.string() })),
  user_config: z.record(z.string(), z.looseObject({ default: z.union([z.string(), z.number()]) })),
});

let home: Home;
beforeEach(() => void (home = new Home()));
afterEach(() => home.remove());

describe.skipIf(!mcpb.ok)(mcpb.label, () => {
  it("takes the bundle, whose server then starts with a form that nobody filled in", async () => {
    const unpacked = path.join(home.folder, "bundle");
    await home.run(script, "unpack", MCPB, unpacked);
    expect(await home.run(script, "validate", path.join(unpacked, "manifest.json"))).toContain("passes");

    const text = readFileSync(path.join(unpacked, "manifest.json"), "utf8");
    const { server, tools, user_config: form } = manifestSchema.parse(JSON.parse(text));
    const filled = (value: string) =>
      value
        .replace("${__dirname}", unpacked)
        .replaceAll(/\$\{user_config\.(\w+)\}/g, (_, key: string) => String(form[key]?.default));
    const { command, args, env } = server.mcp_config;
    const settings = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, filled(value)]));
    expect(JSON.stringify(settings)).not.toMatch(/\$\{|undefined/);
    const client = new Client({ name: "desktop", version: "0" });
    await client.connect(
      new StdioClientTransport({ command, args: args.map(filled), env: { ...home.env, ...settings } }),
    );
    try {
      const listed = await client.listTools();
      expect(listed.tools.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
    } finally {
      await client.close();
    }
  });
});
