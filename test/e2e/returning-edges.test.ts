import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, closeAgents, pair, unfenced } from "../support/agent.ts";
import { until } from "../support/processes.ts";

/** Coming back where something is wrong: with the disk, the clock, what was kept, or with somebody else who comes back, too. */

const KEPT = { TUNNEL_KEEP_MINUTES: "10" };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await closeAgents();
  for (const end of ends.splice(0).toReversed()) await end();
});

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "tunnel-edges-"));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const staysFolder = ({ box }: Agent): string =>
  join(box.env["XDG_STATE_HOME"] ?? join(box.root, "home", ".local", "state"), "tunnel-mcp", "stays");
const staysOf = (agent: Agent): string[] =>
  existsSync(staysFolder(agent)) ? readdirSync(staysFolder(agent)) : [];

const resumableSchema = z.array(z.looseObject({ tunnelId: z.string(), keptForSec: z.number() })).default([]);
const resumable = async (agent: Agent): Promise<z.infer<typeof resumableSchema>> =>
  resumableSchema.parse((await agent.call("tunnel_status"))["resumable"]);
const refusal = async (agent: Agent, tunnelId: string) => agent.refused("tunnel_join", { resume: tunnelId });
const problemsOf = async (agent: Agent): Promise<string[]> =>
  z
    .array(z.looseObject({ code: z.string() }))
    .default([])
    .parse((await agent.call("tunnel_status"))["problems"])
    .map(({ code }) => code);

async function saidAndHeard(from: Agent, to: Agent, text: string): Promise<void> {
  expect(["sent", "queued"]).toContain((await from.call("tunnel_say", { text }))["status"]);
  const heard: string[] = [];
  await until(
    `${text} is heard`,
    async () => {
      const { messages = [] } = await to.call("tunnel_listen", { timeoutMs: 1_000 });
      heard.push(...messages.map((message) => unfenced(message.text)));
      return heard.includes(text);
    },
    30_000,
  );
}

async function met(
  hostEnv: Record<string, string> = {},
  guestEnv: Record<string, string> = {},
): Promise<{ host: Agent; guest: Agent; hostId: string; guestId: string }> {
  const host = await Agent.start({ ...KEPT, ...hostEnv });
  const guest = await Agent.start({ ...KEPT, ...guestEnv });
  const { opened, joined } = await pair(host, guest);
  await saidAndHeard(host, guest, "before");
  return { host, guest, hostId: opened.tunnelId ?? "", guestId: joined.tunnelId ?? "" };
}

describe("two clients in one folder", () => {
  it("that come back at once: one has the stay, and the other is told that it is in use", async () => {
    const { host, guest, hostId } = await met();
    let last = host;
    await last.ended("killed");
    for (const round of [1, 2, 3]) {
      const both = await Promise.all([last.again(), last.again()]);
      const results = await Promise.all(both.map((agent) => agent.result("tunnel_join", { resume: hostId })));
      const refused = results.flatMap(({ isError, structuredContent }) =>
        isError === true ? [structuredContent] : [],
      );
      expect(refused).toMatchObject([{ error: { code: "stay-in-use", retryable: true } }]);
      const winner = both[results.findIndex(({ isError }) => isError !== true)];
      const loser = both[results.findIndex(({ isError }) => isError === true)];
      if (winner === undefined || loser === undefined) throw new Error("there is none");
      expect(await resumable(loser)).toEqual([]);
      await saidAndHeard(winner, guest, `to guest ${round}`);
      await saidAndHeard(guest, winner, `to host ${round}`);
      await loser.ended("closed");
      await winner.ended("killed");
      last = winner;
    }
  }, 60_000);

  it("each come back to their own, and never to one that is in use", async () => {
    const { host: one, guest, hostId } = await met();
    const two = await one.again();
    const { tunnelId: second = "" } = await two.call("tunnel_open", { goal: "another one" });
    expect(await resumable(two)).toEqual([]);
    await one.ended("killed");
    const next = await one.again();
    expect((await resumable(next)).map(({ tunnelId }) => tunnelId)).toEqual([hostId]);
    expect((await refusal(next, second)).code).toBe("stay-in-use");
    await next.call("tunnel_join", { resume: hostId });
    await saidAndHeard(guest, next, "you are back");
    expect(await two.call("tunnel_status")).toMatchObject({ tunnelId: second });
    await two.ended("closed");
  }, 60_000);
});

