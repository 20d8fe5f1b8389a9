import { spawn } from "node:child_process";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  Agent,
  BUNDLE,
  closeAgents,
  closeOtherSide,
  NODE,
  otherSide,
  pair,
  REVISION,
  sandbox,
  type Era,
} from "../support/agent.ts";
import { until } from "../support/processes.ts";

const ERAS = Object.keys(REVISION) as Era[];
const CLAUDE = { name: "claude-code", version: "2.1.332" };
const OLD_CLAUDE = { name: "claude-code", version: "2.1.198" };
const CODEX = { name: "codex-mcp-client", version: "0.171.0" };
const UNKNOWN = { name: "a client", version: "1.0" };

const wakeSchema = z.looseObject({
  wake: z.object({ by: z.string(), command: z.string().optional(), channel: z.string(), next: z.string() }),
});
const wakeOf = async (agent: Agent) => wakeSchema.parse(await agent.call("tunnel_status")).wake;

afterEach(closeAgents);
afterAll(closeOtherSide);

describe("receiving in a client that is known to ask nobody", () => {
  const FILE = { fileId: "unknown", name: "b.txt", from: "ben", savePath: "/b.txt" };

  async function refusedIn(program: { name: string; version: string }, env = {}, era: Era = "legacy") {
    const agent = await Agent.start(env, era, program);
    await pair(await otherSide(), agent);
    return agent.refused("tunnel_receive", FILE);
  }

  it.each(ERAS)("is refused with the reason and the ways out (%s)", async (era) => {
    const error = await refusedIn(OLD_CLAUDE, {}, era);
    expect(error).toMatchObject({ code: "client-asks-nobody", retryable: false });
    for (const way of ["2.1.199", "join", "TUNNEL_UNATTENDED=true"]) expect(error.next).toContain(way);
  });

  // Past that, what is missing is the file.
  it("goes on where its human has allowed it", async () => {
    expect((await refusedIn(OLD_CLAUDE, { TUNNEL_UNATTENDED: "1" })).code).toBe("file-unknown");
  });

  it.each([{ name: "claude-code", version: "2.1.199" }, CODEX, UNKNOWN])(
    "goes on in $name $version",
    async (program) => {
      expect((await refusedIn(program)).code).toBe("file-unknown");
    },
  );

  it("touches no other tool", async () => {
    const agent = await Agent.start({}, "legacy", OLD_CLAUDE);
    expect(await agent.call("tunnel_status")).toMatchObject({ status: "idle" });
  });
});

describe.each(ERAS)("waiting in the %s era", (era) => {
  it.each([
    { program: CLAUDE, env: {}, by: "command", says: /run wake\.command/, told: /what wake\.next .* says/ },
    {
      program: { name: "claude-code", version: "2.1.197" },
      env: { CLAUDE_CODE_ENTRYPOINT: "sdk-cli" },
      by: "human",
      says: /may end with your turn/,
      told: /the tunnel ends with your turn/,
    },
    { program: CODEX, env: {}, by: "human", says: /listen again/, told: /Nothing wakes you: listen again/ },
    { program: UNKNOWN, env: {}, by: "human", says: /listen again/, told: /Nothing wakes you: listen again/ },
  ])(
    "$program.name $program.version is told the same by every text",
    async ({ program, env, by, says, told }) => {
      const agent = await Agent.start(env, era, program);
      await pair(await otherSide(), agent);
      const wake = await wakeOf(agent);
      expect(wake.by).toBe(by);
      expect(wake.next).toMatch(says);
      await agent.call("tunnel_listen", { timeoutMs: 0 });
      const { next } = await agent.call("tunnel_listen", { timeoutMs: 0 });
      expect(next).toContain(wake.next);
      const instructions = agent.client.getInstructions() ?? "";
      expect(instructions).toMatch(told);
      expect(Buffer.byteLength(instructions)).toBeLessThanOrEqual(2_048);
      // A model that nothing wakes must be sent to sleep by none of them.
      if (by === "human")
        for (const text of [next, instructions]) expect(text).not.toMatch(/run wake|wake\.next/);
    },
  );
});

describe("a monitor", () => {
  const SESSION = { CLAUDE_CODE_SESSION_ID: "60d5" };

  it("that watches is what tunnel_status shows, with no command beside it, until it is gone", async () => {
    const agent = await Agent.start(SESSION, "legacy", CLAUDE);
    await pair(await otherSide(), agent);
    expect((await wakeOf(agent)).by).toBe("command");
    const watching = spawn(NODE, [BUNDLE, "wake", "--watch"], { env: agent.box.env, stdio: "ignore" });
    try {
      await until("it is seen", async () => (await wakeOf(agent)).by === "monitor");
      expect(await wakeOf(agent)).not.toHaveProperty("command");
      const { next } = await agent.call("tunnel_listen", { timeoutMs: 0, sinceSeq: 0 });
      expect(next ?? "").not.toContain("wake.command");
    } finally {
      watching.kill("SIGKILL");
    }
    await until("it is gone", async () => (await wakeOf(agent)).by === "command");
  });

  it("of the plugin counts before it has found the tunnel, and a plugin without one does not for long", async () => {
    const agent = await Agent.start({ CLAUDE_PLUGIN_ROOT: "/plugin" }, "legacy", CLAUDE);
    await pair(await otherSide(), agent);
    expect((await wakeOf(agent)).by).toBe("monitor");
    await until("nothing has come", async () => (await wakeOf(agent)).by === "command");
  });

  it.each([
    ["an older version runs none", { name: "claude-code", version: "2.1.197" }, {}],
    ["a session without a person runs none", CLAUDE, { CLAUDE_CODE_ENTRYPOINT: "sdk-cli" }],
  ])("%s", async (_, program, env) => {
    const agent = await Agent.start({ CLAUDE_PLUGIN_ROOT: "/plugin", ...env }, "legacy", program);
    await pair(await otherSide(), agent);
    expect((await wakeOf(agent)).by).not.toBe("monitor");
  });
});

describe("a channel that was asked for", () => {
  /** A client that takes the newer era where it is offered, as Claude Code does. */
  async function eraOf(program: { name: string; version: string }, env: Record<string, string>) {
    const box = sandbox(env);
    const client = new Client(program, { versionNegotiation: { mode: "auto" } });
    await client.connect(
      new StdioClientTransport({ command: NODE, args: [BUNDLE], env: box.env, cwd: box.root }),
    );
    try {
      const channel = client.getServerCapabilities()?.experimental?.["claude/channel"];
      const { tools } = await client.listTools();
      return { revision: client.getNegotiatedProtocolVersion(), channel, tools: tools.length > 0 };
    } finally {
      await client.close();
      box.remove();
    }
  }

  it("leads Claude Code to the older era, the only one in which it takes them", async () => {
    expect(await eraOf(CLAUDE, { TUNNEL_CHANNEL: "on" })).toEqual({
      revision: REVISION.legacy,
      channel: {},
      tools: true,
    });
  });

  it.each([
    ["a client that takes none", UNKNOWN, { TUNNEL_CHANNEL: "on" }],
    ["Claude Code where none was asked for", CLAUDE, {}],
  ])("leaves %s in the newer one", async (_, program, env) => {
    expect(await eraOf(program, env as Record<string, string>)).toEqual({
      revision: REVISION.modern,
      channel: undefined,
      tools: true,
    });
  });
});
