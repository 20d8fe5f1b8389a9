import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync as exists, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  Agent,
  BUNDLE,
  closeAgents,
  closeOtherSide,
  NODE,
  otherSide,
  pair,
  type Sandbox,
} from "../support/agent.ts";
import { gone, until } from "../support/processes.ts";

const POSIX = process.platform !== "win32";
/** Where a test can see from outside that a program is ready to be ended. */
const LINUX = process.platform === "linux";
const wakeSchema = z.looseObject({ wake: z.object({ command: z.string(), channel: z.string() }) });

let children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
  await closeAgents();
});
afterAll(closeOtherSide);

/** A command of the same user, in the same places as the agent's server. */
function command(box: Sandbox, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(NODE, [BUNDLE, ...args], { env: { ...box.env, ...env } });
  children.push(child);
  const written = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (written.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (written.err += chunk.toString()));
  const closed = once(child, "close");
  return {
    child,
    written,
    lines: () => written.out.split("\n").slice(0, -1),
    code: async (): Promise<number | null> => {
      await closed;
      return child.exitCode;
    },
  };
}

/** The folder of the local endpoint; the one thing that is left while a tunnel by `direct` is open. */
function folderOf(agent: Agent): string {
  return agent.box.left()[0] ?? "";
}

async function talking(env: Record<string, string> = {}) {
  const [host, guest] = await Promise.all([otherSide(), Agent.start(env)]);
  const { joined } = await pair(host, guest);
  await until("the endpoint is there", () => guest.box.left().length === 1);
  return { host, guest, tunnelId: joined.tunnelId ?? "" };
}

describe("wake", () => {
  it("ends when something comes, and tunnel_listen returns it afterwards, as unread as before", async () => {
    const { host, guest, tunnelId } = await talking();
    const waiting = command(guest.box, ["wake", "--tunnel", tunnelId]);
    await host.call("tunnel_say", { text: "are you there?", intent: "request" });
    expect(await waiting.code()).toBe(0);
    expect(waiting.written).toEqual({
      out: `Unread: 1 in tunnel ${tunnelId}. Read with tunnel_listen.\n`,
      err: "",
    });
    const before = await host.call("tunnel_status");
    expect(before.members?.find(({ isSelf }) => !isSelf)?.readSeq).toBeLessThan(before.lastSeq ?? 0);
    const [message] = await guest.hear();
    expect(message).toMatchObject({ seq: before.lastSeq });
    expect(message?.redelivered).toBeUndefined();
  });

  it("does what tunnel_status says, word for word, and its other ends have a code each", async () => {
    const { host, guest, tunnelId } = await talking();
    const { wake } = wakeSchema.parse(await guest.call("tunnel_status"));
    expect(wake).toMatchObject({ command: `node ${BUNDLE} wake --tunnel ${tunnelId}`, channel: "off" });
    const [, , ...args] = wake.command.split(" ");
    const late = command(guest.box, [...args, "--timeout", "1"]);
    expect(await late.code()).toBe(4);
    const unknown = command(guest.box, ["wake", "--tunnel", "nonsense"]);
    expect(await unknown.code()).toBe(1);
    expect(unknown.written).toMatchObject({ out: "", err: expect.stringContaining("tunnel_status") });
    const waiting = command(guest.box, args);
    await guest.call("tunnel_close");
    expect(await waiting.code()).toBe(3);
    expect(waiting.written.out).toContain(`Tunnel ${tunnelId} is over.`);
    await host.close();
    await guest.close();
  });

  it.skipIf(!LINUX)("is over when the server ends under it (Linux only)", async () => {
    const { guest, tunnelId } = await talking();
    const [one, watching] = [[], ["--watch"]].map((more) =>
      command(guest.box, ["wake", "--tunnel", tunnelId, ...more]),
    );
    for (const waiting of [one, watching]) await until("it waits", () => isAsking(waiting?.child.pid));
    await guest.client.close();
    expect(await one?.code()).toBe(3);
    expect(one?.written.out).toBe(`Tunnel ${tunnelId} is over. tunnel_status tells how it ended.\n`);
    expect([watching?.child.exitCode, watching?.written.out]).toEqual([null, ""]);
    await until("nothing is left", () => guest.box.left().length === 0);
  });

  it.skipIf(!LINUX)("Ctrl-C ends it at once, and the server does not mind (Linux only)", async () => {
    const { host, guest, tunnelId } = await talking();
    for (const args of [["wake"], ["wake", "--watch"]]) {
      const waiting = command(guest.box, [...args, "--tunnel", tunnelId]);
      await until("it has started", () => isReady(waiting.child.pid));
      waiting.child.kill("SIGINT");
      expect(await waiting.code()).toBe(130);
    }
    await host.call("tunnel_say", { text: "still here?" });
    expect(await guest.hear()).toHaveLength(1);
  });

  it("without a server that has the tunnel says so, with a next step", async () => {
    const agent = await Agent.start();
    // By its id, since this machine may have servers that are none of this test's.
    const { written, code } = command(agent.box, ["wake", "--tunnel", "0123456789ab"]);
    expect(await code()).toBe(1);
    expect(written.out).toBe("");
    expect(written.err).toMatch(
      /^tunnel-mcp: (?:no tunnel-mcp server|there is no tunnel) .*\n {2}(?:Open|Call) /,
    );
  });

  it("--watch finds the server of its own session, prints a line for what comes, and stays", async () => {
    const session = { CLAUDE_CODE_SESSION_ID: "5e55" };
    const guest = await Agent.start(session);
    const watching = command(guest.box, ["wake", "--watch"], session);
    const other = command(guest.box, ["wake", "--watch"], { CLAUDE_CODE_SESSION_ID: "07e4" });
    const host = await otherSide();
    const { joined } = await pair(host, guest);
    await host.call("tunnel_say", { text: "good morning" });
    await until("the line", () => watching.lines().length === 1);
    expect(watching.written).toEqual({
      out: `Unread: 1 in tunnel ${joined.tunnelId}. Read with tunnel_listen.\n`,
      err: "",
    });
    expect([watching.child.exitCode, other.written]).toEqual([null, { out: "", err: "" }]);
  });

  it.skipIf(!LINUX)("--watch ends with the program that has started it (Linux only)", async () => {
    const agent = await Agent.start();
    const script = `require("node:child_process").spawn(process.execPath, ${JSON.stringify([BUNDLE, "wake", "--watch"])}, { stdio: "inherit" }).on("spawn", function () { console.log(this.pid) }); setInterval(() => {}, 1e6);`;
    const parent = spawn(NODE, ["-e", script], { env: agent.box.env, stdio: ["ignore", "pipe", "inherit"] });
    children.push(parent);
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    await until("it has started", () => isReady(pid));
    parent.kill("SIGKILL");
    await gone(pid);
  });
});

