import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Agent, closeAgents } from "../support/agent.ts";
import { Home, installAll } from "./client.ts";
import { inspectorHere } from "./inspector.ts";
import { StandIn } from "./model.ts";

const SERVER = fileURLToPath(new URL("../support/mcp-server.mjs", import.meta.url));

const startedSchema = z.looseObject({
  publicUrl: z.string(),
  access: z.object({ bearer: z.string() }),
  clients: z.object({ claudeCode: z.string(), json: z.string() }).loose(),
});
type Started = z.infer<typeof startedSchema>;

let home: Home;
let folder = "";
let started: Started;

beforeEach(async () => {
  home = new Home();
  folder = mkdtempSync(path.join(tmpdir(), "tunnel-exposed-mcp-"));
  const file = path.join(folder, "servers.json");
  const store = { command: process.execPath, args: [SERVER, "both"] };
  writeFileSync(file, JSON.stringify({ mcpServers: { store } }), { mode: 0o600 });
  const agent = await Agent.start({ TUNNEL_MCP_SERVERS: file, TUNNEL_UNATTENDED: "1" });
  started = startedSchema.parse(await agent.call("expose_start", { mcp: "store" }));
});
afterEach(async () => {
  await closeAgents();
  home.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** The words of a line that was made for a POSIX shell. */
function words(line: string): string[] {
  return Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, bare]) => quoted ?? bare ?? "");
}

describe.skipIf(process.platform === "win32")("an exposed MCP server", () => {
  for (const claude of installAll("@anthropic-ai/claude-code"))
    describe.skipIf(!claude.ok)(claude.label, () => {
      const script = claude.ok ? path.join(claude.folder, "cli-wrapper.cjs") : "";

      it("is registered by the pasted line, and connects", async () => {
        const [program, ...args] = words(started.clients.claudeCode);
        expect(program).toBe("claude");
        await home.run(script, ...args);
        expect(await home.run(script, "mcp", "list")).toMatch(
          /^mcp-store: http:\/\/\S+\/mcp \(HTTP\) - ✔ Connected$/m,
        );
      });

      it("is called, and its answer reaches the model", async () => {
        const model = await StandIn.start(
          ({ results }) =>
            results.length === 0
              ? { tool: "search_books", args: { q: "sea" } }
              : { text: `heard ${results.join()}` },
          "search_books",
        );
        try {
          await home.run(script, ...words(started.clients.claudeCode).slice(1));
          Object.assign(home.env, {
            ANTHROPIC_BASE_URL: model.url,
            ANTHROPIC_API_KEY: "none",
            ENABLE_TOOL_SEARCH: "false",
            MCP_CONNECTION_NONBLOCKING: "0",
            MCP_CONNECT_TIMEOUT_MS: "60000",
            IS_SANDBOX: "1",
          });
          const said = await home.run(script, "-p", "Find books.", "--allowedTools", "mcp__mcp-store");
          expect(said).toMatch(/heard .*found sea by \d+/);
        } finally {
          await model.stop();
        }
      });
    });

  it.each(["legacy", "auto"] as const)(
    "the SDK's client, %s: lists and calls with the token, and not without",
    async (mode) => {
      const connected = async (headers: Record<string, string>): Promise<Client> => {
        const client = new Client({ name: "sdk", version: "1" }, { versionNegotiation: { mode } });
        const transport = new StreamableHTTPClientTransport(new URL(started.publicUrl), {
          requestInit: { headers },
        });
        await client.connect(transport);
        return client;
      };
      await expect(connected({})).rejects.toThrow();
      const client = await connected({ Authorization: `Bearer ${started.access.bearer}` });
      expect((await client.listTools()).tools.length).toBeGreaterThan(3);
      expect(
        JSON.stringify(await client.callTool({ name: "search_books", arguments: { q: "x" } })),
      ).toContain("found x");
      await client.close();
    },
  );

  const inspector = inspectorHere();
  describe.skipIf(!inspector.ok).each(["legacy", "modern"])(`${inspector.label}, %s era`, (era) => {
    it("lists its tools and calls one, with the token", async () => {
      const { script, node } = inspector.ok ? inspector : { script: "", node: "" };
      const bearer = `Authorization: Bearer ${started.access.bearer}`;
      const place = [
        "--cli",
        started.publicUrl,
        "--transport",
        "http",
        "--header",
        bearer,
        "--protocol-era",
        era,
      ];
      const listed = await home.runBy(node, script, ...place, "--method", "tools/list", "--strict");
      expect(listed.stdout).toContain("search_books");
      const call = ["--method", "tools/call", "--tool-name", "search_books", "--tool-arg", "q=sea"];
      expect((await home.runBy(node, script, ...place, ...call)).stdout).toContain("found sea");
    });
  });
});
