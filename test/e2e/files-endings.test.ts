import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { closeAgents, type Agent } from "../support/agent.ts";
import {
  code,
  holdAfter,
  listing,
  meetThrough,
  offer,
  parts,
  put,
  read,
  receivingOf,
  release,
  worker,
} from "../support/files/file-agents.ts";
import { hearUntil, says } from "../support/hearing.ts";
import { gone, until } from "../support/processes.ts";
import { Proxy, type Crossing } from "../support/proxy.ts";
import { contentOf } from "../support/streaming.ts";

/** A file that ends in the middle: why is said with a code of its own, and nothing of it stays anywhere. */

const MB = 1_000_000;
const content = contentOf(6 * MB);
/** Far less than the file, and more than the first window. */
const HELD_AFTER = 2 * MB;

interface Room {
  readonly ana: Agent;
  readonly ben: Agent;
  readonly wire: Proxy;
  readonly crossing: Crossing;
}

/** Kept from test to test until one of them spoils it. */
let room: Room | undefined;

async function makeRoom(): Promise<Room> {
  const [ana, ben, wire] = await Promise.all([worker("ana"), worker("ben"), Proxy.start()]);
  return { ana, ben, wire, ...(await meetThrough(wire, ana, ben)) };
}

/** Without files of tests before. */
async function emptyRoom(): Promise<Room> {
  room ??= await makeRoom();
  for (const agent of [room.ana, room.ben])
    for (const name of listing(agent)) rmSync(join(agent.box.root, name));
  return room;
}

async function leaveRoom(): Promise<void> {
  await closeAgents();
  await room?.wire.close();
  room = undefined;
}
afterAll(leaveRoom);
// What a failure has left half done is no concern of the next test.
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await leaveRoom();
});

interface Scene {
  readonly ana: Agent;
  readonly ben: Agent;
  readonly crossing: Crossing;
  readonly from: Agent;
  readonly to: Agent;
  /** The shared file. */
  readonly file: string;
  readonly fileId: string;
  /** What the call that receives it answers in the end. */
  readonly answer: Promise<{ isError?: boolean | undefined; structuredContent?: unknown }>;
  readonly abort: AbortController;
}

/** A transfer that stands still in the middle, from the host to its guest or the other way round. */
async function inTheMiddle(from: "host" | "guest"): Promise<Scene> {
  room ??= await makeRoom();
  const { ana, ben, crossing } = room;
  for (const agent of [ana, ben]) for (const name of listing(agent)) rmSync(join(agent.box.root, name));
  const [sender, receiver] = from === "host" ? [ana, ben] : [ben, ana];
  const file = put(sender, "a.bin", content);
  const { fileId } = await offer(sender, { path: "a.bin" }, receiver);
  const direction = from === "host" ? "toGuest" : "toHost";
  holdAfter(crossing, direction, HELD_AFTER);
  const abort = new AbortController();
  const answer = receiver.result("tunnel_receive", { fileId, savePath: "b.bin" }, { signal: abort.signal });
  answer.catch(() => undefined);
  await until("nothing gets through any more", () => crossing[direction].isStalled);
  await still(sender, receiver, fileId);
  expect(parts(receiver)).toHaveLength(1);
  expect(existsSync(file.replace("a.bin", "b.bin"))).toBe(false);
  return { ana, ben, crossing, from: sender, to: receiver, file, fileId, answer, abort };
}

async function sendingOf(sender: Agent, fileId: string) {
  const { files } = await sender.call("tunnel_status");
  return files?.shared.find((one) => one.fileId === fileId)?.sending ?? [];
}

/** Both have done with what there was to do: whatever happens next happens to a transfer that stands still. */
async function still(sender: Agent, receiver: Agent, fileId: string): Promise<void> {
  let [last, times] = ["", 0];
  await until("it stands still", async () => {
    const sending = (await sendingOf(sender, fileId)).map(({ sent }) => sent).join();
    const now = `${sending} ${(await receivingOf(receiver)).received}`;
    times = now === last ? times + 1 : 0;
    last = now;
    return times >= 5;
  });
}

