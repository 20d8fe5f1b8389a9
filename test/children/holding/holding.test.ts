import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isCaredFor } from "../../../src/children/holding/care-record.ts";
import { relieve } from "../../../src/children/holding/relieve.ts";
import { processTable } from "../../../src/children/identity.ts";
import { sendSignal } from "../../../src/children/signals.ts";
import { sweep } from "../../../src/children/sweep.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { atEnd } from "../../support/at-end.ts";
import { World, type Server } from "../../support/holding/servers.ts";
import { childrenOf, gone, isRunning, residentBytes, until } from "../../support/processes.ts";

/** The guard and the caretaker are shell scripts; nothing outlives a server on Windows. */
const POSIX = process.platform !== "win32";
const LINUX = process.platform === "linux";
const { platform } = process;
const clock = systemClock;
const table = processTable(platform, process.env);

/** Whether another program could have the port now. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const other = createServer();
    other.once("error", () => resolve(false));
    other.listen({ port, host: "127.0.0.1", exclusive: true }, () => other.close(() => resolve(true)));
  });
}

/** A process that has ended counts as such, also while nobody has asked for its end. */
const isAlive = async (pid: number): Promise<boolean> => (await table.startOf(pid)) !== undefined;

/** A sweep as that of a server that starts. */
const sweepAll = ({ records }: World): Promise<void> =>
  sweep({
    folders: [records],
    platform,
    clock,
    table,
    send: sendSignal,
    isCaredFor: async ({ stay, child }) =>
      stay !== undefined && (await isCaredFor(stay, child, table, platform)),
  });

const relieveHere = ({ stay, records }: World) =>
  relieve({ stay, recordFolders: [records], clock, platform, table });

/** Nothing that was started runs any more. */
async function allGone(world: World, ...servers: readonly Server[]): Promise<void> {
  const numbers = [...world.caretakers, ...servers.flatMap(({ guard, cloudflared }) => [guard, cloudflared])];
  for (const pid of [...numbers, ...world.running])
    await until(`process ${pid} gone`, async () => !(await isAlive(pid)));
}

