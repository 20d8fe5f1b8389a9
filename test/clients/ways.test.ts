import { afterEach, describe, expect, it } from "vitest";
import { Agent, closeAgents } from "../support/agent.ts";
import { type ClientName, codingAgents, type CodingAgent, type Run, type RunOptions } from "./agents.ts";
import { call, type Conversation, field, scripted } from "./scripts.ts";

/** What docs/FILES.md and docs/WAKING.md say of each client, tried with the client itself. */

const agents = codingAgents().filter(({ isThere }) => isThere);
const allOf = (name: ClientName): readonly CodingAgent[] => agents.filter((agent) => agent.name === name);
const is = (agent: CodingAgent, version: string): boolean =>
  agent.version.localeCompare(version, "en", { numeric: true }) >= 0;

let runs: Run[] = [];
afterEach(async () => {
  await Promise.all(runs.map((run) => run.stop()));
  runs = [];
  await closeAgents();
});

async function run(agent: CodingAgent, options: RunOptions): Promise<Run> {
  const one = await agent.start(options);
  runs.push(one);
  return one;
}

/** The answers to these calls, one after the other, as the model is shown them. */
async function answers(agent: CodingAgent, moves: Conversation, options: Partial<RunOptions> = {}) {
  const one = await run(agent, { script: scripted(moves), ...options });
  await one.ended();
  return one.model.turns.at(-1)?.results ?? [];
}

/** A call that would save a file. Where the client lets it through, the server misses the tunnel. */
async function* receiving(): Conversation {
  yield call("tunnel_receive", { fileId: "unknown", name: "a.txt", from: "ben", savePath: "/a.txt" });
}
const ASKED = { more: { flags: ["--dangerously-skip-permissions"] } };
const PASSED = /no-tunnel/;

describe("before a file is saved", () => {
  for (const agent of allOf("claude")) {
    if (is(agent, "2.1.199")) {
      it(`${agent.label} asks, whatever it has been allowed, and without a person only says so`, async () => {
        for (const options of [ASKED, { isAllowed: true }, {}])
          expect(await answers(agent, receiving(), options)).toEqual(["MCPTool requires permission."]);
      });
    } else {
      it(`${agent.label} would not ask, and is refused`, async () => {
        for (const options of [ASKED, { isAllowed: true }])
          expect(await answers(agent, receiving(), options)).toEqual([
            expect.stringContaining("client-asks-nobody"),
          ]);
      });
    }
    it(`${agent.label} lets it through where its human has said so in both places`, async () => {
      const settings = { TUNNEL_UNATTENDED: "true" };
      const more = { flags: ["--allowedTools", "mcp__tunnel__tunnel_status", "mcp__tunnel__tunnel_receive"] };
      expect(await answers(agent, receiving(), { settings, more })).toEqual([expect.stringMatching(PASSED)]);
      expect(await answers(agent, receiving(), { settings })).toEqual([
        expect.stringContaining("haven't granted it yet"),
      ]);
    });
  }

  for (const agent of allOf("codex"))
    it(`${agent.label} refuses without a person, unless it asks for nothing at all`, async () => {
      expect(await answers(agent, receiving())).toEqual([
        expect.stringContaining("requires approval, but approval policy is never"),
      ]);
      expect(await answers(agent, receiving(), { isAllowed: true })).toEqual([expect.stringMatching(PASSED)]);
    });

  for (const agent of allOf("gemini"))
    it(`${agent.label} offers no tool without a person, unless it is allowed`, async () => {
      expect(await answers(agent, receiving())).toEqual([]);
      expect(await answers(agent, receiving(), { isAllowed: true })).toEqual([expect.stringMatching(PASSED)]);
    });

  for (const agent of allOf("opencode"))
    it(`${agent.label} does not ask, unless its configuration says so`, async () => {
      expect(await answers(agent, receiving())).toEqual([expect.stringMatching(PASSED)]);
      const more = { config: { permission: { tunnel_tunnel_receive: "ask" } } };
      const one = await run(agent, { script: scripted(receiving()), more });
      await one.ended();
      expect(one.story).toContain("permission requested: tunnel_tunnel_receive");
    });

  for (const agent of allOf("copilot"))
    it(`${agent.label} refuses without a person, unless the tool is allowed`, async () => {
      expect(await answers(agent, receiving())).toEqual([expect.stringContaining("Permission denied")]);
      const more = { flags: ["--allow-tool", "tunnel(tunnel_receive)"] };
      expect(await answers(agent, receiving(), { more })).toEqual([expect.stringMatching(PASSED)]);
    });
});

describe("where something is held (H27)", () => {
  async function* saying(): Conversation {
    yield call("tunnel_open", { goal: "wait for somebody" });
    yield call("tunnel_say", { text: "hello" });
  }

  for (const agent of agents)
    it(`${agent.label} without a person does not let it go`, async () => {
      const settings = { TUNNEL_GATES: "hold-out" };
      const [, said = ""] = await answers(agent, saying(), { isAllowed: true, settings });
      expect(field(said, "status")).toBe("held");
    });
});

describe("waiting", () => {
  async function* asking(): Conversation {
    yield call("tunnel_open", { goal: "wait for somebody" });
    yield call("tunnel_status");
  }

  for (const agent of agents) {
    const isWoken = agent.name === "copilot" || (agent.name === "claude" && is(agent, "2.1.332"));
    it(`${agent.label} is told that ${isWoken ? "a command" : "nothing"} wakes it`, async () => {
      const [, status = ""] = await answers(agent, asking(), { isAllowed: true });
      expect(field(status, "by")).toBe(isWoken ? "command" : "human");
      expect(/"command\\*":/.test(status)).toBe(isWoken);
    });

    if (isWoken)
      it(`${agent.label} is woken by that command after its turn has ended`, async () => {
        const peer = await Agent.start();
        let told: (link: string) => void = () => undefined;
        const link = new Promise<string>((resolve) => (told = resolve));
        async function* sleeping(): Conversation {
          const opened = yield call("tunnel_open", { goal: "be woken", name: "ana" });
          const status = yield call("tunnel_status");
          const { tool, args } = agent.background(field(status, "command"));
          yield call(tool, args);
          told(field(opened, "joinLink"));
        }
        const one = await run(agent, { script: scripted(sleeping()), isAllowed: true });
        // Only after the turn has ended: the end of the command must begin another one.
        const joined = link.then(async (joinLink) => {
          await new Promise((resolve) => void setTimeout(resolve, 4_000));
          const before = one.model.turns.length;
          await peer.call("tunnel_join", { joinLink });
          return before;
        });
        const [before] = await Promise.all([joined, one.ended()]);
        expect(one.model.turns.length, one.story).toBeGreaterThan(before);
      });
  }

  for (const agent of allOf("claude"))
    it(`${agent.label} takes the older revision of MCP where a channel was asked for`, async () => {
      const settings = { TUNNEL_CHANNEL: "on" };
      const [, status = ""] = await answers(agent, asking(), { isAllowed: true, settings });
      expect(field(status, "channel")).toMatch(/^declared/);
    });
});
