import { McpServer } from "@modelcontextprotocol/server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Channel } from "../../src/mcp/channel.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { until } from "../support/processes.ts";

/** Longer than anything here waits. */
const LATER_MS = 60_000;

let ana: Sessions;
let ben: Sessions;
beforeEach(() => {
  ana = sessionsOn(systemClock);
  ben = sessionsOn(systemClock);
});
afterEach(async () => {
  await Promise.all([ana.shutDown(), ben.shutDown()]);
});

/** Ben's agent has a client that takes events; Ana speaks. */
async function talking() {
  const clock = new FakeClock();
  const channel = new Channel(clock);
  channel.follow(ben);
  const told: unknown[] = [];
  const server = new McpServer({ name: "test", version: "0" });
  server.server.notification = async (event) => void told.push(event.params?.["meta"]);
  channel.attach(server);
  const { hosting, invites } = await ana.host(hostRequest());
  const joined = await ben.join(joinRequest(invites[0]?.joinLink));
  const { inbox, tunnelId } = joined;
  return {
    inbox,
    joined,
    tunnelId,
    told,
    pass: () => clock.advance(LATER_MS),
    hear: async (text: string) => {
      const before = inbox.arrived;
      await hosting.say({ text });
      await until("it has come", () => inbox.arrived > before);
    },
  };
}

test("what is unread is told once, however much comes", async () => {
  const { hear, pass, told, tunnelId } = await talking();
  for (const text of ["one", "two", "three"]) {
    await hear(text);
    await pass();
  }
  expect(told).toEqual([{ tunnel_id: tunnelId, unread: "1" }]);
});

test("what comes together is told together", async () => {
  const { hear, pass, told } = await talking();
  await hear("one");
  await hear("two");
  await pass();
  expect(told).toMatchObject([{ unread: "2" }]);
});

test("what the agent takes at once is not told", async () => {
  const { hear, inbox, pass, told } = await talking();
  await hear("one");
  inbox.take("call", 10);
  await pass();
  expect(told).toEqual([]);
});

test("after reading, the next is told; after a call that was given up, what it took is not told again", async () => {
  const { hear, inbox, pass, told } = await talking();
  await hear("one");
  await pass();
  inbox.take("given up", 10);
  inbox.cancelled("given up");
  await pass();
  expect(told).toHaveLength(1);
  inbox.take("call", 10);
  inbox.settle();
  await hear("two");
  await pass();
  expect(told).toHaveLength(2);
});

test("speaking does not count as reading", async () => {
  const { hear, joined, pass, told } = await talking();
  await hear("one");
  await pass();
  await joined.say({ text: "own" });
  await hear("two");
  await pass();
  expect(told).toHaveLength(1);
});

test("an end that this side has made is not told", async () => {
  const { joined, pass, told } = await talking();
  await joined.close();
  await pass();
  expect(told).toEqual([]);
});
