import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { posix, processTable, windows, type ProcessTable } from "../../src/children/identity.ts";
import type { ChildRecord } from "../../src/children/records.ts";
import { hasLeftovers } from "../../src/children/record-names.ts";
import { sendSignal } from "../../src/children/signals.ts";
import { sweep } from "../../src/children/sweep.ts";
import { fastClock } from "../support/fake-tunnel-clock.ts";
import { isRunning } from "../support/processes.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-sweep-test-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const WORLD = "boot-1 pid:[1]";
const SERVER = { pid: 100, start: "10" };
const GUARD = { pid: 101, start: "11" };
const CHILD = { pid: 102, start: "12" };
const LEFT = { world: WORLD, server: SERVER, guard: GUARD, child: CHILD };

/** A machine on which processes of these numbers and starts run; each ends by the signal that is named for it. */
function machine(running: Record<number, string>, endsBy: Record<number, NodeJS.Signals> = {}) {
  const processes = new Map(Object.entries(running).map(([pid, start]) => [Number(pid), start]));
  const sent: string[] = [];
  const table: ProcessTable = {
    startOf: (pid) => Promise.resolve(processes.get(pid)),
    groupOf: (pid) => Promise.resolve(processes.has(pid) && [101, 102].includes(pid) ? 101 : pid),
    isSameStart: (one, other) => one === other,
    world: () => Promise.resolve(WORLD),
  };
  const send = (target: number, signal: NodeJS.Signals): void => {
    sent.push(`${signal} ${target}`);
    for (const pid of target < 0 ? [101, 102] : [target])
      if (signal === (endsBy[pid] ?? "SIGTERM") || signal === "SIGKILL") processes.delete(pid);
  };
  return { table, send, sent, processes };
}

function record(content: unknown = LEFT, name = "child-100-102.json"): string {
  const file = join(root, name);
  // A sweep removes a folder with its last record.
  mkdirSync(root, { recursive: true, mode: 0o700 });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
  return file;
}

const swept = (
  { table, send }: ReturnType<typeof machine>,
  isCaredFor?: (record: ChildRecord) => Promise<boolean>,
): Promise<void> =>
  sweep({
    folders: [root, join(root, "nowhere")],
    platform: process.platform,
    clock: fastClock(20),
    table,
    send,
    ...(isCaredFor === undefined ? {} : { isCaredFor }),
  });

describe("the sweep of what killed servers left", () => {
  it("ends a child whose server and guard were killed, with its group, and removes the record", async () => {
    const left = machine({ 102: "12" });
    const file = record();
    await swept(left);
    expect([left.sent, existsSync(file)]).toEqual([["SIGTERM -101", "SIGKILL -101"], false]);
  });

  it("kills one that ignores SIGTERM, and a guard that was suspended", async () => {
    const left = machine({ 101: "11", 102: "12" }, { 101: "SIGKILL", 102: "SIGKILL" });
    record();
    await swept(left);
    expect(left.sent).toEqual(["SIGTERM -101", "SIGKILL -101"]);
    const alone = machine({ 101: "11" });
    record();
    await swept(alone);
    expect(alone.sent).toEqual(["SIGKILL 101"]);
  });

  it("ends a child that has left the group of its guard by its number alone", async () => {
    const left = machine({ 102: "12" });
    left.table.groupOf = () => Promise.resolve(102);
    record();
    await swept(left);
    expect(left.sent).toEqual(["SIGTERM 102"]);
  });

  it("leaves alone a process that has got the number of a child, of a guard or of a server since", async () => {
    const others = machine({ 100: "99", 101: "99", 102: "99" });
    const file = record();
    await swept(others);
    expect([others.sent, existsSync(file)]).toEqual([[], false]);
  });

  it("leaves alone the children and the records of a server that runs", async () => {
    const running = machine({ 100: "10", 101: "11", 102: "12" });
    const file = record();
    await swept(running);
    expect([running.sent, existsSync(file)]).toEqual([[], true]);
  });

  it("leaves alone a child that somebody takes care of after its server, and ends it when nobody does", async () => {
    const held = machine({ 102: "12" });
    const file = record({ ...LEFT, stay: "/a/stay" });
    const asked: unknown[] = [];
    const care = (isHeld: boolean) => (one: ChildRecord) => {
      asked.push([one.stay, one.child]);
      return Promise.resolve(isHeld);
    };
    await swept(held, care(true));
    expect([held.sent, existsSync(file), asked]).toEqual([[], true, [["/a/stay", CHILD]]]);
    await swept(held, care(false));
    expect([held.sent.length, existsSync(file)]).toEqual([2, false]);
  });

  it("leaves alone a child that another server has taken over while it looked", async () => {
    const taken = machine({ 102: "12" });
    const file = record({ ...LEFT, stay: "/a/stay" });
    await swept(taken, () => {
      rmSync(file);
      return Promise.resolve(false);
    });
    expect(taken.sent).toEqual([]);
  });

  it("leaves alone what belongs to another container, and removes what is from another boot", async () => {
    const here = machine({ 102: "12" });
    const elsewhere = record({ ...LEFT, world: "boot-1 pid:[2]" });
    const before = record({ ...LEFT, world: "boot-0 pid:[1]" }, "child-100-103.json");
    await swept(here);
    expect([here.sent, existsSync(elsewhere), existsSync(before)]).toEqual([[], true, false]);
  });

  it.each([
    ["garbage", "no json"],
    ["nothing", ""],
    ["a number that is none", { ...LEFT, child: { pid: -1, start: "12" } }],
    ["the number of init's group", { ...LEFT, child: { pid: 0, start: "12" } }],
    ["a fraction", { ...LEFT, child: { pid: 102.5, start: "12" } }],
    ["no start", { ...LEFT, child: { pid: 102 } }],
    ["too much", { ...LEFT, more: "x".repeat(5_000) }],
  ])("believes nothing of a record with %s, and removes it", async (_, content) => {
    const left = machine({ 102: "12", 0: "12", [-1]: "12" });
    const file = record(content);
    await swept(left);
    expect([left.sent, existsSync(file)]).toEqual([[], false]);
  });

  it.skipIf(process.platform === "win32")(
    "ignores files and folders that others can write to, and links",
    async () => {
      const left = machine({ 102: "12" });
      const open = record();
      chmodSync(open, 0o666);
      symlinkSync(record(LEFT, "elsewhere"), join(root, "child-100-104.json"));
      await swept(left);
      expect(left.sent).toEqual([]);
      chmodSync(open, 0o600);
      chmodSync(root, 0o777);
      await swept(left);
      expect([left.sent, existsSync(open)]).toEqual([[], true]);
    },
  );

  it("touches no file that is no record", async () => {
    const files = ["100.json", "100-abc.sock", "child-100.json", "child-0-1.json"].map((name) =>
      record(LEFT, name),
    );
    const left = machine({ 102: "12" });
    await swept(left);
    expect([left.sent, files.filter((file) => !existsSync(file))]).toEqual([[], []]);
  });

  it("is worth loading when a server of a record has gone, and not otherwise", async () => {
    const folders = [join(root, "nowhere"), root];
    expect(await hasLeftovers(folders, () => false)).toBe(false);
    record();
    expect(await hasLeftovers(folders, (pid) => pid === 100)).toBe(false);
    expect(await hasLeftovers(folders, () => false)).toBe(true);
  });
});

