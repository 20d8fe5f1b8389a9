import { describe, expect, it } from "vitest";
import type { ProcessTable } from "../../../src/children/identity.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import type { Disk } from "../../../src/session/stays/disk.ts";
import { isLocked, takeLock, type LockOptions } from "../../../src/session/stays/lock.ts";
import { fastClock } from "../../support/fake-tunnel-clock.ts";
import { rejectedWith } from "../../support/rejection.ts";
import { FakeDisk } from "./fake-disk.ts";

const FOLDER = "/stays/one";
const HERE = { world: "boot-1 pid:[1]", boot: "boot-1" };

function machine() {
  const disk = new FakeDisk();
  const starts = new Map<number, string>();
  const table: ProcessTable = {
    startOf: (pid) => Promise.resolve(starts.get(pid)),
    groupOf: () => Promise.resolve(undefined),
    isSameStart: (one, other) => one === other,
    world: () => Promise.resolve(HERE.world),
  };
  const by = (pid: number, where = HERE): LockOptions => {
    const start = starts.get(pid) ?? `started-${pid}`;
    starts.set(pid, start);
    return { disk, folder: FOLDER, clock: fastClock(1_000), table, self: { pid, start, ...where } };
  };
  return { disk, starts, by };
}

describe("the lock of a stay", () => {
  it("is had by one process at a time, and ends with that, however it ends", async () => {
    const { by, starts } = machine();
    const first = await takeLock(by(1));
    expect(await rejectedWith(takeLock(by(2)))).toBe("stay-in-use");
    expect(await isLocked(by(2))).toBe(true);
    starts.delete(1);
    expect(await isLocked(by(2))).toBe(false);
    const second = await takeLock(by(2));
    expect(second.epoch).toBeGreaterThan(first.epoch);
    expect(await rejectedWith(takeLock(by(3)))).toBe("stay-in-use");
  });

  it("is not kept by another process that has been given the number of a dead one", async () => {
    const { by, starts } = machine();
    await takeLock(by(1));
    starts.set(1, "another start");
    await expect(takeLock(by(2))).resolves.toMatchObject({ epoch: 2 });
  });

  it("is given back by a process that goes on", async () => {
    const { by } = machine();
    (await takeLock(by(1))).release();
    expect(await isLocked(by(2))).toBe(false);
    await expect(takeLock(by(2))).resolves.toMatchObject({ epoch: 2 });
  });

  it("needs not be given back where it cannot be", async () => {
    const { by, disk } = machine();
    const lock = await takeLock(by(1));
    for (const name of disk.list(FOLDER)) disk.remove(`${FOLDER}/${name}`);
    expect(lock.release()).toBeUndefined();
    expect(disk.list(FOLDER)).toEqual([]);
  });

  it("of two that take it at once one gets it", async () => {
    for (let round = 0; round < 50; round += 1) {
      const { by, starts } = machine();
      await takeLock(by(1));
      starts.delete(1);
      const takers = await Promise.allSettled([2, 3, 4, 5].map((pid) => takeLock(by(pid))));
      expect(takers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
  });

  it("is not had by a process that was stopped while another one took the next", async () => {
    const { by, disk, starts } = machine();
    await takeLock(by(1));
    starts.delete(1);
    const slow = by(2);
    let isStopped = false;
    const stopping: Disk = {
      list: (folder) => disk.list(folder),
      read: (file, maxBytes) => disk.read(file, maxBytes),
      openAt: (file, length) => disk.openAt(file, length),
      rename: (from, to) => disk.rename(from, to),
      remove: (file) => disk.remove(file),
      syncFolder: (folder) => disk.syncFolder(folder),
      create: (file) => {
        const made = disk.create(file);
        // Another one has found this lock empty for too long, meanwhile.
        if (!isStopped) disk.create(`${FOLDER}/lock-9`)?.write(encodeUtf8("{}"));
        isStopped = true;
        return made;
      },
    };
    expect(await rejectedWith(takeLock({ ...slow, disk: stopping }))).toBe("stay-in-use");
    expect(disk.list(FOLDER)).toContain("lock-9");
    expect(disk.list(FOLDER)).not.toContain("lock-2");
  });

  it("of an earlier start of the machine is nobody's, and of another container may be somebody's", async () => {
    const { by, starts } = machine();
    await takeLock(by(1, { world: "boot-0 pid:[1]", boot: "boot-0" }));
    // The number is given out again.
    starts.set(1, "started-1");
    await expect(takeLock(by(2, { world: "boot-1 pid:[2]", boot: "boot-1" }))).resolves.toMatchObject({
      epoch: 2,
    });
    starts.delete(2);
    expect(await rejectedWith(takeLock(by(3)))).toBe("stay-in-use");
  });

  it("that was never written is nobody's", async () => {
    const { by, disk } = machine();
    disk.create(`${FOLDER}/lock-3`)?.close();
    await expect(takeLock(by(1))).resolves.toMatchObject({ epoch: 4 });
    expect(disk.list(FOLDER)).toEqual(["lock-4"]);
  });
});
