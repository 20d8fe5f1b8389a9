import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, closeAgents, type Payload } from "../support/agent.ts";
import { listing, put, read, worker } from "../support/files/file-agents.ts";
import { until } from "../support/processes.ts";

/** A client that dispatches every call twice, and one whose calls are cut off. */
let host: Agent;
let guest: Agent;
beforeAll(async () => {
  [host, guest] = await Promise.all([worker("ana"), worker("ben")]);
});
afterAll(closeAgents);

/** The same call twice: both answers, of which the second names the first and is the same otherwise. */
async function twice(agent: Agent, tool: string, args: Record<string, unknown>): Promise<Payload> {
  const [first, second] = await Promise.all([agent.call(tool, args), agent.call(tool, args)]);
  const { repeatOf, ...rest } = second;
  expect(repeatOf).toEqual(expect.any(Number));
  expect(first).not.toHaveProperty("repeatOf");
  expect(rest).toEqual(first);
  return first;
}

const own = z.array(
  z.strictObject({
    seq: z.number().optional(),
    ownNo: z.number().optional(),
    firstWords: z.string(),
    kind: z.enum(["chat", "file"]),
    state: z.string(),
    ageSec: z.number(),
  }),
);
const ownOf = async (agent: Agent) => own.parse((await agent.call("tunnel_status"))["ownMessages"]);

describe("a client that dispatches every call twice", () => {
  it("has every effect once: one tunnel, invite, member, message, offer, file and end", async () => {
    const { joinLink } = await twice(host, "tunnel_open", { goal: "once" });
    expect((await host.call("tunnel_status")).tunnels).toBeUndefined();
    await twice(host, "tunnel_invite", {});
    expect((await host.call("tunnel_status"))["pendingInvites"]).toHaveLength(2);
    await twice(guest, "tunnel_join", { joinLink });
    await twice(host, "tunnel_say", { text: "said once", intent: "request" });
    put(host, "a.txt", "content");
    const { fileId } = await twice(host, "tunnel_share", { path: "a.txt" });
    const kinds: string[] = [];
    while (!kinds.includes("file"))
      kinds.push(...((await guest.call("tunnel_listen")).messages ?? []).map(({ kind }) => kind));
    expect(kinds).toEqual(["chat", "file"]);
    await twice(guest, "tunnel_receive", { fileId, savePath: "b.txt" });
    expect(read(guest, "b.txt").toString()).toBe("content");
    await twice(guest, "tunnel_status", { saveTranscript: "talk" });
    expect(listing(guest)).toEqual(["b.txt", "talk.transcript.json", "talk.transcript.md"]);
    expect(await ownOf(host)).toMatchObject([
      { seq: 2, firstWords: "said once", kind: "chat", state: "sent" },
      { seq: 3, firstWords: "a.txt", kind: "file", state: "sent" },
    ]);
  });

  it("is understood also where it writes the same arguments in other forms", async () => {
    const answers = await Promise.all([
      guest.call("tunnel_say", { text: "in two forms", replyTo: 2, to: ["ana"] }),
      guest.call("tunnel_say", { to: "ana", replyTo: "2", text: "in two forms", waitMs: null }),
    ]);
    expect(answers.map(({ seq }) => seq)).toEqual([answers[0]?.seq, answers[0]?.seq]);
    expect(answers[1]).toHaveProperty("repeatOf");
    expect(await host.hear()).toMatchObject([{ text: expect.stringContaining("in two forms") }]);
  });

  it("says what differs in one argument as a message of its own", async () => {
    const text = "nearly the same";
    const others = [{}, { intent: "inform" }, { replyTo: 2 }, { replyTo: 3 }, { to: ["ana"] }];
    const answers = await Promise.all(others.map((other) => guest.call("tunnel_say", { text, ...other })));
    expect(new Set(answers.map(({ seq }) => seq)).size).toBe(others.length);
    for (const answer of answers) expect(answer).not.toHaveProperty("repeatOf");
    expect(await host.hear(others.length)).toHaveLength(others.length);
  });

  it("hears the same batch twice, and nothing is lost when one of its calls is cancelled", async () => {
    await host.call("tunnel_say", { text: "there already" });
    await until("it is there", async () => (await guest.call("tunnel_status")).unread === 1);
    const there = await twice(guest, "tunnel_listen", { timeoutMs: 20_000 });
    expect(there.messages).toMatchObject([{ text: expect.stringContaining("there already") }]);

    const abort = new AbortController();
    const first = guest
      .call("tunnel_listen", { timeoutMs: 20_000 }, { signal: abort.signal })
      .catch(() => "cut");
    const second = guest.call("tunnel_listen", { timeoutMs: 20_000 });
    await guest.call("tunnel_status");
    abort.abort();
    expect(await first).toBe("cut");
    await host.call("tunnel_say", { text: "comes later" });
    expect((await second).messages).toMatchObject([{ text: expect.stringContaining("comes later") }]);
    // The answer has arrived, so it does not come again.
    expect(await guest.call("tunnel_listen", { timeoutMs: 0 })).toMatchObject({ messages: [], unread: 0 });
  });

  it("gets an error twice, and a new try after it", async () => {
    const refused = () => host.refused("tunnel_say", { text: "x", to: ["dora"] });
    expect(await refused()).toMatchObject({ code: "member-unknown" });
    const again = await host.result("tunnel_say", { text: "x", to: ["dora"] });
    expect(again.structuredContent).not.toHaveProperty("repeatOf");
  });
});

