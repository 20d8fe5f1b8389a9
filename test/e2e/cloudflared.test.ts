import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, besideEndpoint, closeAgents } from "../support/agent.ts";
import { completeLines } from "../support/lines.ts";
import { accepts, until, gone } from "../support/processes.ts";
import { standIn } from "../support/tunnels/stand-in.ts";

let places: string[] = [];
const startSchema = z.object({ pid: z.number(), host: z.string(), proxyPort: z.number() });
afterEach(async () => {
  await closeAgents();
  for (const place of places) rmSync(place, { recursive: true, force: true });
  places = [];
});

/** A host with a stand-in of these settings for its cloudflared. */
async function startHost(
  fake: Record<string, string> = {},
  env: Record<string, string> = {},
): Promise<Agent> {
  const place = mkdtempSync(join(tmpdir(), "tunnel-stand-in-"));
  places.push(place);
  return Agent.start({
    TUNNEL_TRANSPORT: "cloudflared",
    TUNNEL_CLOUDFLARED: standIn(place, fake),
    TUNNEL_SKIP_REACHABILITY_CHECK: "1",
    ...env,
  });
}

/** Closing does not wait for a program that takes its time to end. */
const nothingLeft = (host: Agent): Promise<void> =>
  until("nothing is left", () => besideEndpoint(host.box.left()).length === 0);

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
  await nothingLeft(host);
  expect(host.stderr).toBe("");
});

it.skipIf(process.platform === "win32")(
  "closing tells the members and answers at once, while a cloudflared that does not want to end is ended behind it",
  async () => {
    const guest = await Agent.start();
    const state = join(guest.box.root, "state");
    const host = await startHost({ FAKE_CF_STATE: state, FAKE_CF_STUBBORN: "1" });
    const opened = await host.call("tunnel_open", { goal: "to be closed", name: "ana" });
    const start = startSchema.parse(JSON.parse(readFileSync(state, "utf8")));
    const joinLink = opened.joinLink?.replace(`wss://${start.host}`, `ws://127.0.0.1:${start.proxyPort}`);
    await guest.call("tunnel_join", { joinLink, name: "ben" });
    const began = performance.now();
    await host.call("tunnel_close");
    // It gets 2 s before it is killed.
    expect(performance.now() - began).toBeLessThan(1_500);
    expect(process.kill(start.pid, 0)).toBe(true);
    expect((await guest.call("tunnel_listen", { timeoutMs: 1_000 })).ended).toMatchObject({
      cause: "closed-by-host",
    });
    // The end of the process waits for it.
    const { box } = host;
    await host.client.close();
    await gone(start.pid);
    expect(box.left().filter((path) => path.includes("/tmp/tunnel-mcp-"))).toEqual([]);
  },
);

it("a cloudflared that ends is replaced, and the agent is told with the new invite to pass on", async () => {
  const guest = await Agent.start();
  const state = join(guest.box.root, "state");
  const host = await startHost({ FAKE_CF_STATE: state });
  const opened = await host.call("tunnel_open", { goal: "to be lost" });
  const { pid } = startSchema.parse(JSON.parse(readFileSync(state, "utf8")));
  process.kill(pid, "SIGKILL");
  const events: Record<string, unknown>[] = [];
  while (!events.some(({ event }) => event === "invites-reissued")) {
    events.push(...((await host.call("tunnel_listen")).messages ?? []));
  }
  expect(events.map(({ event }) => event)).toEqual(["address-lost", "address-restored", "invites-reissued"]);
  expect(events[0]).toMatchObject({
    from: "tunnel",
    local: true,
    error: { code: "cloudflared-exited", next: expect.stringContaining("again") },
  });
  const old = opened.invites?.[0];
  const [, second] = completeLines(state).map((line) => startSchema.parse(JSON.parse(line)));
  expect(events[2]?.["invites"]).toMatchObject([
    { replaces: old?.inviteId, joinLink: expect.stringMatching(`^wss://${second?.host}/t/`) },
  ]);
  expect(await host.call("tunnel_status")).toMatchObject({
    transportHealth: "up",
    standby: { state: "off" },
    pendingInvites: [{ claimed: false }],
  });
  await host.call("tunnel_close");
  await nothingLeft(host);
});

it("a spare tunnel is kept while somebody is in, unless it is switched off", async () => {
  const guest = await Agent.start();
  const state = join(guest.box.root, "state");
  const host = await startHost({ FAKE_CF_STATE: state });
  const rewritten = async (of: Agent, at: string): Promise<string> => {
    const opened = await of.call("tunnel_open", { goal: "spare" });
    const start = startSchema.parse(JSON.parse(completeLines(at)[0] ?? ""));
    return opened.joinLink?.replace(`wss://${start.host}`, `ws://127.0.0.1:${start.proxyPort}`) ?? "";
  };
  await guest.call("tunnel_join", { joinLink: await rewritten(host, state) });
  await until("the spare one is ready", async () => {
    const { standby } = await host.call("tunnel_status");
    return JSON.stringify(standby) === JSON.stringify({ state: "ready" });
  });
  await host.call("tunnel_close");
  for (const line of completeLines(state)) await gone(startSchema.parse(JSON.parse(line)).pid);
  await nothingLeft(host);

  const single = join(guest.box.root, "single");
  const without = await startHost({ FAKE_CF_STATE: single }, { TUNNEL_STANDBY: "off" });
  await guest.call("tunnel_join", { joinLink: await rewritten(without, single) });
  expect(await without.call("tunnel_status")).toMatchObject({ standby: { state: "off" } });
  expect(completeLines(single)).toHaveLength(1);
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
    expect(besideEndpoint(host.box.left())).toEqual([]);
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
    const host = await startHost({}, { TUNNEL_CLOUDFLARED: path });
    expect(await host.refused("tunnel_open", { goal: "x" })).toMatchObject({ code: "cloudflared-missing" });
    expect(existsSync(path)).toBe(path === process.execPath);
    expect(besideEndpoint(host.box.left())).toEqual([]);
  });
});
