import { constants, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { ChildHandover } from "../../../src/children/child.ts";
import { AdoptedChild } from "../../../src/children/holding/adopted-child.ts";
import { findCare } from "../../../src/children/holding/care-record.ts";
import { startCaretaker } from "../../../src/children/holding/caretaker.ts";
import { processTable } from "../../../src/children/identity.ts";
import { lineReader } from "../../../src/children/lines.ts";
import { startChild } from "../../../src/children/start.ts";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { atEnd } from "../../support/at-end.ts";
import { isRunning, until } from "../../support/processes.ts";

const { platform } = process;
const table = processTable(platform, process.env);
const isAlive = async (pid: number): Promise<boolean> => (await table.startOf(pid)) !== undefined;

let stay = "";
beforeEach(() => {
  stay = mkdtempSync(join(tmpdir(), "tunnel-adopted-"));
  mkdirSync(join(stay, "child"));
  atEnd(() => rmSync(stay, { recursive: true, force: true }));
});

const records = (): string => join(stay, "records");

/** A child that may be held, with all that it says on stderr. */
async function born(script: string) {
  const said: string[] = [];
  const child = startChild({
    file: "/bin/sh",
    args: ["-c", script],
    env: { PATH: process.env["PATH"] ?? "" },
    cwd: stay,
    clock,
    stderr: lineReader((line) => void said.push(line)),
    recordFolders: [records()],
    held: { stay, folder: join(stay, "child") },
  });
  await until("it has begun", () => said.length > 0);
  const handover = child.handover?.();
  if (handover === undefined) throw new Error("it cannot be handed over");
  atEnd(async () => {
    if (await isAlive(handover.guard.pid)) process.kill(-handover.guard.pid, "SIGKILL");
  });
  return { child, handover, said };
}

/** The same child as another process has it. */
function adopted(handover: ChildHandover) {
  const said: string[] = [];
  const lead = openSync(join(handover.folder, "lead"), constants.O_RDWR | constants.O_NONBLOCK);
  const adopt = (): AdoptedChild =>
    new AdoptedChild({
      handover,
      lead,
      record: undefined,
      table,
      options: { clock, stderr: lineReader((line) => void said.push(line)) },
    });
  return { adopt, said };
}

describe.runIf(platform !== "win32")("a child that is adopted", { timeout: 20_000 }, () => {
  it.each([
    ["exit 0", { code: 0 }],
    ["exit 7", { code: 7 }],
    ["kill -SEGV $$", { signal: "SIGSEGV" }],
  ])("is heard on, and that it ends by `%s` is told exactly", async (end, exit) => {
    const { child, handover } = await born(
      `trap 'echo more >&2; ${end}' USR1; echo begun >&2; while :; do sleep 0.05; done`,
    );
    const { adopt, said } = adopted(handover);
    child.leave?.();
    const second = adopt();
    expect([second.exit(), second.handover()]).toEqual([undefined, handover]);
    process.kill(handover.child.pid, "SIGUSR1");
    expect(await second.exited).toEqual(exit);
    expect([said, second.exit(), second.handover()]).toEqual([["more", ""], exit, undefined]);
    expect(existsSync(handover.folder)).toBe(false);
    await second.stop();
  });

  it("goes on from where it was stopped, and is ended in order", async () => {
    const { child, handover } = await born("echo begun >&2; exec sleep 60");
    const { adopt } = adopted(handover);
    child.leave?.();
    process.kill(handover.child.pid, "SIGSTOP");
    const second = adopt();
    const before = Date.now();
    await Promise.all([second.stop(), second.stop()]);
    expect(Date.now() - before).toBeLessThan(1_500);
    expect(second.exit()).toEqual({ signal: "SIGTERM" });
    await until("its guard has ended", async () => !(await isAlive(handover.guard.pid)));
  });

  it("that ignores SIGTERM is killed, with what it has started", async () => {
    const { child, handover } = await born("trap '' TERM; echo begun >&2; while :; do sleep 0.1; done");
    const { adopt } = adopted(handover);
    child.leave?.();
    const second = adopt();
    await second.stop();
    expect(second.exit()).toEqual({ signal: "SIGKILL" });
  });

  it("is ended where its guard is killed, since nobody else could", async () => {
    const { child, handover } = await born("echo begun >&2; exec sleep 60");
    const { adopt } = adopted(handover);
    child.leave?.();
    const second = adopt();
    process.kill(handover.guard.pid, "SIGKILL");
    await second.exited;
    expect(await isAlive(handover.child.pid)).toBe(false);
  });

  it("can be left again, and ends at once where nobody holds it", async () => {
    const { child, handover } = await born("echo begun >&2; exec sleep 60");
    const { adopt } = adopted(handover);
    child.leave?.();
    const second = adopt();
    second.leave();
    second.leave();
    await until("it has ended", async () => !(await isAlive(handover.child.pid)));
    expect(second.exit()).toBeUndefined();
  });
});

describe.runIf(platform !== "win32")("a caretaker", { timeout: 20_000 }, () => {
  const start = (keptMs = 60_000) => startCaretaker({ stay, keptMs, env: process.env, clock, table });
  const care = async () => (await findCare(stay, platform))[0]?.care;

  it("is none where nothing is kept, nor on Windows", () => {
    expect(start(0)).toBeUndefined();
    expect(startCaretaker({ stay, keptMs: 1, env: process.env, clock, platform: "win32" })).toBeUndefined();
  });

  it("holds the last child that it was told to hold, and no other", async () => {
    const caretaker = start();
    const [one, other] = [await born("echo 1 >&2; exec sleep 60"), await born("echo 2 >&2; exec sleep 60")];
    const address = (handover: ChildHandover) => ({ port: 1_234, child: handover, facts: "" });
    await Promise.all([
      caretaker?.hold(address(other.handover)),
      caretaker?.hold(undefined),
      caretaker?.hold(address(one.handover)),
      caretaker?.hold(address(other.handover)),
    ]);
    expect((await care())?.address).toEqual(address(other.handover));
    one.child.leave?.();
    other.child.leave?.();
    await until("the one has ended", async () => !(await isAlive(one.handover.child.pid)));
    expect(isRunning(other.handover.child.pid)).toBe(true);
    await caretaker?.end();
    await until("the other one, too", async () => !(await isAlive(other.handover.child.pid)));
    expect(readdirSync(stay).toSorted()).toEqual(["child", "records"]);
  });

  it("is replaced when somebody ends it, but not for ever", async () => {
    const caretaker = start();
    const seen = new Set<number>();
    for (let times = 0; times < 4; times += 1) {
      await until("there is another", async () => {
        const pid = (await care())?.caretaker.pid ?? 0;
        return pid !== 0 && !seen.has(pid);
      });
      const pid = (await care())?.caretaker.pid ?? 0;
      seen.add(pid);
      process.kill(pid, "SIGKILL");
    }
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(seen.has((await care())?.caretaker.pid ?? 0)).toBe(true);
    await caretaker?.hold(undefined);
    expect(seen.has((await care())?.caretaker.pid ?? 0)).toBe(false);
    await caretaker?.end();
    expect(await care()).toBeUndefined();
  });
});
