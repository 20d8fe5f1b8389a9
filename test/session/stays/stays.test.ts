import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Caretaker } from "../../../src/children/holding/caretaker.ts";
import type { Relief } from "../../../src/children/holding/relieve.ts";
import type { ProcessTable } from "../../../src/children/identity.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { nodeDisk } from "../../../src/session/stays/node-disk.ts";
import { compacted } from "../../../src/session/keeping/compaction.ts";
import { BEAT_MS } from "../../../src/session/stays/places.ts";
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
const CHILD = { folder: "/", guard: { pid: 1, start: "1" }, child: { pid: 2, start: "1" } };

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
    expect(await second.left()).toEqual([]);
    expect(await rejectedWith(second.resume(ID))).toBe("stay-in-use");

    running[0] = "third";
    const third = aProcess(running);
    const [found] = await third.left();
    expect(found?.tunnelId).toBe(ID);
    expect(found?.read()).toEqual({ machine: [encodeUtf8("machine")], session: [encodeUtf8("session")] });
    expect(found?.keptForMs).toBeGreaterThan(KEEP_MS - 60_000);
    const { changes, floors } = await third.resume(ID);
    expect(changes).toEqual(found?.read());
    expect(floors).toEqual({ said: 0, placed: 0 });
    expect(await third.left()).toEqual([]);
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
    const later = { now: () => Date.now() + KEEP_MS + BEAT_MS + 1_000, after: () => () => undefined };
    const late = aProcess(running, { clock: later });
    expect(await late.left()).toEqual([]);
    expect(await rejectedWith(late.resume(ID))).toBe("tunnel-unknown");
    await late.sweep();
    expect(existsSync(folder())).toBe(false);
  });

  it("that cannot be read are not offered, and are refused with their code", async () => {
    const running = ["first"];
    const kept = await aProcess(running).begin(ID);
    kept?.leave();
    writeFileSync(path.join(folder(), "1.journal"), "something else");
    const [unreadable] = await aProcess(running).left();
    expect(unreadable?.read()).toBeUndefined();
    expect(await rejectedWith(aProcess(running).resume(ID))).toBe("stay-unreadable");
  });

  it("are none where the disk takes nothing", async () => {
    writeFileSync(path.join(root, "file"), "");
    const none = aProcess(["first"], { folders: [path.join(root, "file", "tunnel-mcp")] });
    expect(await none.begin(ID)).toBeUndefined();
    expect(await none.left()).toEqual([]);
    await none.sweep();
  });

  it("have somebody who takes care of them, and are relieved of that before they are read", async () => {
    const running = ["first"];
    const events: string[] = [];
    const care = (): Caretaker => ({
      hold: (address) => {
        events.push(`hold ${address?.facts ?? "nothing"}`);
        return Promise.resolve();
      },
      leave: () => void events.push("leave"),
      end: () => {
        events.push("end");
        return Promise.resolve();
      },
    });
    const letGo = (): Promise<void> => {
      events.push("let go");
      return Promise.resolve();
    };
    const address = { port: 1, facts: "", letGo, adopt: () => expect.fail("nobody adopts it") };
    let relief: Relief = { state: "relieved", address };
    const holding: StaysOptions["holding"] = {
      care: ({ keptMs, listening }) => {
        events.push(`care ${keptMs} ${listening?.() ?? "alone"}`);
        return care();
      },
      relieve: (stay) => {
        events.push(`relieve ${path.basename(stay)}`);
        return Promise.resolve(relief);
      },
    };
    const told = (): string[] => events.splice(0);
    const kept = await aProcess(running, { holding }).begin(ID);
    expect(told()).toEqual([]);
    const first = { port: 1, facts: "an address", child: CHILD };
    await kept?.care({ listening: () => 7, address: first });
    await kept?.care({ listening: () => 8 });
    kept?.hold({ ...first, facts: "the next one" });
    expect(told()).toEqual([`care ${KEEP_MS} 7`, "hold an address", "hold the next one"]);
    kept?.leave();
    expect(told()).toEqual(["leave"]);

    relief = { state: "busy" };
    expect(await rejectedWith(aProcess(running, { holding }).resume(ID))).toBe("stay-in-use");
    relief = { state: "over" };
    expect(await rejectedWith(aProcess(running, { holding }).resume(ID))).toBe("tunnel-unknown");
    told();
    relief = { state: "relieved", address };
    const next = await aProcess(running, { holding }).resume(ID);
    expect(next.address).toBe(address);
    expect(told()).toEqual([`relieve ${ID}`]);
    await next.kept.care();
    await next.kept.remove();
    expect(told()).toEqual([`care ${KEEP_MS} alone`, "hold nothing", "end"]);
  });

  it("that cannot be read have their time as well, and what was held for them is let go", async () => {
    const running = ["first"];
    const kept = await aProcess(running).begin(ID);
    kept?.leave();
    for (const name of readdirSync(folder()))
      if (name.endsWith(".journal")) writeFileSync(path.join(folder(), name), "no journal");
    const events: string[] = [];
    const letGo = (): Promise<void> => Promise.resolve(void events.push("let go"));
    const address = { port: 1, facts: "", letGo, adopt: () => expect.fail("nobody adopts it") };
    const holding: StaysOptions["holding"] = {
      care: ({ keptMs }) => {
        events.push(keptMs > 0 && keptMs <= KEEP_MS ? "care" : `care ${keptMs}`);
        const hold = (): Promise<void> => Promise.resolve(void events.push("hold"));
        return { hold, leave: () => void events.push("leave"), end: () => Promise.resolve() };
      },
      relieve: () => Promise.resolve({ state: "relieved", address }),
    };
    expect(await rejectedWith(aProcess(running, { holding }).resume(ID))).toBe("stay-unreadable");
    expect(events).toEqual(["let go", "care", "hold", "leave"]);
  });
});

