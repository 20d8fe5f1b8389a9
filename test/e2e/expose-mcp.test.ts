import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { shellLine } from "../../src/runtime/shell-line.ts";
import { Agent, BUNDLE, closeAgents, NODE } from "../support/agent.ts";
import { gone, until } from "../support/processes.ts";

const SERVER = fileURLToPath(new URL("../support/mcp-server.mjs", import.meta.url));
const CLAUDE = { name: "claude-code", version: "2.1.332" };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await closeAgents();
  for (const end of ends.splice(0).toReversed()) await end();
});

/** The human's file of servers, and what the servers have written down. */
function servers(mode: string): { readonly env: Record<string, string>; readonly pids: () => number[] } {
  const folder = mkdtempSync(join(tmpdir(), "tunnel-expose-mcp-"));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const notes = join(folder, "notes");
  const file = join(folder, "servers.json");
  const store = { command: process.execPath, args: [SERVER, mode, notes], env: { KEY: "hunter2" } };
  writeFileSync(file, JSON.stringify({ mcpServers: { store } }), { mode: 0o600 });
  return {
    env: { TUNNEL_MCP_SERVERS: file },
    pids: () => readFileSync(notes, "utf8").trim().split("\n").map(Number),
  };
}

const startedSchema = z.looseObject({
  exposureId: z.string(),
  publicUrl: z.string().endsWith("/mcp"),
  access: z.strictObject({ bearer: z.string() }),
  local: z.looseObject({ tools: z.array(z.string()) }),
  clients: z.looseObject({ claudeCode: z.string(), json: z.string() }),
});
type StartedMcp = z.infer<typeof startedSchema>;

/** What a person pastes into a shell of this machine. */
const lineOf = (url: string, bearer: string): string =>
  shellLine(
    [
      "claude",
      "mcp",
      "add",
      "--transport",
      "http",
      "mcp-store",
      url,
      "--header",
      `Authorization: Bearer ${bearer}`,
    ],
    process.platform,
  );

const headersOf = ({ access }: Pick<StartedMcp, "access">): Record<string, string> => ({
  Authorization: `Bearer ${access.bearer}`,
});

async function clientOf(
  started: Pick<StartedMcp, "access" | "publicUrl">,
  mode: "legacy" | "auto" = "auto",
): Promise<Client> {
  const client = new Client({ name: "t", version: "1" }, { versionNegotiation: { mode } });
  const options = { requestInit: { headers: headersOf(started) } };
  await client.connect(new StreamableHTTPClientTransport(new URL(started.publicUrl), options));
  ends.push(() => client.close());
  return client;
}

async function exposed(mode: string, args: object = {}) {
  const { env, pids } = servers(mode);
  const agent = await Agent.start(env, "legacy", CLAUDE);
  const started = startedSchema.parse(await agent.call("expose_start", { mcp: "store", ...args }));
  return { agent, started, pids };
}