async function expectFailure({ to, answer }: Scene, expected: string): Promise<void> {
  expect(await answer).toMatchObject({ isError: true, structuredContent: { error: { code: expected } } });
  expect(listing(to)).toEqual([]);
  expect((await to.call("tunnel_status")).files?.receiving).toEqual([]);
}

let asked = 0;
/** Whoever was in the room still is, and hears. */
async function expectRoomGoesOn({ ana, ben }: Scene): Promise<void> {
  // Other words each time: the same ones within a second are the same message.
  const text = `still here ${(asked += 1)}`;
  await ana.call("tunnel_say", { text });
  await hearUntil(ben, says(text));
}

describe("a file that does not stay what it was shared as", () => {
  it.each<[string, string, (file: string) => void]>([
    ["is written to", "file-changed", (file) => appendFileSync(file, "more")],
    [
      "is changed in place, in its length as before",
      "file-changed",
      (file) => {
        writeFileSync(file, contentOf(6 * MB).reverse());
        utimesSync(file, new Date(), new Date(Date.now() + 5_000));
      },
    ],
    ["is truncated", "file-changed", (file) => truncateSync(file, 4 * MB)],
    ["is truncated to nothing", "file-changed", (file) => truncateSync(file, 0)],
    ["is deleted", "file-gone", (file) => rmSync(file)],
    ["is moved away", "file-gone", (file) => renameSync(file, `${file}.moved`)],
    [
      "is replaced by another one, as editors save",
      "file-changed",
      (file) => {
        writeFileSync(`${file}.new`, content);
        renameSync(`${file}.new`, file);
      },
    ],
  ])("[B6] and %s while it is read is %s to its receiver", async (_, expected, change) => {
    const scene = await inTheMiddle("host");
    change(scene.file);
    release(scene.crossing);
    await expectFailure(scene, expected);
    await expectRoomGoesOn(scene);
  });

  it("[B6] before anybody asked for it is found out as well, and again for the next who asks", async () => {
    const { ana, ben } = await emptyRoom();
    const file = put(ben, "a.txt", "one");
    const { fileId } = await offer(ben, { path: "a.txt" }, ana);
    writeFileSync(file, "two!");
    for (const savePath of ["b.txt", "b.txt", "c.txt"])
      expect(await code(ana, "tunnel_receive", { fileId, savePath })).toBe("file-changed");
    rmSync(file);
    expect(await code(ana, "tunnel_receive", { fileId, savePath: "b.txt" })).toBe("file-gone");
    expect(listing(ana)).toEqual([]);
    // As it is now it can be shared anew.
    put(ben, "a.txt", "three");
    const again = await offer(ben, { path: "a.txt" }, ana);
    await ana.call("tunnel_receive", { fileId: again.fileId, savePath: "b.txt" });
    expect(read(ana, "b.txt").toString()).toBe("three");
  });
});

describe("a receiver that wants it no more", () => {
  it.each(["host", "guest"] as const)(
    "and cancels its call leaves nothing behind; the sender is told, and it can be had again (%s sends)",
    async (who) => {
      const scene = await inTheMiddle(who);
      const { from, to, fileId } = scene;
      scene.abort.abort("the human pressed escape");
      await expect(scene.answer).rejects.toThrow(/escape|abort/i);
      await until("nothing of it is left", () => listing(to).length === 0);
      release(scene.crossing);
      await until("the sender knows", async () => (await sendingOf(from, fileId)).length === 0);
      const again = await to.call("tunnel_receive", { fileId, savePath: "b.bin" });
      expect(again).toMatchObject({ status: "received" });
      expect(Buffer.compare(read(to, "b.bin"), content)).toBe(0);
      await expectRoomGoesOn(scene);
    },
  );
});