describe("a call that was cut off by the client", () => {
  it("and is made again says nothing twice, and waits for the answer as before", async () => {
    const args = { text: "which port?", intent: "request", waitMs: 20_000 };
    await expect(host.call("tunnel_say", args, { timeout: 400 })).rejects.toThrow();
    // The client has told of it by the time of its next call.
    expect((await ownOf(host)).at(-1)).toMatchObject({ firstWords: "which port?", state: "sent" });
    const [asked] = await guest.hear();
    const again = host.call("tunnel_say", args);
    await guest.call("tunnel_say", { text: "8080", replyTo: asked?.seq });
    const answer = await again;
    expect(answer).toMatchObject({ status: "sent", seq: asked?.seq, repeatOf: expect.any(Number) });
    expect(answer.messages).toMatchObject([{ text: expect.stringContaining("8080") }]);
    await host.call("tunnel_say", { text: "thanks" });
    expect(await guest.hear()).toMatchObject([{ text: expect.stringContaining("thanks") }]);
  });

  it("and is not made again can be found by its first words", async () => {
    const words = (await ownOf(host)).map(({ firstWords }) => firstWords);
    expect(words).toHaveLength(5);
    expect(words.slice(-2)).toEqual(["which port?", "thanks"]);
  });
});

describe("tunnel_listen with sinceSeq", () => {
  it("answers at once with what is there, and waits where nothing is and a time is given", async () => {
    const { seq = 0 } = await host.call("tunnel_say", { text: "the last so far" });
    await guest.hear();
    expect(
      (await guest.call("tunnel_listen", { sinceSeq: seq - 1, timeoutMs: 20_000 })).messages,
    ).toHaveLength(1);
    expect(await guest.call("tunnel_listen", { sinceSeq: seq })).toMatchObject({ messages: [] });
    const waiting = guest.call("tunnel_listen", { sinceSeq: seq, timeoutMs: 20_000 });
    await host.call("tunnel_say", { text: "and one more" });
    const { messages, unread } = await waiting;
    expect(messages).toMatchObject([{ text: expect.stringContaining("and one more") }]);
    // The reading position stays.
    expect(unread).toBe(1);
    await guest.hear();
    const started = performance.now();
    expect(await guest.call("tunnel_listen", { sinceSeq: seq + 1, timeoutMs: "300" })).toMatchObject({
      messages: [],
    });
    expect(performance.now() - started).toBeGreaterThan(250);
  });

  it("says where a wait or a count was cut", async () => {
    await host.call("tunnel_say", { text: "at once" });
    const heard = await guest.call("tunnel_listen", { timeoutMs: 1e9, limit: 1_000 });
    expect(heard).toMatchObject({ waitedAtMostMs: 110_000, limitedTo: 200 });
    const listening = guest.call("tunnel_say", { text: "and you?", waitMs: "999999" });
    await host.hear();
    await host.call("tunnel_say", { text: "me, too" });
    expect(await listening).toMatchObject({ waitedAtMostMs: 110_000 });
    expect(await guest.call("tunnel_listen", { timeoutMs: 0 })).not.toHaveProperty("waitedAtMostMs");
  });
});

it("a tunnel that is opened, closed and opened again with the same words is another one", async () => {
  const agent = await Agent.start();
  const first = await agent.call("tunnel_open", { goal: "again" });
  await agent.call("tunnel_close");
  const second = await agent.call("tunnel_open", { goal: "again" });
  expect(second.tunnelId).not.toBe(first.tunnelId);
  expect(await agent.call("tunnel_close")).toMatchObject({ tunnelId: second.tunnelId, status: "closed" });
});

it("requests are read whatever a client writes for no arguments", async () => {
  const answers = await Promise.all(
    [null, "", [], "{}", {}, { arguments: null }].map((given) =>
      guest.client.request({
        method: "tools/call",
        params: { name: "tunnel_status", arguments: given },
      }),
    ),
  );
  for (const { isError, structuredContent } of answers) {
    expect(isError).toBeUndefined();
    expect(structuredContent).toMatchObject({ status: "open" });
  }
});
