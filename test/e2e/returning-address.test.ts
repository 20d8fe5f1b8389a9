import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, besideEndpoint, closeAgents, unfenced } from "../support/agent.ts";
import { gone, isRunning, until } from "../support/processes.ts";
import { standIn } from "../support/tunnels/stand-in.ts";

/** A public address outlives the server behind it, and leads to the next one. */

let places: string[] = [];
const startSchema = z.object({ pid: z.number(), host: z.string(), proxyPort: z.number() });
const linkSchema = z.object({ memberName: z.literal("ben"), joinLink: z.string() });
type Start = z.infer<typeof startSchema>;
afterEach(async () => {
  await closeAgents();
  for (const place of places) rmSync(place, { recursive: true, force: true });
  places = [];
});

interface Scene {
  readonly host: Agent;
  readonly guest: Agent;
  /** The starts of the stand-in for cloudflared, in their order. */
  readonly starts: () => Start[];
}

/** Two that talk through the stand-in for cloudflared. */
async function met(fake: Record<string, string> = {}): Promise<Scene> {
  const place = mkdtempSync(join(tmpdir(), "tunnel-stand-in-"));
  places.push(place);
  const state = join(place, "state");
  const host = await Agent.start({
    TUNNEL_TRANSPORT: "cloudflared",
    TUNNEL_CLOUDFLARED: standIn(place, { FAKE_CF_STATE: state, ...fake }),
    TUNNEL_SKIP_REACHABILITY_CHECK: "1",
    TUNNEL_STANDBY: "off",
    TUNNEL_KEEP_MINUTES: "10",
  });
  const guest = await Agent.start({ TUNNEL_KEEP_MINUTES: "10" });
  const starts = (): Start[] =>
    readFileSync(state, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => startSchema.parse(JSON.parse(line)));
  const { joinLink = "" } = await host.call("tunnel_open", { goal: "through the edge", name: "ana" });
  const [start] = starts();
  const here = joinLink.replace(`wss://${start?.host}`, `ws://127.0.0.1:${start?.proxyPort}`);
  await guest.call("tunnel_join", { joinLink: here, name: "ben" });
  await host.call("tunnel_listen");
  return { host, guest, starts };
}

async function back(agent: Agent): Promise<void> {
  const { resumable } = await agent.call("tunnel_status");
  const [{ tunnelId } = { tunnelId: "" }] = resumable as { tunnelId: string }[];
  await agent.call("tunnel_join", { resume: tunnelId });
}

async function saidAndHeard(from: Agent, to: Agent, text: string): Promise<void> {
  expect(["sent", "queued"]).toContain((await from.call("tunnel_say", { text }))["status"]);
  const heard: string[] = [];
  await until(`${text} is heard`, async () => {
    const { messages = [] } = await to.call("tunnel_listen", { timeoutMs: 2_000 });
    heard.push(...messages.map((message) => unfenced(message.text)));
    return heard.includes(text);
  });
}

const nothingLeft = ({ box }: Agent): Promise<void> =>
  until("nothing is left", () => {
    const state = join(box.root, "home", ".local");
    const stays = join(state, "state", "tunnel-mcp", "stays");
    const beside = besideEndpoint(box.left()).filter((file) => file !== state);
    return beside.length === 0 && (!existsSync(stays) || readdirSync(stays).length === 0);
  });

describe.skipIf(process.platform === "win32")("the address of a Quick Tunnel", () => {
  it.each(["killed", "closed"] as const)(
    "is the same after the server was %s, time and again",
    async (how) => {
      const scene = await met();
      const { guest, starts } = scene;
      let { host } = scene;
      for (const round of [1, 2]) {
        host = await host.restarted(how);
        const [{ pid } = { pid: 0 }] = starts();
        expect(isRunning(pid)).toBe(true);
        expect(await guest.call("tunnel_say", { text: `meanwhile ${round}` })).toMatchObject({
          status: "queued",
        });
        await back(host);
        await saidAndHeard(host, guest, `again ${round}`);
        await saidAndHeard(guest, host, `and back ${round}`);
      }
      expect(starts()).toHaveLength(1);
      expect(await host.call("tunnel_status")).toMatchObject({
        transport: "cloudflared",
        transportHealth: "up",
      });
      const { members = [] } = await guest.call("tunnel_status");
      expect(members.map(({ connected }) => connected)).toEqual([true, true]);
      await host.call("tunnel_close");
      const [{ pid } = { pid: 0 }] = starts();
      await gone(pid);
      await nothingLeft(host);
      await nothingLeft(guest);
    },
  );

  it("is another one, with new links, where its program has ended meanwhile", async () => {
    const scene = await met();
    const { guest, starts } = scene;
    let { host } = scene;
    await host.ended("killed");
    const [{ pid } = { pid: 0 }] = starts();
    process.kill(pid, "SIGKILL");
    await gone(pid);
    host = await host.again();
    await back(host);
    await until("there is a new one", () => starts().length === 2);
    const told: unknown[] = [];
    await until("its agent is told", async () => {
      const { messages = [] } = await host.call("tunnel_listen", { timeoutMs: 2_000 });
      told.push(...messages.filter(({ event }) => event === "address-restored"));
      return told.length > 0;
    });
    const { invites } = z.object({ invites: z.tuple([linkSchema]) }).parse(told[0]);
    const next = starts()[1];
    const joinLink = invites[0].joinLink.replace(`wss://${next?.host}`, `ws://127.0.0.1:${next?.proxyPort}`);
    await guest.call("tunnel_join", { joinLink });
    await saidAndHeard(guest, host, "by the new address");
    await host.call("tunnel_close");
    await nothingLeft(host);
  });
});