describe("what is at the place already", () => {
  it("stays, unless it is to be replaced; a transfer that fails does not touch it", async () => {
    const { ana, ben } = await emptyRoom();
    put(ana, "a.txt", "new");
    const file = put(ben, "b.txt", "old");
    const { fileId } = await offer(ana, { path: "a.txt" }, ben);
    const args = { fileId, savePath: "b.txt" };
    const before = statSync(file).ino;
    expect(await code(ben, "tunnel_receive", args)).toBe("save-exists");
    expect([readFileSync(file, "utf8"), statSync(file).ino]).toEqual(["old", before]);
    expect(await code(ben, "tunnel_receive", { ...args, overwrite: false })).toBe("save-exists");
    await ben.call("tunnel_receive", { ...args, overwrite: true });
    expect(read(ben, "b.txt").toString()).toBe("new");
    put(ana, "a.txt", "newer still");
    // The very same call so soon would be answered as the first one was.
    expect(await code(ben, "tunnel_receive", { ...args, overwrite: true, waitMs: 9_000 })).toBe(
      "file-changed",
    );
    expect(read(ben, "b.txt").toString()).toBe("new");
    expect(listing(ben)).toEqual(["b.txt"]);
  });

  it("and came while the file was on its way stays, too", async () => {
    const scene = await inTheMiddle("host");
    put(scene.ben, "b.bin", "somebody was faster");
    release(scene.crossing);
    expect(await scene.answer).toMatchObject({
      isError: true,
      structuredContent: { error: { code: "save-exists" } },
    });
    expect(listing(scene.ben)).toEqual(["b.bin"]);
    expect(read(scene.ben, "b.bin").toString()).toBe("somebody was faster");
  });

  it("and came while nobody waited is told of, and can be replaced then", async () => {
    const { ana, ben, crossing } = await emptyRoom();
    put(ana, "a.bin", content);
    const { fileId } = await offer(ana, { path: "a.bin" }, ben);
    holdAfter(crossing, "toGuest", HELD_AFTER);
    const args = { fileId, savePath: "b.bin" };
    await ben.call("tunnel_receive", { ...args, waitMs: 0 });
    put(ben, "b.bin", "somebody was faster");
    release(crossing);
    const heard = await hearUntil(ben, ({ event }) => event === "file-failed");
    expect(heard.at(-1)).toMatchObject({ local: true, error: { code: "save-exists" } });
    // The error says so: "if it is to be replaced, say so with overwrite".
    expect(await ben.call("tunnel_receive", { ...args, overwrite: true })).toMatchObject({
      status: "received",
    });
    expect(Buffer.compare(read(ben, "b.bin"), content)).toBe(0);
  });

  it("and comes from two at once is one of them, whole", async () => {
    const { ana, ben } = await emptyRoom();
    const contents = [contentOf(MB), contentOf(MB + 1)];
    const ids: string[] = [];
    for (const [n, one] of contents.entries()) {
      put(ana, `a${n}.bin`, one);
      ids.push((await offer(ana, { path: `a${n}.bin` }, ben)).fileId);
    }
    const results = await Promise.all(
      ids.map((fileId) => ben.result("tunnel_receive", { fileId, savePath: "b.bin" })),
    );
    const isSaved = results.map(({ isError }) => isError !== true);
    expect(isSaved.filter(Boolean)).toHaveLength(1);
    expect(results.find(({ isError }) => isError === true)?.structuredContent).toMatchObject({
      error: { code: "save-exists" },
    });
    expect(Buffer.compare(read(ben, "b.bin"), contents[isSaved.indexOf(true)] ?? Buffer.alloc(0))).toBe(0);
    expect(listing(ben)).toEqual(["b.bin"]);
  });
});

