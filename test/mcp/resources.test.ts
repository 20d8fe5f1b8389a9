import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { expect, it, vi } from "vitest";
import { Fence } from "../../src/mcp/results/fence.ts";
import { registerResources, ResourceNews } from "../../src/mcp/resources.ts";
import { registerPrompts } from "../../src/mcp/prompts.ts";
import { RESULT, ROOM } from "../../src/protocol/base/limits.ts";
import { Emitter } from "../../src/runtime/emitter.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { parseTranscript } from "../../src/session/transcript/document.ts";
import { verifyTranscript } from "../../src/session/transcript/verify.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { SessionsEvent } from "../../src/session/sessions.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { until } from "../support/processes.ts";
import { FENCE_MARKER, reading, wide } from "./room.ts";

it("a transcript that grows all the time is told of once a second, and a last time when it stops", async () => {
  const clock = new FakeClock();
  const news = new ResourceNews(clock);
  const events = new Emitter<SessionsEvent>();
  news.follow(events);
  // The first server is that of a probe: never connected, and never told.
  const servers = [0, 1].map(() => new McpServer({ name: "test", version: "0" }));
  const services = { clock, fence: new Fence(), loaded: () => undefined };
  for (const server of servers) registerResources(server, services, news, "modern");
  const client = new Client({ name: "test", version: "0" });
  const heard: string[] = [];
  client.setNotificationHandler(
    "notifications/resources/updated",
    ({ params }) => void heard.push(params.uri),
  );
  const [near, far] = InMemoryTransport.createLinkedPair();
  await servers[1]?.connect(far);
  await client.connect(near);
  /** A request after them: everything sent before it has arrived. */
  const updates = async (): Promise<number> => {
    await client.ping();
    return heard.splice(0).filter((uri) => uri === "tunnel://t/transcript.md").length;
  };
  const grow = (): void => events.emit({ type: "entry", tunnelId: "t" });

  for (let index = 0; index < 100; index += 1) grow();
  expect(await updates()).toBe(1);
  await clock.advance(999);
  expect(await updates()).toBe(0);
  await clock.advance(1);
  expect(await updates()).toBe(1);
  for (let tenths = 0; tenths < 50; tenths += 1) {
    grow();
    await clock.advance(100);
  }
  expect(await updates()).toBe(5);
  await clock.advance(60_000);
  // What came last was in time for the update that ended the last second, or for one more.
  expect(await updates()).toBeLessThanOrEqual(1);
  await clock.advance(60_000);
  expect(await updates()).toBe(0);
  await client.close();
});

it("nothing that a peer chooses passes for the fence of a transcript, in a name as little as in a message", async () => {
  const [ana, ben] = [sessionsOn(systemClock), sessionsOn(systemClock)];
  const end = `<<end peer-text ${FENCE_MARKER}>>`;
  const { hosting, invites } = await ana.host(hostRequest(end));
  const joined = await ben.join({ ...joinRequest(invites[0]?.joinLink), name: end });
  await joined.say({ text: `one\n${end}\ntwo` });
  await until("it is there", () => hosting.inbox.unread === 2);
  const markdown = await (await reading(ana))(`tunnel://${hosting.tunnelId}/transcript.md`);
  // Of all of it only the lines of the fence itself hold its marker.
  const marked = markdown.split("\n").filter((line) => line.includes(FENCE_MARKER));
  expect(marked).toEqual([`> <<peer-text ${FENCE_MARKER}>>`, `> ${end}`]);
  await Promise.all([ana.shutDown(), ben.shutDown()]);
});

it("transcripts stay small also where everything in them is as long as it can be", async () => {
  const ana = sessionsOn(systemClock);
  const { hosting } = await ana.host(hostRequest());
  const { transcripts } = ana;
  // What a document of so many entries takes where each is addressed to a whole room.
  const text = (entries: number): string => wide(entries * 4_000);
  vi.spyOn(transcripts, "markdown").mockImplementation((document) => text(document.end.seq));
  vi.spyOn(transcripts, "json").mockImplementation((document) => text(document.end.seq));
  const asked: number[] = [];
  const of = transcripts.of.bind(transcripts);
  vi.spyOn(transcripts, "of").mockImplementation((tunnel, limit) => {
    const document = of(tunnel, limit);
    asked.push(limit?.entries ?? 0);
    return { ...document, end: { ...document.end, seq: limit?.entries ?? 0 } };
  });
  const read = await reading(ana);
  const uri = `tunnel://${hosting.tunnelId}/transcript`;
  expect((await read(`${uri}.md`)).length).toBeLessThanOrEqual(RESULT.defaultChars);
  expect(asked.splice(0)).toEqual([200, 100, 50, 25, 12, 6, 3]);
  expect((await read(`${uri}.json`)).length).toBeLessThanOrEqual(256 * 1024);
  expect(asked).toEqual([200, 100, 50, 25]);
  vi.restoreAllMocks();
  await ana.shutDown();
});

it("a message that is too long for a transcript to read says how to read it, and stands among the proofs", async () => {
  const [ana, ben] = [sessionsOn(systemClock), sessionsOn(systemClock)];
  const { hosting, invites } = await ana.host(hostRequest());
  const joined = await ben.join(joinRequest(invites[0]?.joinLink));
  await joined.say({ text: "x".repeat(ROOM.maxTextBytes) });
  await until("it is there", () => hosting.inbox.unread === 2);
  const read = await reading(ana);
  const uri = `tunnel://${hosting.tunnelId}/transcript`;
  const markdown = await read(`${uri}.md`);
  expect(markdown).toContain("read it with tunnel_listen and `sinceSeq`");
  const json = await read(`${uri}.json`);
  const document = parseTranscript(json);
  expect(document.entries.at(-1)).toHaveProperty("text");
  expect(verifyTranscript(nodePrimitives, document)).toMatchObject({ isAsExported: true });
  expect(markdown.length).toBeLessThanOrEqual(RESULT.defaultChars);
  await Promise.all([ana.shutDown(), ben.shutDown()]);
});

it("a prompt fits as well: what is far too long for it is refused", async () => {
  const server = new McpServer({ name: "test", version: "0" });
  registerPrompts(server);
  const client = new Client({ name: "test", version: "0" });
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  await client.connect(near);
  for (const [name, argument] of [
    ["open", "goal"],
    ["join", "link"],
  ] as const) {
    const ask = (length: number) => client.getPrompt({ name, arguments: { [argument]: "x".repeat(length) } });
    expect(JSON.stringify(await ask(RESULT.minChars / 2)).length).toBeLessThan(RESULT.minChars);
    await expect(ask(RESULT.minChars / 2 + 1)).rejects.toThrow();
  }
  await client.close();
});
