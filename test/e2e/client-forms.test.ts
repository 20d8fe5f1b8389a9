import { afterEach, describe, expect, it } from "vitest";
import { Agent, closeAgents, type DrawsForms, type Era, pair } from "../support/agent.ts";

const CLAUDE = { name: "claude-code", version: "2.1.332" };
const HOLD = { TUNNEL_GATES: "hold-out" };
const SECRET = ["sk_live", "4eC39HqLyjWDarjtT1zdp7dc"].join("_");

afterEach(closeAgents);

interface Setting {
  readonly env?: Record<string, string>;
  readonly era?: Era;
  readonly as?: { name: string; version: string };
  readonly draws?: boolean;
}

/** A host whose client draws forms, a guest, and what stood on the forms. */
async function room(answer: DrawsForms, { env = HOLD, era = "modern", as = CLAUDE }: Setting = {}) {
  const shown: string[] = [];
  const ask: DrawsForms = (message) => {
    shown.push(message);
    return answer(message);
  };
  const host = await Agent.start(env, era, as, ask);
  const guest = await Agent.start();
  await pair(host, guest);
  return { host, guest, shown };
}

const decided =
  (decision: unknown): DrawsForms =>
  () => ({ action: "accept", content: { decision: String(decision) } });

/** What the guest has been told, without who came and went. */
const heard = async (guest: Agent): Promise<string[]> => {
  const { messages = [] } = await guest.call("tunnel_listen", { timeoutMs: 300 });
  return messages.filter(({ kind }) => kind === "chat").map(({ text }) => text);
};

describe("a form of the client (H10, H27)", () => {
  it("shows what would leave, and sends it once a person approves", async () => {
    const { host, guest, shown } = await room(decided("approve"));
    const said = await host.call("tunnel_say", { text: "the door\u202E is open" });
    expect(said).toMatchObject({ status: "approved", askId: 1 });
    expect(shown).toHaveLength(1);
    expect(shown[0]).toMatch(/^Ask 1 of tunnel-mcp: .*you want to see each message before it leaves\./);
    expect(shown[0]).toContain("| the door");
    expect(shown[0]).not.toContain("\u202E");
    expect((await guest.hear()).map(({ text }) => text)).toEqual([
      expect.stringContaining("the door is open"),
    ]);
    const { messages = [] } = await host.call("tunnel_listen", { timeoutMs: 2_000 });
    expect(JSON.stringify(messages)).toContain("approved");
  });

  it("sends nothing that a person refuses, and the agent may not try again", async () => {
    const { host, guest } = await room(decided("refuse"));
    expect(await host.call("tunnel_say", { text: "no" })).toMatchObject({ status: "refused", askId: 1 });
    expect(await heard(guest)).toEqual([]);
  });

  it("never shows the value of a secret", async () => {
    const { host, shown } = await room(decided("refuse"), { env: {} });
    expect(await host.call("tunnel_say", { text: `key ${SECRET}` })).toMatchObject({ status: "refused" });
    expect(shown[0]).toContain("Found: ");
    expect(shown[0]).not.toContain(SECRET.slice(12));
  });

  const answers: readonly (readonly [string, DrawsForms])[] = [
    ["declined", () => ({ action: "decline" })],
    ["dismissed", () => ({ action: "cancel" })],
    ["accepted empty", () => ({ action: "accept", content: {} })],
    ["accepted without content", () => ({ action: "accept" })],
    ["accepted with another word", decided("yes")],
    ["accepted with a yes in another field", () => ({ action: "accept", content: { approve: true } })],
    ["declined with a choice", () => ({ action: "decline", content: { decision: "approve" } })],
  ];
  it("takes a form that was answered in any other way for no decision", async () => {
    let answer: DrawsForms = decided("yes");
    const { host, guest, shown } = await room((message) => answer(message));
    for (const [at, [how, given]] of answers.entries()) {
      answer = given;
      // What the client itself does not let through never comes back, which is no decision either.
      const said = await host.result("tunnel_say", { text: `it was ${how}` }).catch(() => undefined);
      if (said !== undefined) expect(said.structuredContent).toMatchObject({ status: "held", askId: at + 1 });
      expect(shown).toHaveLength(at + 1);
    }
    expect(await heard(guest)).toEqual([]);
    // All of them wait as before, and in order: what is approved now stays behind them.
    answer = decided("approve");
    expect(await host.call("tunnel_say", { text: "last" })).toMatchObject({ status: "approved" });
    expect(await heard(guest)).toEqual([]);
  });

  it.each<readonly [string, Setting]>([
    ["an older version", { as: { name: "claude-code", version: "2.1.331" } }],
    ["another client", { as: { name: "codex-mcp-client", version: "9.9.9" } }],
    ["a version that is none", { as: { name: "claude-code", version: "newest" } }],
    ["the 2025 era", { era: "legacy" }],
    ["a client that draws none", { draws: false }],
  ])("is not put up in %s", async (_, { draws = true, ...setting }) => {
    const shown: string[] = [];
    const { env = HOLD, era = "modern", as = CLAUDE } = setting;
    const ask: DrawsForms = (message) => {
      shown.push(message);
      return { action: "accept", content: { decision: "approve" } };
    };
    const host = await Agent.start(env, era, as, draws ? ask : undefined);
    await host.call("tunnel_open", { goal: "alone" });
    expect(await host.call("tunnel_say", { text: "hello" })).toMatchObject({ status: "held", askId: 1 });
    expect(shown).toEqual([]);
  });

  it("is not put up for what does not fit on it, and not for a budget", async () => {
    const { host, shown } = await room(decided("approve"), {
      env: { ...HOLD, TUNNEL_BUDGETS: "messages=1" },
    });
    expect(await host.call("tunnel_say", { text: "line\n".repeat(40) })).toMatchObject({ status: "held" });
    expect(await host.call("tunnel_say", { text: "x".repeat(2_000) })).toMatchObject({ status: "held" });
    expect(shown).toEqual([]);
    const other = await room(decided("approve"), { env: { TUNNEL_BUDGETS: "messages=1" } });
    await other.host.call("tunnel_say", { text: "one" });
    expect(await other.host.call("tunnel_say", { text: "two" })).toMatchObject({
      status: "held",
      gates: ["budget"],
    });
    expect(other.shown).toEqual([]);
  });
});