describe.skipIf(process.platform === "win32")("the sweep of real processes", () => {
  it("spares one that has got a recorded number since, and ends the recorded one, even if it ignores SIGTERM", async () => {
    const table = processTable(process.platform, process.env);
    const child = spawn("/bin/sh", ["-c", 'trap "" TERM; echo up; while :; do sleep 0.1; done']);
    const exited = once(child, "exit");
    await once(child.stdout, "data");
    const { pid = 0 } = child;
    const start = (await table.startOf(pid)) ?? "";
    const world = await table.world();
    const server = { pid: 2 ** 22 + 1, start: "1" };
    const real = {
      folders: [root],
      platform: process.platform,
      clock: fastClock(20),
      table,
      send: sendSignal,
    };
    record({ world, server, child: { pid, start: `${start}0` } });
    await sweep(real);
    expect([existsSync(root), isRunning(pid)]).toEqual([false, true]);
    // Its server runs: this very process.
    const own = { pid: process.pid, start: (await table.startOf(process.pid)) ?? "" };
    record({ world, server: own, child: { pid, start } });
    await sweep(real);
    expect(isRunning(pid)).toBe(true);
    record({ world, server, child: { pid, start } });
    await sweep(real);
    expect(await exited).toEqual([null, "SIGKILL"]);
  });
});

describe("the start of a process", () => {
  const own = processTable(process.platform, process.env);

  it.skipIf(process.platform === "win32")(
    "is the same at every look, and that of the right one",
    async () => {
      for (const table of new Set([own, posix])) {
        const [start, again, parent] = await Promise.all(
          [process.pid, process.pid, process.ppid].map((pid) => table.startOf(pid)),
        );
        expect(start).toMatch(/^\S/);
        expect([again, table.isSameStart(start ?? "", again ?? "-")]).toEqual([start, true]);
        expect(parent).toBeDefined();
        expect(await table.groupOf(process.pid)).toBeGreaterThan(0);
        expect(await table.startOf(2 ** 22 + 1)).toBeUndefined();
        expect(await table.groupOf(2 ** 22 + 1)).toBeUndefined();
      }
    },
  );

  it("is asked on Windows of PowerShell, by its full path, with the number in a variable", async () => {
    const asked: unknown[] = [];
    const table = windows({ systemroot: "D:\\Windows", SECRET: "x" }, (...question) => {
      asked.push(question);
      return Promise.resolve("1800000000123");
    });
    expect(await table.startOf(42)).toBe("1800000000123");
    expect(asked).toEqual([
      [
        "D:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
        ["-NoProfile", "-NonInteractive", "-Command", expect.stringContaining("$env:tunnel_child")],
        { systemroot: "D:\\Windows", tunnel_child: "42" },
      ],
    ]);
    // The clock of the parent has seen the start a little earlier.
    expect([
      table.isSameStart("1800000000000", "1800000001900"),
      table.isSameStart("1800000000000", "1800000002100"),
    ]).toEqual([true, false]);
    expect(table.isSameStart("", "no number")).toBe(false);
  });
});
