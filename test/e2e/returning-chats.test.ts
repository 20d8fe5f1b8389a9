import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, BUNDLE, closeAgents, NODE, sandbox, unfenced, type Sandbox } from "../support/agent.ts";
import { until } from "../support/processes.ts";

/** Chats and agents of one folder end in the middle, and take each other's tunnels up. */

const KEPT = { TUNNEL_KEEP_MINUTES: "10" };
const eventSchema = z.looseObject({ event: z.string() });
type Event = z.infer<typeof eventSchema>;
const openedSchema = z.looseObject({
  tunnelId: z.string(),
  invites: z.array(z.looseObject({ joinLink: z.string() })).min(1),
});

const boxes: Sandbox[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await closeAgents();
  for (const box of boxes.splice(0)) box.remove();
});

function newBox(env: Record<string, string> = KEPT): Sandbox {
  const box = sandbox(env);
  boxes.push(box);
  return box;
}

/** A command in the folder of a developer, with pipes on all sides. */
function command(box: Sandbox, args: readonly string[]) {
  const child = spawn(NODE, [BUNDLE, ...args], { cwd: box.root, env: box.env, stdio: "pipe" });
  children.push(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, "exit").then(([code, signal]: unknown[]) => code ?? signal);
  const lines = (): string[] => stdout.split("\n").slice(0, -1);
  return {
    child,
    exited,
    stdout: () => stdout,
    stderr: () => stderr,
    lines,
    write: (line: object) => void child.stdin.write(`${JSON.stringify(line)}\n`),
    async event(name: string, holds: (event: Event) => boolean = () => true): Promise<Event> {
      const found = (): Event | undefined =>
        lines()
          .map((line) => eventSchema.parse(JSON.parse(line)))
          .find((one) => one.event === name && holds(one));
      await until(`the event ${name}`, () => found() !== undefined);
      return found() ?? { event: name };
    },
  };
}
type Program = ReturnType<typeof command>;

async function output(box: Sandbox, ...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const run = command(box, args);
  const code = await run.exited;
  return { code, out: run.stdout(), err: run.stderr() };
}

/** The folders of stays of this developer. */
function staysOf({ root }: Sandbox): string[] {
  const folder = join(root, "home", ".local", "state", "tunnel-mcp", "stays");
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** A chat that hosts, with an agent of somebody else as its guest. */
async function met(box = newBox()) {
  const chat = command(box, ["open", "--json", "--goal", "align", "--name", "ana"]);
  const { tunnelId, invites } = openedSchema.parse(await chat.event("opened"));
  const guest = await Agent.start(KEPT);
  await guest.call("tunnel_join", { joinLink: invites[0]?.joinLink, name: "ben" });
  await chat.event("system", ({ what }) => what === "joined");
  return { box, chat, tunnelId, guest };
}

async function ended(chat: Program, signal: NodeJS.Signals): Promise<unknown> {
  chat.child.kill(signal);
  return chat.exited;
}

/** The chat has shown this, and has noted that it is read: its next answer comes after that. */
async function hears(chat: Program, text: string): Promise<void> {
  await chat.event("message", (one) => one["text"] === text);
  chat.write({ status: true, ref: text });
  await chat.event("status", ({ ref }) => ref === text);
}

describe("a chat", () => {
  it("that was killed goes on where it was, and shows what has come meanwhile", async () => {
    const { box, chat, tunnelId, guest } = await met();
    chat.write({ say: "one" });
    await chat.event("sent");
    await guest.call("tunnel_say", { text: "two" });
    await hears(chat, "two");
    expect(await ended(chat, "SIGKILL")).toBe("SIGKILL");

    // It shows when the host is dialled again.
    await until("the host is known to be away", async () => {
      return (await guest.call("tunnel_status"))["hostAwayKeptForSec"] !== undefined;
    });
    const queued = await guest.call("tunnel_say", { text: "three" });
    expect(queued).toMatchObject({
      status: "queued",
      reason: expect.stringMatching(/^the host is away; it may come back within \d+ s/),
    });
    const { hostAwayKeptForSec, members = [] } = await guest.call("tunnel_status");
    expect(hostAwayKeptForSec).toBeGreaterThan(500);
    expect(hostAwayKeptForSec).toBeLessThanOrEqual(600);
    expect(members.find(({ isHost }) => isHost)).toMatchObject({ connected: false });

    const { code, out } = await output(box, "kept", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      tunnelId,
      folder: box.root,
      role: "host",
      goal: "align",
      members: ["ben"],
      unread: 0,
    });

    const next = command(box, ["resume", "--json"]);
    expect(await next.event("resumed")).toMatchObject({
      tunnelId,
      role: "host",
      goal: "align",
      last: [
        { event: "message", text: "one", fromName: "ana" },
        { event: "message", text: "two", fromName: "ben" },
      ],
    });
    await hears(next, "three");
    next.write({ say: "four" });
    await next.event("sent");
    const heard = await guest.hear(2);
    expect(heard.map(({ text }) => unfenced(text))).toEqual(["one", "four"]);
    expect(
      next.lines().filter((line) => line.includes('"two"') && line.startsWith('{"event":"message"')),
    ).toEqual([]);

    next.write({ close: true });
    expect(await next.exited).toBe(0);
    await until("nothing is left of it", () => staysOf(box).length === 0);
    expect((await output(box, "resume", "--json")).out).toContain('"code":"nothing-kept"');
  });

  it.runIf(process.platform !== "win32").each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("that is told to end by %s is kept, and says so", async (signal, code) => {
    const { box, chat, tunnelId, guest } = await met();
    expect(await ended(chat, signal)).toBe(code);
    const [last = ""] = chat.lines().slice(-1);
    expect(JSON.parse(last)).toEqual({ event: "kept", tunnelId, keptForSec: 600 });
    expect(chat.stderr()).toBe("");
    const next = command(box, ["resume", tunnelId, "--json"]);
    await next.event("resumed");
    await guest.call("tunnel_say", { text: "hello again" });
    await hears(next, "hello again");
  });

  it.runIf(process.platform !== "win32")("that a person interrupts ends for everybody", async () => {
    const { box, chat, guest } = await met();
    expect(await ended(chat, "SIGINT")).toBe(130);
    expect(await chat.event("ended")).toMatchObject({ cause: "host-stopped" });
    await until("nothing is left of it", () => staysOf(box).length === 0);
    await until("the guest knows", async () => (await guest.call("tunnel_status")).status === "closed");
  });

  it("that keeps nothing leaves nothing to go on with", async () => {
    const { box, chat } = await met(newBox({ TUNNEL_KEEP_MINUTES: "0" }));
    await ended(chat, "SIGKILL");
    expect(staysOf(box)).toEqual([]);
    expect(await output(box, "kept")).toMatchObject({
      code: 0,
      out: "Nothing is kept: there is no tunnel to go on with.\n",
    });
  });

  it("of another folder is named with its folder, and not taken up", async () => {
    const { box, chat, tunnelId } = await met();
    await ended(chat, "SIGKILL");
    const run = spawn(NODE, [BUNDLE, "resume", tunnelId], {
      cwd: join(box.root, "home"),
      env: box.env,
      stdio: "pipe",
    });
    children.push(run);
    let err = "";
    run.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    expect((await once(run, "exit"))[0]).toBe(1);
    expect(err).toContain("(tunnel-unknown)");
    expect(err).toContain("`tunnel-mcp kept`");
    expect((await output(box, "kept")).out).toContain(box.root);
    const joining = command(box, ["join", "--name", "x"]);
    joining.child.stdin.end();
    expect(await joining.exited).toBe(2);
    expect(joining.stderr()).toContain(`To go on with it instead: tunnel-mcp resume ${tunnelId}\n`);
  });
});