describe("a stay that was copied", () => {
  it("is refused, and the original goes on", async () => {
    const { host, guest, hostId } = await met();
    await host.ended("killed");
    const copy = scratch();
    const original = host.box.env["XDG_STATE_HOME"];
    cpSync(join(staysFolder(host), "..", ".."), copy, { recursive: true, preserveTimestamps: true });
    host.box.env["XDG_STATE_HOME"] = copy;
    const other = await host.again();
    expect(await resumable(other)).toEqual([]);
    expect(await refusal(other, hostId)).toMatchObject({ code: "stay-copied", retryable: false });
    await other.ended("closed");
    if (original === undefined) delete host.box.env["XDG_STATE_HOME"];
    const next = await host.again();
    await next.call("tunnel_join", { resume: hostId });
    await saidAndHeard(guest, next, "you are the one");
  }, 60_000);

  it("and put back in its place is refused, too, with its next step", async () => {
    const { host, guest, guestId } = await met();
    const kept = join(staysFolder(guest), guestId);
    const backup = join(scratch(), "backup");
    cpSync(kept, backup, { recursive: true, preserveTimestamps: true });
    await saidAndHeard(guest, host, "after the backup");
    await guest.ended("killed");
    rmSync(kept, { recursive: true });
    cpSync(backup, kept, { recursive: true, preserveTimestamps: true });
    const next = await guest.again();
    const refused = await refusal(next, guestId);
    expect(refused.code).toBe("stay-copied");
    expect(refused.next).toMatch(/new link/);
    // That is how it can be followed.
    const { invites = [] } = await host.call("tunnel_invite");
    await next.call("tunnel_join", { joinLink: invites[0]?.joinLink, name: "ben again" });
    await saidAndHeard(next, host, "by a new link");
  }, 60_000);
});

describe("an older state in the very file", () => {
  /** As a disk that was set back: all names, places and numbers are as they were. */
  function setBack(folder: string): { readonly remember: () => void; readonly restore: () => void } {
    let before = new Map<string, Buffer>();
    const journals = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".journal"));
    return {
      remember: () => {
        before = new Map(journals().map((name) => [name, readFileSync(join(folder, name))]));
      },
      restore: () => {
        for (const [name, bytes] of before) writeFileSync(join(folder, name), bytes);
      },
    };
  }

  it.each(["host", "guest"] as const)(
    "of a %s never says something else under numbers that were used",
    async (role) => {
      const { host, guest, hostId, guestId } = await met();
      const [victim, other] = role === "host" ? [host, guest] : [guest, host];
      const id = role === "host" ? hostId : guestId;
      const disk = setBack(join(staysFolder(victim), id));
      disk.remember();
      await saidAndHeard(victim, other, "in the time that is lost");
      await saidAndHeard(other, victim, "an answer");
      await victim.ended("killed");
      disk.restore();
      const next = await victim.again();
      await next.result("tunnel_join", { resume: id });
      const { structuredContent = {} } = await next.result("tunnel_say", { text: "something else" });
      expect(structuredContent).not.toMatchObject({ status: "sent" });
      // Those who have seen more let nobody in who knows less.
      const heard: string[] = [];
      for (const _ of Array.from({ length: 8 })) {
        const { messages = [] } = await other.call("tunnel_listen", { timeoutMs: 1_000 });
        heard.push(...messages.map(({ text }) => unfenced(text)));
        const { members = [] } = await other.call("tunnel_status");
        expect(members.find(({ isSelf }) => !isSelf)?.connected).not.toBe(true);
      }
      expect(heard).not.toContain("something else");
    },
    60_000,
  );
});

