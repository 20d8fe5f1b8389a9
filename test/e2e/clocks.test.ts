import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { Agent, closeAgents, pair } from "../support/agent.ts";

const folder = mkdtempSync(join(tmpdir(), "tunnel-clocks-"));
afterEach(closeAgents);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The environment of a process whose clock is ahead by so much. */
function ahead(ms: number): Record<string, string> {
  const file = join(folder, `ahead${ms}.cjs`);
  writeFileSync(file, `const now = Date.now; Date.now = () => now() + ${ms};`);
  return { NODE_OPTIONS: `--require ${JSON.stringify(file)}` };
}

describe.each([
  ["two hours ahead", 7_200_000],
  ["two hours behind", -7_200_000],
  ["a year ahead", 365 * 86_400_000],
])("a host whose clock is %s", (_, ms) => {
  it("is shown with its skew, as its guest is to it, and its words are no older than they are", async () => {
    const [host, guest] = [await Agent.start(ahead(ms)), await Agent.start()];
    await pair(host, guest);
    await host.call("tunnel_say", { text: "just said" });
    const { messages = [] } = await guest.call("tunnel_listen", { timeoutMs: 5_000 });
    expect(messages.length).toBeGreaterThan(0);
    for (const { ageSec } of messages) {
      expect(ageSec).toBeGreaterThanOrEqual(0);
      expect(ageSec).toBeLessThan(20);
    }
    const skewSeenBy = async (agent: Agent) => {
      const { structuredContent } = await agent.client.callTool({ name: "tunnel_status", arguments: {} });
      const members = (structuredContent as { members: { isSelf: boolean; clockSkewSec?: number }[] })
        .members;
      return members.find(({ isSelf }) => !isSelf)?.clockSkewSec;
    };
    expect(Math.abs(((await skewSeenBy(guest)) ?? 0) - ms / 1_000)).toBeLessThan(10);
    expect(Math.abs(((await skewSeenBy(host)) ?? 0) + ms / 1_000)).toBeLessThan(10);
  });
});

it("a clock that is right is not spoken of", async () => {
  const [host, guest] = [await Agent.start(), await Agent.start(ahead(20_000))];
  await pair(host, guest);
  for (const agent of [host, guest]) {
    const { structuredContent } = await agent.client.callTool({ name: "tunnel_status", arguments: {} });
    expect(JSON.stringify(structuredContent)).not.toContain("clockSkew");
  }
});
