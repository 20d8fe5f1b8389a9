import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, closeAgents } from "../support/agent.ts";
import { accepts, until, gone } from "../support/processes.ts";

const FAKE = fileURLToPath(new URL("../support/fake-cloudflared.mjs", import.meta.url));
const startSchema = z.object({ pid: z.number(), host: z.string(), proxyPort: z.number() });
afterEach(closeAgents);

async function startHost(env: Record<string, string> = {}): Promise<Agent> {
  return Agent.start({
    TUNNEL_TRANSPORT: "cloudflared",
    TUNNEL_CLOUDFLARED: FAKE,
    TUNNEL_SKIP_REACHABILITY_CHECK: "1",
    ...env,
    ...(env["FAKE_CF_STATE"] === undefined ? {} : { FAKE_CF_STATE: env["FAKE_CF_STATE"] }),
  });
}

it("a whole session runs through the proxy, and nothing is left of it", async () => {
  const guest = await Agent.start();
  // The guest's own place, since the host's must stay empty.
  const state = join(guest.box.root, "state");
  const host = await startHost({ FAKE_CF_STATE: state });
  const heard: (string | undefined)[] = [];
  const onprogress = ({ message }: { message?: string | undefined }): void => void heard.push(message);
  const opened = await host.call("tunnel_open", { goal: "through the edge", name: "ana" }, { onprogress });
  const start = startSchema.parse(JSON.parse(readFileSync(state, "utf8")));
  expect(opened).toMatchObject({ transport: "cloudflared" });
  expect(opened.joinLink).toMatch(`wss://${start.host}/t/`);
  expect(heard.length).toBeGreaterThan(0);
  expect(await host.call("tunnel_status")).toMatchObject({ transport: "cloudflared", transportHealth: "up" });

  const joinLink = opened.joinLink?.replace(`wss://${start.host}`, `ws://127.0.0.1:${start.proxyPort}`);
  const joined = await guest.call("tunnel_join", { joinLink, name: "ben" });
  expect(joined.goal).toBe("through the edge");
  await host.call("tunnel_listen");
  for (let turn = 1; turn <= 3; turn += 1) {
    expect(await host.call("tunnel_say", { text: `question ${turn}` })).toMatchObject({ status: "sent" });
    expect(await guest.hear()).toMatchObject([{ text: expect.stringContaining(`question ${turn}`) }]);
    expect(await guest.call("tunnel_say", { text: `answer ${turn}` })).toMatchObject({ status: "sent" });
    expect(await host.hear()).toMatchObject([{ text: expect.stringContaining(`answer ${turn}`) }]);
  }
  // A second use through the edge is refused like any other.
  const third = await Agent.start();
  expect(await third.refused("tunnel_join", { joinLink })).toMatchObject({ code: "invite-refused" });
  await host.call("tunnel_close");
  const end = await guest.call("tunnel_listen");
  expect(end.ended).toMatchObject({ cause: "closed-by-host" });
  await gone(start.pid);
  await until("nothing listens any more", async () => !(await accepts(start.proxyPort)));
  expect([host.box.left(), host.stderr]).toEqual([[], ""]);
});

it("tells in the status that cloudflared has ended, and what to do", async () => {
  const guest = await Agent.start();
  const state = join(guest.box.root, "state");
  const host = await startHost({ FAKE_CF_STATE: state });
  await host.call("tunnel_open", { goal: "to be lost" });
  const { pid } = startSchema.parse(JSON.parse(readFileSync(state, "utf8")));
  process.kill(pid, "SIGKILL");
  for (;;) {
    const status = await host.call("tunnel_status");
    if (status["transportHealth"] !== "down") continue;
    expect(status).toMatchObject({
      transportError: { code: "cloudflared-exited", next: expect.stringContaining("again") },
      alarms: [{ code: "cloudflared-exited" }],
    });
    break;
  }
  await host.call("tunnel_close");
  expect(host.box.left()).toEqual([]);
});

describe("each way in which cloudflared fails has its own code, and leaves nothing", () => {
  it.each([
    ["rate-limited", "cloudflared-rate-limited"],
    ["api-down", "cloudflared-api-down"],
    ["bad-json", "cloudflared-api-down"],
    ["bad-uuid", "cloudflared-api-down"],
    ["srv", "cloudflared-edge-unknown"],
    ["exit", "cloudflared-exited"],
  ])("%s is %s", async (mode, code) => {
    const host = await startHost({ FAKE_CF_MODE: mode, FAKE_CF_READY_MS: "60000" });
    expect(await host.refused("tunnel_open", { goal: "x" })).toMatchObject({ code });
    expect(host.box.left()).toEqual([]);
    expect(await host.call("tunnel_status")).toMatchObject({ status: "idle" });
    // Another transport is a way out at once.
    expect(await host.call("tunnel_open", { goal: "x", transport: "direct" })).toMatchObject({
      transport: "direct",
    });
  });

  it.each([
    ["a path that does not exist", "/nonexistent/cloudflared"],
    ["a program that is something else", process.execPath],
  ])("%s is cloudflared-missing", async (_, path) => {
    const host = await startHost({ TUNNEL_CLOUDFLARED: path });
    expect(await host.refused("tunnel_open", { goal: "x" })).toMatchObject({ code: "cloudflared-missing" });
    expect(existsSync(path)).toBe(path === process.execPath);
    expect(host.box.left()).toEqual([]);
  });
});