describe("what lies beside the journal of a stay", () => {
  const NAME = "ab".repeat(16);

  it("is this user's alone, as it was, and of its own name alone", async () => {
    const kept = await aProcess(["first"]).begin(ID);
    const bytes = encodeUtf8("in memory");
    expect(kept?.keepContent(NAME, bytes)).toBe(true);
    expect(kept?.content(NAME, 100)).toEqual(bytes);
    expect(kept?.content(NAME, 3)).toBeUndefined();
    if (process.platform !== "win32")
      expect(statSync(path.join(folder(), `${NAME}.content`)).mode & 0o777).toBe(0o600);
    for (const name of ["../ab", "alive", ""]) expect(kept?.keepContent(name, bytes)).toBe(false);
    // There already, and no second time.
    expect(kept?.keepContent(NAME, bytes)).toBe(true);
    kept?.forgetContent(NAME);
    expect(kept?.content(NAME, 100)).toBeUndefined();
  });

  it("is nothing at all on a disk that takes half of it", async () => {
    const full: StaysOptions["disk"] = {
      ...nodeDisk,
      create(file) {
        const made = nodeDisk.create(file);
        if (made === undefined || !file.endsWith(".content")) return made;
        const write = (bytes: Uint8Array): void => {
          made.write(bytes.subarray(0, 3));
          throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
        };
        return { ...made, identity: made.identity, write, close: () => made.close() };
      },
    };
    const kept = await aProcess(["first"], { disk: full }).begin(ID);
    expect(kept?.keepContent(NAME, encodeUtf8("in memory"))).toBe(false);
    expect(readdirSync(folder()).filter((name) => name.endsWith(".content"))).toEqual([]);
    expect(kept?.isKept).toBe(true);
  });
});

describe("unfinished files that lie elsewhere", () => {
  const partNamed = (tag: string): string => {
    const part = path.join(root, "project", `.${tag}.tunnel-part`);
    mkdirSync(path.dirname(part), { recursive: true });
    writeFileSync(part, "half");
    return part;
  };
  const ONE = "a".repeat(24);
  const OTHER = "b".repeat(24);
  const notes = (): string[] => readdirSync(path.dirname(folder())).filter((name) => name.endsWith(".part"));
  const late = (running: readonly string[]): Stays =>
    aProcess(running, {
      clock: { now: () => Date.now() + KEEP_MS + BEAT_MS + 1_000, after: () => () => undefined },
    });

  it("go with a stay that is over", async () => {
    const kept = await aProcess(["first"]).begin(ID);
    const part = partNamed(ONE);
    kept?.partBegins(part);
    await kept?.remove();
    expect([existsSync(part), notes()]).toEqual([false, []]);
  });

  it("wait for a stay to which somebody can come back, and are removed after its time", async () => {
    const kept = await aProcess(["first"]).begin(ID);
    const [part, whole] = [partNamed(ONE), partNamed(OTHER)];
    kept?.partBegins(part);
    kept?.partBegins(whole);
    kept?.partOver(whole);
    kept?.leave();
    await aProcess(["first"]).sweep();
    expect(existsSync(part)).toBe(true);
    await late(["first"]).sweep();
    // This one came to its end, and is nobody's business any more.
    expect([existsSync(part), existsSync(whole), notes()]).toEqual([false, true, []]);
  });

  it("are removed as well where another program has removed the stay before", async () => {
    const kept = await aProcess(["first"]).begin(ID);
    const part = partNamed(ONE);
    kept?.partBegins(part);
    kept?.leave();
    rmSync(folder(), { recursive: true });
    await aProcess(["first"]).sweep();
    expect([existsSync(part), notes()]).toEqual([false, []]);
  });

  it("are those of their name alone: a note leads to nothing else", async () => {
    const kept = await aProcess(["first"]).begin(ID);
    kept?.leave();
    const stays = path.dirname(folder());
    const mine = path.join(root, "project", "mine.txt");
    partNamed(ONE);
    writeFileSync(mine, "mine");
    const note = (tag: string, text: string): void =>
      writeFileSync(path.join(stays, `${"c".repeat(12)}-${tag}.part`), text, { mode: 0o600 });
    note(ONE, mine);
    note(OTHER, path.join(root, "project", `.${ONE}.tunnel-part`));
    await aProcess(["first"]).sweep();
    expect(existsSync(mine)).toBe(true);
    expect(existsSync(path.join(root, "project", `.${ONE}.tunnel-part`))).toBe(true);
    expect(notes()).toEqual([]);
  });
});