describe("a chat and an agent of one folder", () => {
  it("take each other's tunnels up, one after the other", async () => {
    const { box, chat, tunnelId, guest } = await met();
    await guest.call("tunnel_say", { text: "for the person" });
    await hears(chat, "for the person");
    await ended(chat, "SIGKILL");
    await guest.call("tunnel_say", { text: "for the agent" });

    const agent = await Agent.in(box);
    expect(await agent.call("tunnel_join", { resume: tunnelId })).toMatchObject({
      role: "host",
      goal: "align",
    });
    // The chat has shown the first one.
    const [heard] = await agent.hear(1);
    expect(unfenced(heard?.text ?? "")).toBe("for the agent");
    await agent.call("tunnel_say", { text: "by the agent" });
    await agent.ended("killed");

    const next = command(box, ["resume", "--json"]);
    const resumed = await next.event("resumed");
    expect(resumed["last"]).toMatchObject([
      { text: "for the person" },
      { text: "for the agent" },
      { text: "by the agent" },
    ]);
    next.write({ say: "by the person" });
    await next.event("sent");
    expect((await guest.hear(2)).map(({ text }) => unfenced(text))).toEqual([
      "by the agent",
      "by the person",
    ]);
  });
});

describe("whatever waits or watches beside it", () => {
  it("wake ends with 5 and says how to go on, also when it comes late", async () => {
    const host = await Agent.start(KEPT);
    const { tunnelId } = await host.call("tunnel_open", { goal: "align" });
    const early = command(host.box, ["wake", "--tunnel", tunnelId ?? ""]);
    // Nothing tells that its question has arrived; where that comes too late, the answer is the same.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await host.ended("killed");
    const line = new RegExp(
      `^The server of tunnel ${tunnelId} has ended, and the tunnel is kept for another \\d+ s\\. Go on with tunnel_join and resume: ${tunnelId}\\.\n$`,
    );
    for (const run of [early, command(host.box, ["wake", "--tunnel", tunnelId ?? ""])]) {
      expect(await run.exited).toBe(5);
      expect(run.stdout()).toMatch(line);
    }
    boxes.push(host.box);
  });

  it("kept --forget leaves nothing, but what a running program has", async () => {
    const box = newBox();
    const { chat } = await met(box);
    const other = command(box, ["open", "--json", "--goal", "second"]);
    await other.event("opened");
    await ended(chat, "SIGKILL");
    expect(await output(box, "kept", "--forget", "--json")).toMatchObject({
      code: 0,
      out: '{"forgotten":1,"inUse":1}\n',
    });
    expect(staysOf(box)).toHaveLength(1);
    other.write({ close: true });
    await other.exited;
    await until("nothing is left", () => staysOf(box).length === 0);
    expect((await output(box, "kept", "--forget")).out).toBe("Nothing was kept.\n");
  });
});
