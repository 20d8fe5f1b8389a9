import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, besideEndpoint, closeAgents } from "../support/agent.ts";
import { completeLines } from "../support/lines.ts";
import { childrenOf, gone, isRunning, parentOf, until } from "../support/processes.ts";
import { standIn } from "../support/tunnels/stand-in.ts";

const COMMAND = fileURLToPath(new URL("../support/tunnels/fake-tunnel-command.mjs", import.meta.url));
const POSIX = process.platform !== "win32";
const pidSchema = z.object({ pid: z.number() });

let place = "";
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "tunnel-guarded-"));
});
afterEach(async () => {
  await closeAgents();
  rmSync(place, { recursive: true, force: true });
});

const pids = (): number[] =>
  completeLines(join(place, "state")).map((line) => pidSchema.parse(JSON.parse(line)).pid);

/** A server with a tunnel program that says nothing after its address. */
async function serving(mode: string, env: Record<string, string> = {}): Promise<Agent> {
  const agent = await Agent.start({
    TUNNEL_TRANSPORT: "exec",
    TUNNEL_COMMAND: JSON.stringify([process.execPath, COMMAND, mode, "https://a.example"]),
    TUNNEL_SKIP_REACHABILITY_CHECK: "1",
    FAKE_STATE: join(place, "state"),
    ...env,
  });
  await agent.call("tunnel_open", { goal: "to be killed" });
  return agent;
}

describe.runIf(POSIX)("kill -9 of the server", () => {
  it("ends a silent tunnel command", async () => {
    const agent = await serving("print");
    const [child = 0] = pids();
    const guard = parentOf(child);
    process.kill(agent.pid, "SIGKILL");
    await Promise.all([child, guard].map(gone));
  });

  it("ends a silent cloudflared, and its record goes with the next start", async () => {
    const agent = await serving("unused", {
      TUNNEL_TRANSPORT: "cloudflared",
      TUNNEL_CLOUDFLARED: standIn(place, { FAKE_CF_STATE: join(place, "state") }),
    });
    const [child = 0] = pids();
    const { TMPDIR = "" } = agent.box.env;
    process.kill(agent.pid, "SIGKILL");
    await gone(child);
    const next = await Agent.start({ TMPDIR });
    await until("the record has gone", () => !agent.box.left().join().includes("child-"));
    await next.close();
  });

  it("ends a command that ignores SIGTERM, with what it has started", async () => {
    const agent = await serving("wrapper");
    await until("both run", () => pids().length === 2);
    process.kill(agent.pid, "SIGKILL");
    await Promise.all(pids().map(gone));
  });

  it("ends the child although its guard is suspended", async () => {
    const agent = await serving("print");
    const [child = 0] = pids();
    process.kill(parentOf(child), "SIGSTOP");
    process.kill(agent.pid, "SIGKILL");
    await gone(child);
  });

  it("and of the guard ends the child", async () => {
    const agent = await serving("print");
    const [child = 0] = pids();
    process.kill(parentOf(child), "SIGKILL");
    process.kill(agent.pid, "SIGKILL");
    await gone(child);
  });

  it("and of all that watches leaves the child to the next start, which ends it before any tunnel is opened", async () => {
    const agent = await serving("print");
    const [child = 0] = pids();
    const guard = parentOf(child);
    const watchers = childrenOf(guard).filter((pid) => pid !== child);
    expect(watchers).toHaveLength(1);
    // Nobody may see another one go first.
    for (const pid of [...watchers, guard, agent.pid]) process.kill(pid, "SIGSTOP");
    for (const pid of [...watchers, guard, agent.pid]) process.kill(pid, "SIGKILL");
    await gone(agent.pid);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(isRunning(child)).toBe(true);

    const { TMPDIR = "" } = agent.box.env;
    const next = await Agent.start({ TMPDIR });
    await gone(child);
    await until("the record has gone", () => besideEndpoint(agent.box.left()).length === 0);
    expect(next.stderr).toBe("");
  });
});

describe.runIf(POSIX)("kill -9 of the guard", () => {
  it("is a lost tunnel: the child is ended, another one is opened", async () => {
    const agent = await serving("print");
    const [first = 0] = pids();
    process.kill(parentOf(first), "SIGKILL");
    await gone(first);
    await until("another one runs", () => pids().length === 2);
    expect(isRunning(pids()[1] ?? 0)).toBe(true);
    await agent.call("tunnel_close");
    await Promise.all(pids().map(gone));
  });
});