describe("the local endpoint", () => {
  it("is not there before there is a tunnel, holds no link and no words, and goes with the server", async () => {
    const [host, guest] = await Promise.all([Agent.start(), otherSide()]);
    await host.call("tunnel_status");
    expect(host.box.left()).toEqual([]);
    const { opened } = await pair(host, guest);
    await until("the endpoint is there", () => host.box.left().length === 1);
    const file = join(folderOf(host), `${host.pid}.json`);
    await until("its descriptor is there", () => exists(file));
    const text = readFileSync(file, "utf8");
    expect(Object.keys(JSON.parse(text) as object).toSorted()).toEqual([
      "endpoint",
      "folder",
      "pid",
      "token",
    ]);
    for (const secret of [opened.joinLink ?? "", "align the API", "ana"]) expect(text).not.toContain(secret);
    await host.client.close();
    await until("nothing is left", () => host.box.left().length === 0);
  });

  it.skipIf(!POSIX)("of a server that was killed is cleared away by the next one", async () => {
    const { guest, tunnelId } = await talking();
    const { pid } = guest;
    const folder = folderOf(guest);
    const file = join(folder, `${pid}.json`);
    await until("its descriptor is there", () => exists(file));
    process.kill(pid, "SIGKILL");
    await gone(pid);
    expect(exists(file)).toBe(true);
    const blind = command(guest.box, ["wake", "--tunnel", tunnelId]);
    expect(await blind.code()).toBe(1);
    const next = await Agent.start({ TMPDIR: guest.box.env["TMPDIR"] ?? "" });
    await next.call("tunnel_open", { goal: "another" });
    await until("the new one is there", () => exists(join(folder, `${next.pid}.json`)));
    expect(exists(file)).toBe(false);
  });
});

/** Whether a command has set up its end: it catches SIGHUP, which Node by itself does not. */
function isReady(pid = 0): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (BigInt(`0x${caught ?? "0"}`) & 1n) !== 0n;
}

/** Whether a process has a socket of its own open: a command has one only while it asks. */
function isAsking(pid = 0): boolean {
  const names = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  return names.filter((name) => name.startsWith("socket:")).length > STDIO_SOCKETS;
}

/** What Node connects the standard streams of its children with. */
const STDIO_SOCKETS = 3;

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch (error) {
    if (error instanceof Error) return ""; // closed in between
    throw error;
  }
}