describe("what another version has kept", { timeout: 60_000 }, () => {
  it.each([
    ["newer", 2],
    ["older", 0],
  ])("and is %s is refused with its code, and is still there for that version", async (_, version) => {
    const { host, guest, hostId } = await met();
    await host.ended("killed");
    const folder = join(staysFolder(host), hostId);
    const [journal = ""] = readdirSync(folder).filter((name) => name.endsWith(".journal"));
    const file = join(folder, journal);
    const bytes = readFileSync(file);
    const at = bytes.indexOf("\n") + 4;
    expect(bytes[at]).toBe(1);
    const other = Buffer.from(bytes);
    other[at] = version;
    writeFileSync(file, other);
    const next = await host.again();
    expect(await resumable(next)).toEqual([]);
    const refused = await refusal(next, hostId);
    expect(refused).toMatchObject({ code: "stay-version", retryable: false });
    expect(refused.next).toMatch(/the version that kept it/);
    expect(staysOf(next)).toEqual([hostId]);
    writeFileSync(file, bytes);
    await next.call("tunnel_join", { resume: hostId });
    await saidAndHeard(guest, next, "it was there");
  });
});

describe("a disk that takes nothing any more", { timeout: 60_000 }, () => {
  const canLimit = process.platform === "linux" && spawnSync("prlimit", ["--version"]).status === 0;
  const limited = (agent: Agent, bytes: number): void =>
    void execFileSync("prlimit", ["--pid", String(agent.pid), `--fsize=${bytes}:${bytes}`]);

  it.skipIf(!canLimit)(
    "from the beginning: the tunnel opens, and says that it will not survive (needs prlimit)",
    async () => {
      const host = await Agent.start(KEPT);
      const guest = await Agent.start(KEPT);
      limited(host, 0);
      await pair(host, guest);
      await saidAndHeard(host, guest, "without a disk");
      await saidAndHeard(guest, host, "neither");
      expect(await problemsOf(host)).toContain("stay-not-kept");
      expect(await problemsOf(guest)).toEqual([]);
      expect(staysOf(host)).toEqual([]);
      const next = await host.restarted("killed");
      expect(await resumable(next)).toEqual([]);
    },
  );

  it.skipIf(!canLimit).each(["host", "guest"] as const)(
    "in the middle, at the %s: the tunnel goes on, and says that it will not survive (needs prlimit)",
    async (role) => {
      const { host, guest, hostId, guestId } = await met();
      const [victim, other] = role === "host" ? [host, guest] : [guest, host];
      expect(await problemsOf(victim)).toEqual([]);
      limited(victim, 8_192);
      for (const round of [1, 2, 3, 4]) {
        await saidAndHeard(victim, other, `${"x".repeat(3_000)} ${round}`);
        await saidAndHeard(other, victim, `and back ${round}`);
      }
      expect(await problemsOf(victim)).toContain("stay-not-kept");
      expect(await problemsOf(other)).toEqual([]);
      const kept = join(staysFolder(victim), role === "host" ? hostId : guestId);
      expect(readdirSync(kept).filter((name) => name.endsWith(".journal"))).toEqual([]);
      const next = await victim.restarted(role === "host" ? "killed" : "closed");
      expect(await resumable(next)).toEqual([]);
      // A kill leaves an empty folder until a later start of a server.
      if (role === "guest") expect(staysOf(next)).toEqual([]);
      else expect(readFileSync(join(kept, "alive"), "utf8")).toBe("1");
    },
    60_000,
  );

  /** Undefined where this user may not mount anything. */
  function smallDisk(options: string): string | undefined {
    const place = scratch();
    if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
    if (spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", place]).status !== 0) return undefined;
    ends.push(() => spawnSync("umount", ["-l", place]));
    return place;
  }

  it("that is really full: the same (needs a user who may mount)", async ({ skip }) => {
    const place = smallDisk("size=256k,mode=0700");
    if (place === undefined) return skip("this user may not mount a small disk");
    const { host, guest } = await met({ XDG_STATE_HOME: place });
    expect(staysOf(host)).toHaveLength(1);
    expect(spawnSync("dd", ["if=/dev/zero", `of=${join(place, "fill")}`, "bs=1k"]).status).toBe(1);
    for (const round of [1, 2, 3]) await saidAndHeard(host, guest, `${"y".repeat(4_000)} ${round}`);
    expect(await problemsOf(host)).toContain("stay-not-kept");
    const next = await host.restarted("killed");
    expect(await resumable(next)).toEqual([]);
    // Full from the beginning.
    await next.call("tunnel_open", { goal: "on a full disk" });
    expect(await problemsOf(next)).toContain("stay-not-kept");
  }, 60_000);

  it("that is read only: another private folder takes it", async ({ skip }) => {
    const place = smallDisk("ro,mode=0700");
    if (place === undefined) return skip("this user may not mount a small disk");
    const { host, guest, hostId } = await met({ XDG_STATE_HOME: place, HOME: place });
    expect(await problemsOf(host)).toEqual([]);
    const next = await host.restarted("killed");
    await next.call("tunnel_join", { resume: hostId });
    await saidAndHeard(guest, next, "kept elsewhere");
  }, 60_000);
});

describe("a home in which nothing can be written", () => {
  it("has its stays in the runtime folder, and they survive a restart there", async () => {
    const nowhere = join(scratch(), "file");
    writeFileSync(nowhere, "no folder");
    const env = { HOME: join(nowhere, "home"), XDG_STATE_HOME: join(nowhere, "state") };
    const { host, guest, hostId } = await met(env, env);
    expect(await problemsOf(host)).toEqual([]);
    const next = await host.restarted("killed");
    expect((await resumable(next)).map(({ tunnelId }) => tunnelId)).toEqual([hostId]);
    await next.call("tunnel_join", { resume: hostId });
    await saidAndHeard(guest, next, "from the runtime folder");
    await next.call("tunnel_close");
  }, 60_000);
});

describe("a clock that jumps while nobody is there", () => {
  const HOURS = 3_600_000;

  async function jumped(ms: number, role: "host" | "guest") {
    const { host, guest, hostId, guestId } = await met();
    const [victim, other] = role === "host" ? [host, guest] : [guest, host];
    await victim.ended("killed");
    const file = join(scratch(), "clock.cjs");
    writeFileSync(file, `const now = Date.now; Date.now = () => now() + ${ms};`);
    victim.box.env["NODE_OPTIONS"] = `--require ${JSON.stringify(file)}`;
    const next = await victim.again();
    // What a start sweeps away is gone by then.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return { next, other, id: role === "host" ? hostId : guestId };
  }

  it.skipIf(process.platform === "win32").each(["host", "guest"] as const)(
    "back by hours takes nothing from a %s (on POSIX, where somebody else counts the time)",
    async (role) => {
      const { next, other, id } = await jumped(-2 * HOURS, role);
      const [only] = await resumable(next);
      expect(only).toMatchObject({ tunnelId: id });
      expect(only?.keptForSec).toBeLessThanOrEqual(600);
      await next.call("tunnel_join", { resume: id });
      await saidAndHeard(next, other, "what time is it?");
      await saidAndHeard(other, next, "time to go on");
    },
    60_000,
  );

  it.each(["host", "guest"] as const)(
    "forward by hours is the end of the time of a %s, and nothing is left",
    async (role) => {
      const { next, other, id } = await jumped(2 * HOURS, role);
      expect(await resumable(next)).toEqual([]);
      expect(await refusal(next, id)).toMatchObject({ code: "tunnel-unknown" });
      await until("nothing is left", () => staysOf(next).length === 0);
      await other.call("tunnel_status");
      // Another one is kept under the new time.
      const { tunnelId } = await next.call("tunnel_open", { goal: "in the new time" });
      const after = await next.restarted("killed");
      expect((await resumable(after)).map((one) => one.tunnelId)).toEqual([tunnelId]);
      await after.call("tunnel_join", { resume: tunnelId });
    },
    60_000,
  );
});

it.each(["killed", "closed"] as const)(
  "with 0 minutes a server that is %s leaves nothing, and the others are told as ever",
  async (how) => {
    const host = await Agent.start();
    const guest = await Agent.start();
    await pair(host, guest);
    expect([...staysOf(host), ...staysOf(guest)]).toEqual([]);
    await host.ended(how);
    const { ended, status } = await guest.call("tunnel_listen", { timeoutMs: 5_000 });
    // Of one that is killed nobody is told: its address may come back.
    if (how === "closed") expect(ended?.cause).toBe("host-stopped");
    else expect(status).toBe("reconnecting");
    expect((await guest.call("tunnel_status"))["hostAwayKeptForSec"]).toBeUndefined();
    const next = await host.again();
    expect(await resumable(next)).toEqual([]);
    expect((await refusal(next, "0123456789ab")).code).toBe("tunnel-unknown");
  },
  30_000,
);