/** One call of a tool as bytes, with a deadline that no test may need. */
async function call(
  started: StartedMcp,
  name: string,
  args: object = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(started.publicUrl, {
    method: "POST",
    headers: {
      ...headersOf(started),
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, text: await response.text() };
}

describe("an MCP server of the human's file", () => {
  it("is exposed by its name, called in both eras with the token, listed, and ended with its process", async () => {
    const { agent, started, pids } = await exposed("both", { tools: ["search_*"] });
    expect(started.local).toMatchObject({ serverName: "store", tools: ["search_books", "search_people"] });
    expect(started.clients.claudeCode).toBe(lineOf(started.publicUrl, started.access.bearer));
    for (const mode of ["legacy", "auto"] as const) {
      const client = await clientOf(started, mode);
      const answer = await client.callTool({ name: "search_books", arguments: { q: "sea" } });
      expect(JSON.stringify(answer)).toContain("found sea");
      await expect(client.callTool({ name: "delete_all", arguments: {} })).rejects.toThrow(/does not let/);
    }
    expect((await fetch(started.publicUrl, { method: "POST" })).status).toBe(401);
    const listed = await agent.call("expose_list");
    expect(listed).toMatchObject({ exposures: [{ publicUrl: started.publicUrl, access: ["bearer"] }] });
    const seen = JSON.stringify([listed, await agent.call("expose_requests")]);
    expect(seen).not.toContain(started.access.bearer);
    expect(seen).not.toContain("hunter2");
    expect(await agent.call("expose_start", { mcp: "store" })).toMatchObject({
      wasRunning: true,
      publicUrl: started.publicUrl,
      access: { bearer: started.access.bearer },
    });
    await agent.call("expose_stop", { all: true });
    await expect(fetch(started.publicUrl)).rejects.toThrow();
    await Promise.all(pids().map(gone));
  });

  it("is told of before anything runs, with the command that does it in a terminal", async () => {
    const { env } = servers("dead");
    const agent = await Agent.start(env, "legacy", CLAUDE);
    const { dryRun } = await agent.call("expose_start", {
      mcp: "store",
      tools: ["a*"],
      perSession: true,
      dryRun: true,
    });
    expect(dryRun).toMatchObject([{ target: "mcp store", access: ["bearer"] }]);
    expect(JSON.stringify(dryRun)).toMatch(
      /expose --mcp store --tool (?:'a\*'|\\"a\*\\") --per-session --name mcp-store/,
    );
  });

  it("has errors with codes for what cannot be", async () => {
    const { env } = servers("dead");
    const agent = await Agent.start(env, "legacy", CLAUDE);
    const code = async (args: Record<string, unknown>): Promise<string> =>
      (await agent.refused("expose_start", args)).code;
    expect(await code({})).toBe("input-invalid");
    expect(await code({ mcp: "store", target: 3000 })).toBe("input-invalid");
    expect(await code({ mcp: "store" })).toBe("mcp-server-failed");
    expect(await code({ mcp: "other" })).toBe("mcp-server-unknown");
    expect(await code({ mcp: "node evil.js" })).toBe("expose-target-invalid");
    expect(await code({ mcp: "store", access: ["claim"] })).toBe("expose-access-invalid");
    expect(await code({ target: 3000, access: ["bearer"] })).toBe("expose-access-invalid");
    const bare = await Agent.start({}, "legacy", CLAUDE);
    expect((await bare.refused("expose_start", { mcp: "store" })).code).toBe("mcp-servers-unset");
  });
});

describe("a hostile MCP server behind a public address", () => {
  it("that ends in the middle of an answer is told to each that waits, and is there again", async () => {
    const { started } = await exposed("both");
    const [waits, ends] = await Promise.all([call(started, "wait", { ms: 60_000 }), call(started, "exit")]);
    expect(waits.text).toContain("has ended");
    expect(ends.text).toContain("has ended");
    expect((await call(started, "search_books", { q: "again" })).text).toContain("found again");
  });

  it("whose line has no end is ended, in bounded memory", async () => {
    const { started, agent, pids } = await exposed("endless");
    expect((await call(started, "echo")).text).toContain("has no end");
    await gone(pids()[0] ?? 0);
    if (process.platform !== "linux") return;
    const status = readFileSync(`/proc/${agent.pid ?? 0}/status`, "utf8");
    expect(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(400 * 1024);
  });

  it("whose answer is too large is refused for that call alone", async () => {
    const { started, pids } = await exposed("both");
    expect((await call(started, "big", { chars: 9_000_000 })).text).toContain("too large");
    expect((await call(started, "big", { chars: 2_000_000 })).text.length).toBeGreaterThan(2_000_000);
    expect(pids()).toHaveLength(1);
  });

  it.runIf(process.platform !== "win32")(
    "that forks leaves nothing behind a server killed with -9",
    async () => {
      const { agent, started, pids } = await exposed("forks");
      expect((await call(started, "echo")).status).toBe(200);
      expect(pids()).toHaveLength(2);
      process.kill(agent.pid ?? 0, "SIGKILL");
      await Promise.all(pids().map(gone));
    },
  );
});

describe("expose --mcp in a terminal", () => {
  function run(
    args: readonly string[],
    env: Record<string, string>,
  ): { child: ChildProcess; out: () => string; err: () => string } {
    const child = spawn(NODE, [BUNDLE, "expose", ...args], {
      env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += String(chunk)));
    child.stderr.on("data", (chunk) => (err += String(chunk)));
    ends.push(() => child.kill());
    return { child, out: () => out, err: () => err };
  }

  it("shows what to paste into which client, and each request; Ctrl-C ends the server too", async () => {
    const { env, pids } = servers("both");
    const { child, out } = run(["--mcp", "store", "--tool", "search_*", "--transport", "direct"], env);
    await until("it is open", () => out().includes("Requests are shown here"));
    const publicUrl = /http:\/\/\S+\/mcp/.exec(out())?.[0] ?? "";
    const bearer = /Bearer ([\w-]{32})/.exec(out())?.[1] ?? "";
    expect(out()).toContain(lineOf(publicUrl, bearer));
    expect(out()).toContain("[mcp_servers.mcp-store]");
    expect(out()).toContain("Clients can call search_books, search_people.");
    const client = await clientOf({ publicUrl, access: { bearer } });
    await client.callTool({ name: "search_books", arguments: { q: "sea" } });
    await until("the request is shown", () => /POST +200.*\/mcp +bearer token/.test(out()));
    child.kill("SIGINT");
    await once(child, "exit");
    await Promise.all(pids().map(gone));
  });

  it("refuses words that do not go together, with 2", async () => {
    const { env } = servers("both");
    for (const [args, why] of [
      [["3000", "--mcp", "store"], "--mcp names an MCP server"],
      [["3000", "--tool", "x"], "--tool goes with --mcp"],
      [["3000", "--per-session"], "--per-session goes with --mcp"],
      [["--mcp", "store", "--access", "claim"], "bearer"],
    ] as const) {
      const { child, err } = run([...args, "--transport", "direct"], env);
      expect(await once(child, "close")).toEqual([2, null]);
      expect(err()).toContain(why);
    }
  });
});