describe("a sender that goes in the middle", () => {
  afterEach(leaveRoom);

  it("leaves the tunnel: file-sender-left", async () => {
    const scene = await inTheMiddle("guest");
    const left = scene.ben.call("tunnel_close");
    release(scene.crossing);
    await left;
    await expectFailure(scene, "file-sender-left");
    const args = { fileId: scene.fileId, savePath: "b.bin" };
    expect(await code(scene.to, "tunnel_receive", args)).toBe("file-sender-left");
  });

  it("is a guest whose process is killed: the file waits for it, and fails when the host removes it", async () => {
    const scene = await inTheMiddle("guest");
    process.kill(scene.ben.pid, "SIGKILL");
    await gone(scene.ben.pid);
    release(scene.crossing);
    await until("the host sees it", async () => {
      const { members = [] } = await scene.ana.call("tunnel_status");
      return members.some(({ name, connected }) => name === "ben" && !connected);
    });
    expect((await receivingOf(scene.ana)).status).toBe("receiving");
    expect(parts(scene.ana)).toHaveLength(1);
    expect((await scene.ana.call("tunnel_close")).status).toBe("closed");
    await expectFailure(scene, "tunnel-closed");
  });

  it("is the host, which closes the tunnel: tunnel-closed", async () => {
    const scene = await inTheMiddle("host");
    const closed = scene.ana.call("tunnel_close");
    release(scene.crossing);
    await closed;
    await expectFailure(scene, "tunnel-closed");
  });

  it("is the host, whose process ends in good order: tunnel-closed", async () => {
    const scene = await inTheMiddle("host");
    const closed = scene.ana.client.close();
    release(scene.crossing);
    await closed;
    await expectFailure(scene, "tunnel-closed");
  });

  it("is the host, whose process is killed: the file waits for it, until the call is given up", async () => {
    const scene = await inTheMiddle("host");
    process.kill(scene.ana.pid, "SIGKILL");
    await gone(scene.ana.pid);
    release(scene.crossing);
    await until(
      "the guest sees it",
      async () => (await scene.ben.call("tunnel_status")).status === "reconnecting",
    );
    expect((await receivingOf(scene.ben)).status).toBe("receiving");
    scene.abort.abort("enough");
    await expect(scene.answer).rejects.toThrow(/enough|abort/i);
    await until("nothing of it is left", () => listing(scene.ben).length === 0);
    expect((await scene.ben.call("tunnel_close")).status).toBe("closed");
  });
});

describe("a receiver that goes in the middle", () => {
  afterEach(leaveRoom);

  it.each(
    (process.platform === "win32" ? ["stdin"] : ["stdin", "SIGTERM"]).flatMap((how) =>
      (["host", "guest"] as const).map((who) => [how, who] as const),
    ),
  )("and is stopped by %s leaves nothing behind (%s sends)", async (how, who) => {
    const { to, answer, crossing } = await inTheMiddle(who);
    const { pid } = to;
    const ended = how === "stdin" ? to.client.close() : void process.kill(pid, how);
    await until("nothing of it is left", () => listing(to).length === 0);
    release(crossing);
    // Whether the last answer still reaches the client is a matter of luck.
    const [end] = await Promise.all([answer.catch(() => ({ isError: true })), ended, gone(pid)]);
    expect(end.isError).toBe(true);
    expect([to.stderr, listing(to)]).toEqual(["", []]);
  });

  it("leaves the tunnel: tunnel-closed, and nothing stays", async () => {
    const scene = await inTheMiddle("host");
    const left = scene.ben.call("tunnel_close");
    release(scene.crossing);
    await left;
    await expectFailure(scene, "tunnel-closed");
  });

  it.skipIf(process.platform === "win32")(
    "and is stopped while its path is dead ends in good order, too (Windows has no SIGTERM)",
    async () => {
      const { to } = await inTheMiddle("host");
      const { pid } = to;
      process.kill(pid, "SIGTERM");
      await gone(pid);
      expect([to.stderr, listing(to)]).toEqual(["", []]);
    },
  );
});
