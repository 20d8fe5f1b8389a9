import { truncateSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { closeAgents, pair, unfenced, type Agent, type Era, type Payload } from "../support/agent.ts";
import { until } from "../support/processes.ts";
import { meet, put, worker } from "../support/files/file-agents.ts";

afterEach(closeAgents);

const GIB = 1024 ** 3;

async function two(env: Record<string, string> = {}, era: Era = "legacy"): Promise<[Agent, Agent]> {
  const [ana, ben] = await Promise.all([worker("ana"), worker("ben", env, era)]);
  await pair(ana, ben);
  return [ana, ben];
}

/** What is unread, in as many answers as it takes, each within the limit. */
async function heard(agent: Agent, limit: number): Promise<Payload[]> {
  const answers: Payload[] = [];
  do {
    const { content } = await agent.result("tunnel_status");
    expect(content).toHaveLength(1);
    const answer = await agent.call("tunnel_listen", { timeoutMs: 5_000 });
    expect(JSON.stringify(answer).length).toBeLessThanOrEqual(limit);
    answers.push(answer);
  } while (answers.at(-1)?.more === true);
  return answers;
}

describe("a message as long as it can be", () => {
  const lines = Array.from({ length: 2_000 }, (_, line) => `${line}: grüße, "日本", 👨‍👩‍👧‍👦`).join("\n");
  const text = lines.slice(0, lines.lastIndexOf("\n", 38_500));

  it.each<[string, Record<string, string>, Era, number]>([
    ["by default", {}, "legacy", 40_000],
    ["in the modern era", {}, "modern", 40_000],
    ["with a limit that the human has set", { TUNNEL_RESULT_LIMIT: "10000" }, "legacy", 10_000],
  ])(
    "reaches the other side in parts that fit, %s, and is read with the last of them",
    async (_, env, era, limit) => {
      const [ana, ben] = await two(env, era);
      const { seq } = await ana.call("tunnel_say", { text });
      const answers = await heard(ben, limit);
      const parts = answers.flatMap(({ messages = [] }) => messages.filter((one) => one.seq === seq));
      expect(parts.length).toBeGreaterThan(1);
      expect(parts.map(({ text: part }) => unfenced(part)).join("")).toBe(text);
      for (const { text: part } of parts)
        expect(part).toMatch(/^<<peer-text \w+>>\n[^]*\n<<end peer-text \w+>>$/);
      // Read by ben only now: the call after the last part says so.
      await ben.call("tunnel_status");
      await until("ana is told that it is read", async () => {
        const [, reader] = (await ana.call("tunnel_status")).members ?? [];
        return reader !== undefined && reader.readSeq >= (seq ?? 0);
      });
    },
  );

  it("comes with the answer of tunnel_say as well, and its rest with tunnel_listen", async () => {
    const [ana, ben] = await two();
    await ana.call("tunnel_say", { text });
    const said = await ben.call("tunnel_say", { text: "and you?", waitMs: 5_000 });
    expect(JSON.stringify(said).length).toBeLessThanOrEqual(40_000);
    expect(said.next).toContain("part 1 of 2");
    const [first] = said.messages?.slice(-1) ?? [];
    const { messages: [second] = [] } = await ben.call("tunnel_listen");
    expect(unfenced(first?.text ?? "") + unfenced(second?.text ?? "")).toBe(text);
  });
});

it("a very large file is answered in time with how far it is, at a pace that a client can take, and ends with the tunnel", async () => {
  const [ana, ben] = await Promise.all([worker("ana", { TUNNEL_ANSWER_SECONDS: "1" }), worker("ben")]);
  await meet(ana, ben);
  truncateSync(put(ana, "disk.img", ""), 64 * GIB);
  const told: number[] = [];
  const began = Date.now();
  const shared = await ana.call(
    "tunnel_share",
    { path: "disk.img" },
    { onprogress: () => told.push(Date.now()) },
  );
  expect(Date.now() - began).toBeLessThan(8_000);
  expect(shared).toMatchObject({
    status: "preparing",
    path: "disk.img",
    size: 64 * GIB,
    done: expect.any(Number),
  });
  expect(told.length).toBeGreaterThan(0);
  expect(told.length).toBeLessThanOrEqual(4 * Math.ceil((Date.now() - began) / 1_000));
  const again = await ana.call("tunnel_share", { path: "./disk.img" });
  expect(again).toMatchObject({ status: "preparing" });
  expect(again["done"]).toBeGreaterThan(Number(shared["done"]));
  expect((await ana.call("tunnel_status")).files).toBeDefined();
  expect(await ana.call("tunnel_close")).toMatchObject({ status: "closed" });
});
