import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { expect, it } from "vitest";
import { Fence } from "../../src/mcp/fence.ts";
import { registerResources, ResourceNews } from "../../src/mcp/resources.ts";
import type { SessionsChange } from "../../src/session/sessions.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

it("a transcript that grows all the time is told of once a second, and a last time when it stops", async () => {
  const clock = new FakeClock();
  const news = new ResourceNews(clock);
  let change: (one: SessionsChange) => void = () => undefined;
  news.follow({ onChange: (listener) => void (change = listener) });
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
  const grow = (): void => change({ what: "transcript", tunnelId: "t" });

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