describe.runIf(POSIX)("an address that is held", { timeout: 60_000 }, () => {
  it.each(["SIGKILL", "SIGTERM"] as const)(
    "leads to the next server after %s, by the same process and the same port",
    async (signal) => {
      const world = new World();
      const first = await world.server();
      expect(await world.visit(first.url)).toBe(String(first.pid));
      await first.kill(signal);
      expect(await isFree(first.port)).toBe(false);
      const second = await world.server({ resume: true });
      expect(second.latest).toEqual({ ...first.latest, state: "relieved" });
      expect(await world.visit(first.url)).toBe(String(second.pid));
      await second.close();
      await allGone(world, first);
      expect(await isFree(first.port)).toBe(true);
      expect([existsSync(world.records), world.careNames()]).toEqual([false, []]);
    },
  );

  it("is held again after each of several servers, however they end", async () => {
    const world = new World();
    const first = await world.server();
    let last = first;
    const ends = [() => last.leave(), () => last.kill(), () => last.close("exit")];
    for (const end of [...ends, ...ends]) {
      await end();
      last = await world.server({ resume: true });
      expect([last.state, await world.visit(first.url)]).toEqual(["relieved", String(last.pid)]);
    }
    expect([world.running, world.careNames().length]).toEqual([[first.cloudflared], 1]);
  });

  it("answers nobody meanwhile, and cuts those who wait when the next server is there", async () => {
    const world = new World();
    const first = await world.server();
    await first.kill();
    const waiting = [1, 2, 3].map(() => world.visit(first.url, 20_000));
    const soon = new Promise((resolve) => setTimeout(resolve, 500, "nothing yet"));
    expect(await Promise.race([...waiting, soon])).toBe("nothing yet");
    const second = await world.server({ resume: true });
    expect(second.port).toBe(first.port);
    expect(await Promise.all(waiting)).toEqual(["502", "502", "502"]);
    expect(await world.visit(first.url)).toBe(String(second.pid));
  });

  it("is the first one; a spare one ends at once", async () => {
    const world = new World();
    const first = await world.server({ standby: true });
    await until("it has a spare address", () => first.latest.urls.length === 2);
    expect(world.running).toHaveLength(2);
    await first.kill();
    await until("one is left", () => world.running.length === 1);
    expect(world.running).toEqual([first.cloudflared]);
    const second = await world.server({ resume: true, standby: true });
    await until("it has a spare address", () => second.latest.urls.length === 2);
    await second.leave();
    expect(world.running).toEqual([first.cloudflared]);
    expect((await world.server({ resume: true })).url).toBe(first.url);
  });

  it("is the one that took the place of another that had ended", async () => {
    const world = new World();
    const first = await world.server();
    const { url, cloudflared } = first;
    process.kill(cloudflared, "SIGKILL");
    await until("there is another", () => first.url !== url && first.url !== "");
    await first.kill();
    const second = await world.server({ resume: true });
    expect(second.url).toBe(first.url);
    expect(await world.visit(second.url)).toBe(String(second.pid));
  });

  it("is replaced by a server that has taken it over when its process ends, or its guard", async () => {
    const world = new World();
    const first = await world.server();
    await first.kill();
    const second = await world.server({ resume: true });
    const { url, cloudflared } = second;
    process.kill(cloudflared, "SIGKILL");
    await until("there is another", () => second.url !== url && second.url !== "");
    await second.kill();
    const third = await world.server({ resume: true });
    expect(third.url).toBe(second.url);
    const { cloudflared: orphan } = third;
    process.kill(third.guard, "SIGKILL");
    await gone(orphan);
    await until("there is another", () => third.url !== second.url && third.url !== "");
    expect(await world.visit(third.url)).toBe(String(third.pid));
  });

  it("is over after its time, with everything of the stay, and the port only after its program", async () => {
    const world = new World({ FAKE_CF_STUBBORN: "1" });
    const first = await world.server({ keptMs: 2_000 });
    world.caretaker();
    await first.kill();
    const since = Date.now();
    let freed = false;
    while (!freed) {
      const isThere = await isAlive(first.cloudflared);
      freed = await isFree(first.port);
      if (freed) expect(isThere).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const tookMs = Date.now() - since;
    expect(tookMs).toBeGreaterThan(1_900);
    // Two for the program to end, and the steps of both scripts.
    expect(tookMs).toBeLessThan(8_000);
    await allGone(world, first);
    expect(readdirSync(world.root)).not.toContain("stay");
    expect(readdirSync(world.root)).not.toContain("stay.over");
    expect((await world.server({ resume: true })).state).toBe("over");
  });

  it("is had in full or not at all by a server that comes just when its time is over", async () => {
    const outcome = async (afterMs: number): Promise<string> => {
      const world = new World();
      const first = await world.server({ keptMs: 1_000 });
      world.caretaker();
      await first.kill();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      const second = await world.server({ resume: true });
      const { state } = second;
      if (state === "relieved") {
        // Its address may be about to end, and is replaced then.
        await until("it is reached", async () => (await world.visit(second.url)) === String(second.pid));
        expect(existsSync(world.stay)).toBe(true);
        world.caretaker();
        await second.close();
      } else expect([state, existsSync(world.stay)]).toEqual(["over", false]);
      await allGone(world, first, second);
      return state;
    };
    const outcomes = await Promise.all([0, 800, 950, 1_100, 1_300, 1_600, 5_000].map(outcome));
    expect(new Set(outcomes)).toEqual(new Set(["relieved", "over"]));
  });

  it("is one server's alone, where several take the stay over at once", async () => {
    for (let times = 0; times < 3; times += 1) {
      const world = new World();
      const first = await world.server();
      await first.kill();
      const racers = await Promise.all([1, 2, 3, 4].map(() => world.server({ resume: true })));
      expect(racers.map(({ state }) => state).toSorted()).toEqual(["busy", "busy", "busy", "relieved"]);
      const winner = racers.find(({ state }) => state === "relieved");
      expect(winner?.url).toBe(first.url);
      expect(await world.visit(first.url)).toBe(String(winner?.pid));
      expect(world.running).toEqual([first.cloudflared]);
    }
  });

  it("belongs to the server that runs", async () => {
    const world = new World();
    const first = await world.server();
    expect((await world.server({ resume: true })).state).toBe("busy");
    expect(await world.visit(first.url)).toBe(String(first.pid));
  });

  it("ends with a caretaker that is killed, and the stay can still be taken up", async () => {
    const world = new World();
    const first = await world.server();
    const caretaker = world.caretaker();
    await first.kill();
    process.kill(caretaker, "SIGKILL");
    await allGone(world, first);
    const second = await world.server({ resume: true });
    expect([second.state, second.url === first.url]).toEqual(["relieved", false]);
    expect(await world.visit(second.url)).toBe(String(second.pid));
  });

  it("is held by another caretaker, where one was killed before the server", async () => {
    const world = new World();
    const first = await world.server();
    const caretaker = world.caretaker();
    process.kill(caretaker, "SIGTERM");
    await until("there is another", () => world.caretaker() !== caretaker);
    // It is asked to hold when it starts, before its record is written.
    await first.kill();
    const second = await world.server({ resume: true });
    expect([second.state, second.url]).toEqual(["relieved", first.url]);
  });

  it.each(["relieved", "listening"] as const)(
    "leaves nothing where the next server is killed when it is %s",
    async (dieAt) => {
      const world = new World();
      const first = await world.server();
      world.caretaker();
      await first.kill();
      const second = await world.server({ resume: true, dieAt });
      expect(second.state).toBe("dead");
      await allGone(world, first);
      expect(await isFree(first.port)).toBe(true);
      const third = await world.server({ resume: true });
      expect([third.state, third.url === first.url]).toEqual(["relieved", false]);
    },
  );

  it("never leads to a program that took the port before the next server had it", async () => {
    const world = new World();
    const first = await world.server();
    await first.kill();
    const waiting = world.visit(first.url, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const relief = await relieveHere(world);
    const address = relief.state === "relieved" ? relief.address : undefined;
    expect(address?.port).toBe(first.port);
    const visitors: unknown[] = [];
    const thief = createServer((socket) => void visitors.push(socket.end("mine")));
    await new Promise<void>((resolve) => void thief.listen(first.port, "127.0.0.1", () => resolve()));
    atEnd(() => void thief.close());
    const another = world.visit(first.url, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await address?.letGo();
    expect(await Promise.all([waiting, another])).toEqual([
      expect.stringMatching(/hang up|ECONN/),
      expect.stringMatching(/hang up|ECONN/),
    ]);
    expect(visitors).toEqual([]);
    await allGone(world, first);
  });

  it("is not taken for one that was left behind, until nobody holds it", async () => {
    const world = new World();
    const first = await world.server();
    const caretaker = world.caretaker();
    await first.kill();
    await sweepAll(world);
    expect(isRunning(first.cloudflared)).toBe(true);
    const second = await world.server({ resume: true });
    await sweepAll(world);
    expect(await world.visit(first.url)).toBe(String(second.pid));
    // All that could end it is killed in one moment.
    expect(await isAlive(caretaker)).toBe(false);
    const watcher = childrenOf(second.guard).filter((pid) => pid !== second.cloudflared);
    for (const pid of [second.guard, ...watcher, world.caretaker(), second.pid]) process.kill(pid, "SIGKILL");
    await gone(second.pid);
    expect(isRunning(first.cloudflared)).toBe(true);
    await sweepAll(world);
    await gone(first.cloudflared);
    expect(readdirSync(world.root)).not.toContain("records");
  });

  it("is out of reach from another container, and gone with another boot", async () => {
    const world = new World();
    const first = await world.server();
    await first.kill();
    const here = await table.world();
    const relieveIn = (other: string) =>
      relieve({
        stay: world.stay,
        recordFolders: [world.records],
        clock,
        platform,
        table: { ...table, world: () => Promise.resolve(other) },
      });
    const [boot = ""] = here.split(" ");
    if (LINUX) expect(await relieveIn(`${boot} pid:[1]`)).toEqual({ state: "busy" });
    expect(await relieveIn("another boot")).toEqual({ state: "relieved", address: undefined });
    expect(isRunning(first.cloudflared)).toBe(true);
  });

  it("is taken from a server that runs only by who has the lock of the stay", async () => {
    const world = new World();
    const first = await world.server();
    expect(await relieveHere(world)).toEqual({ state: "busy" });
    const { stay, records } = world;
    const options = { stay, recordFolders: [records], clock, platform, table };
    const { state } = await relieve({ ...options, isLocked: true });
    expect(state).toBe("relieved");
    await first.kill();
  });

  it("is not led by a copy of the stay", async () => {
    const world = new World();
    const first = await world.server();
    await first.kill();
    const copy = join(world.root, "copy");
    // A copy cannot hold named pipes open, and those of the original are known by their place.
    cpSync(world.stay, copy, { recursive: true, filter: (from) => !/tunnel-mcp-/.test(from) });
    const relief = await relieve({ stay: copy, recordFolders: [world.records], clock, platform, table });
    expect(relief).toEqual({ state: "relieved", address: undefined });
    const second = await world.server({ resume: true });
    expect(second.url).toBe(first.url);
  });

  it("is none for a guest, whose stay is kept for its time and removed afterwards", async () => {
    const world = new World();
    const caretakers = async (): Promise<number> => {
      await until("it has a caretaker", () => world.careNames().length === 1);
      return world.caretaker();
    };
    const first = await world.server({ guest: true, keptMs: 3_000 });
    await caretakers();
    await first.kill();
    const second = await world.server({ guest: true, keptMs: 2_000, resume: true });
    expect(second.state).toBe("relieved");
    await caretakers();
    // The first caretaker counts no more.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(existsSync(world.stay)).toBe(true);
    await second.leave();
    await until("the stay is gone", () => !existsSync(world.stay));
    await allGone(world);
  });

  it("is none where nothing is kept: everything ends with the server, as ever", async () => {
    const world = new World();
    const first = await world.server({ keptMs: 0 });
    expect([world.careNames(), readdirSync(world.stay), first.latest.held]).toEqual([[], [], undefined]);
    await first.kill();
    await until("nothing is left", () => world.running.length === 0, 5_000);
    expect([await isFree(first.port), existsSync(world.stay)]).toEqual([true, true]);
  });

  it.runIf(LINUX)("costs less than 4 MB while it is held", async () => {
    const world = new World();
    const first = await world.server();
    const caretaker = world.caretaker();
    await first.kill();
    await until("it counts and empties", () => childrenOf(caretaker).length === 3);
    const all = [caretaker, first.guard].flatMap((pid) => [pid, ...childrenOf(pid)]);
    const held = all.filter((pid) => pid !== first.cloudflared);
    const proportional = (pid: number): number =>
      1_024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
    const sum = (numbers: readonly number[]): number => numbers.reduce((one, other) => one + other, 0);
    const bytes = sum(held.map(proportional));
    expect(bytes).toBeLessThan(4_000_000);
    for (const pid of held) expect(residentBytes(pid)).toBeLessThan(4_000_000);
  });
});
