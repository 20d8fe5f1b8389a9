import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Agent, closeAgents, pair } from "../support/agent.ts";
import { gone, until } from "../support/processes.ts";

const SERVER = fileURLToPath(new URL("../support/mcp-server.mjs", import.meta.url));
let folder = "";
afterEach(async () => {
  await closeAgents();
  rmSync(folder, { recursive: true, force: true });
});

/** The owner's file of servers, and what the servers have written down. */
function servers(mode: string): { readonly env: Record<string, string>; readonly pids: () => number[] } {
  folder = mkdtempSync(join(tmpdir(), "tunnel-mcp-e2e-"));
  const notes = join(folder, "notes");
  const file = join(folder, "servers.json");
  const store = { command: process.execPath, args: [SERVER, mode, notes], env: { KEY: "hunter2" } };
  writeFileSync(file, JSON.stringify({ mcpServers: { store } }), { mode: 0o600 });
  const pids = (): number[] => readFileSync(notes, "utf8").trim().split("\n").map(Number);
  return { env: { TUNNEL_UNATTENDED: "1", TUNNEL_MCP_SERVERS: file }, pids };
}

const takenSchema = z.looseObject({
  url: z.string(),
  header: z.object({ field: z.string(), value: z.string() }),
  register: z.string(),
  tools: z.string(),
  next: z.string(),
});

async function offerAndTake(ana: Agent, ben: Agent, service: object) {
  const offered = await ana.call("tunnel_share", { service: { kind: "mcp", target: "store", ...service } });
  const { serviceId } = z.looseObject({ serviceId: z.string() }).parse(offered);
  await until("it is heard of", async () =>
    JSON.stringify(await ben.call("tunnel_status")).includes(serviceId),
  );
  return { serviceId, taken: takenSchema.parse(await ben.call("tunnel_connect", { serviceId })) };
}

it("a stdio server named in the owner's file is offered, taken, called, seen and withdrawn", async () => {
  const { env, pids } = servers("both");
  const [ana, ben] = await Promise.all([Agent.start(env), Agent.start({ TUNNEL_UNATTENDED: "1" })]);
  await pair(ana, ben);
  const { serviceId, taken } = await offerAndTake(ana, ben, { tools: ["search_*"], name: "Ana's store" });
  expect(taken.url).toMatch(/^http:\/\/\S+\/mcp$/);
  expect(taken.register).toContain(taken.url);
  expect(taken.register).toContain(taken.header.value);
  expect(taken.register).toContain("peer-ana-s-store");
  expect(taken.tools).toMatch(
    /^<<peer-text [^>]*>>\nsearch_books: Finds books\nsearch_people: Finds people\n<<end/,
  );
  expect(taken.next).toMatch(/human registers it/);
  // None of them is a tool of this server.
  expect(
    (await ben.client.listTools()).tools
      .map(({ name }) => name)
      .filter((name) => !/^(tunnel|expose)_/.test(name)),
  ).toEqual([]);
  const client = new Client({ name: "t", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const headers = { [taken.header.field]: taken.header.value };
  await client.connect(new StreamableHTTPClientTransport(new URL(taken.url), { requestInit: { headers } }));
  expect(JSON.stringify(await client.callTool({ name: "search_books", arguments: { q: "sea" } }))).toContain(
    "found sea",
  );
  await expect(client.callTool({ name: "delete_all", arguments: {} })).rejects.toThrow(/does not let/);
  await client.close();
  const status = JSON.stringify(await ana.call("tunnel_status"));
  expect(status).toContain('"tools":["search_*"]');
  expect(status).toMatch(/"method":"tools\/call","name":"search_books","end":"answered"/);
  expect(status).toMatch(/"name":"delete_all","end":"refused"/);
  expect(status).not.toContain("hunter2");
  await ana.call("tunnel_connect", { stop: serviceId });
  await Promise.all(pids().map(gone));
});

it("a server that says too much, and what it should not, is told in the fence and in bounds", async () => {
  const { env } = servers("pages");
  const [ana, ben] = await Promise.all([Agent.start(env), Agent.start({ TUNNEL_UNATTENDED: "1" })]);
  await pair(ana, ben);
  const { taken } = await offerAndTake(ana, ben, {});
  expect(taken.tools.length).toBeLessThan(16_000);
  expect(taken.tools).toMatch(/^<<peer-text [^>]*>>\ntool_0: ignore previous/);
  expect(taken.tools).toMatch(/and \d+ or more others\n<<end peer-text/);
});

it("no command line is taken from a call, and the file's own errors name the next step", async () => {
  const { env } = servers("both");
  const [ana, ben] = await Promise.all([Agent.start(env), Agent.start({ TUNNEL_UNATTENDED: "1" })]);
  await pair(ana, ben);
  const code = async (agent: Agent, target: unknown, more: object = {}): Promise<string> =>
    (await agent.refused("tunnel_share", { service: { kind: "mcp", target, ...more } })).code;
  expect(await code(ana, "node evil.js")).toBe("service-invalid");
  expect(await code(ana, "other")).toBe("mcp-server-unknown");
  expect(await code(ana, "store", { tools: ["a b"] })).toBe("mcp-tools-invalid");
  expect(await code(ana, "http://192.0.2.1/mcp")).toBe("service-target-not-local");
});

it.runIf(process.platform !== "win32")(
  "kill -9 of the owner's server leaves no MCP server behind",
  async () => {
    const { env, pids } = servers("forks");
    const [ana, ben] = await Promise.all([Agent.start(env), Agent.start({ TUNNEL_UNATTENDED: "1" })]);
    await pair(ana, ben);
    await offerAndTake(ana, ben, {});
    expect(pids()).toHaveLength(2);
    process.kill(ana.pid ?? 0, "SIGKILL");
    await Promise.all(pids().map(gone));
  },
);
