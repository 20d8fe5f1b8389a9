import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ProcessTable } from "../../../src/children/identity.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { nodeDisk } from "../../../src/session/stays/node-disk.ts";
import { compacted } from "../../../src/session/compaction.ts";
import { Stays, type StaysOptions } from "../../../src/session/stays/stays.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { rejectedWith } from "../../support/rejection.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "stays-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const ID = "0123456789ab";
const KEEP_MS = 600_000;

/** A process of the machine: its number is that of the test, and under that the process runs which started as `running` says. */
function aProcess(running: readonly string[], changed: Partial<StaysOptions> = {}): Stays {
  const clock = new FakeClock();
  const table: ProcessTable = {
    startOf: () => Promise.resolve(running[0]),
    groupOf: () => Promise.resolve(undefined),
    isSameStart: (one, other) => one === other,
    world: () => Promise.resolve("boot-1 pid:[1]"),
  };
  return new Stays({
    disk: nodeDisk,
    folders: [path.join(root, "tunnel-mcp")],
    platform: "linux",
    clock: { now: () => Date.now(), after: (ms, callback) => clock.after(ms, callback) },
    table,
    primitives: nodePrimitives,
    keepMs: KEEP_MS,
    compact: (changes, now) => compacted(nodePrimitives, changes, now),
    onFailure: (_, error) => expect.fail(error.message),
    ...changed,
  });
}

const folder = () => path.join(root, "tunnel-mcp", "stays", ID);

describe("the stays of a user", () => {
  it("are had by the process that began them, and by the next one when that is gone", async () => {
    const running = ["first"];
    const first = aProcess(running);
    const kept = await first.begin(ID);
    kept?.keep(encodeUtf8("machine"), "written");
    kept?.keepBeside(encodeUtf8("session"));
    kept?.write();

    const second = aProcess(running);
    expect(await second.resumable()).toEqual([]);
    expect(await rejectedWith(second.resume(ID))).toBe("stay-in-use");

    running[0] = "third";
    const third = aProcess(running);
    const [found] = await third.resumable();
    expect(found?.tunnelId).toBe(ID);
    expect(found?.changes).toEqual({ machine: [encodeUtf8("machine")], session: [encodeUtf8("session")] });
    expect(found?.keptForMs).toBeGreaterThan(KEEP_MS - 60_000);
    const { changes, floors } = await third.resume(ID);
    expect(changes).toEqual(found?.changes);
    expect(floors).toEqual({ said: 0, placed: 0 });
    expect(await third.resumable()).toEqual([]);
  });

  it("are given over by a process that ends in peace", async () => {
    const running = ["first"];
    const kept = await aProcess(running).begin(ID);
    kept?.keep(encodeUtf8("machine"), "written");
    kept?.leave();
    const { changes } = await aProcess(running).resume(ID);
    expect(changes.machine).toEqual([encodeUtf8("machine")]);
  });

  it("leave nothing when they are over, or when nothing is to be kept", async () => {
    const running = ["first"];
    const kept = await aProcess(running).begin(ID);
    expect(readdirSync(folder()).toSorted()).toEqual(["1.journal", "alive", "lock-1"]);
    await kept?.remove();
    expect(existsSync(folder())).toBe(false);
    expect(await aProcess(running, { keepMs: 0 }).begin(ID)).toBeUndefined();
    expect(existsSync(folder())).toBe(false);
  });

  it("are gone for everybody when their time is over", async () => {
    const running = ["first"];
    const kept = await aProcess(running).begin(ID);
    kept?.leave();
    const later = { now: () => Date.now() + KEEP_MS + 1_000, after: () => () => undefined };
    const late = aProcess(running, { clock: later });
    expect(await late.resumable()).toEqual([]);
    expect(await rejectedWith(late.resume(ID))).toBe("tunnel-unknown");
    await late.sweep();
    expect(existsSync(folder())).toBe(false);
  });

  it("that cannot be read are not offered, and are refused with their code", async () => {
    const running = ["first"];
    const kept = await aProcess(running).begin(ID);
    kept?.leave();
    writeFileSync(path.join(folder(), "1.journal"), "something else");
    expect(await aProcess(running).resumable()).toEqual([]);
    expect(await rejectedWith(aProcess(running).resume(ID))).toBe("stay-unreadable");
  });

  it("are none where the disk takes nothing", async () => {
    writeFileSync(path.join(root, "file"), "");
    const none = aProcess(["first"], { folders: [path.join(root, "file", "tunnel-mcp")] });
    expect(await none.begin(ID)).toBeUndefined();
    expect(await none.resumable()).toEqual([]);
    await none.sweep();
  });
});
