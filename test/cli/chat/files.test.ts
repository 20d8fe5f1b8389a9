import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toBase64url } from "../../../src/protocol/base/bytes.ts";
import { wholeId } from "../../../src/cli/chat/conversation/file-ids.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { hostRequest, sessionsOn } from "../../session/support.ts";
import { MemorySource } from "../../support/files/file-ends.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { contentOf } from "../../support/streaming.ts";
import { endSides, joinRequest, linkOf, openRequest, startSide, type Side } from "./support.ts";

let root: string;
let clock: FakeClock;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "tunnel-chat-")));
  for (const side of ["ana", "ben"]) mkdirSync(join(root, side));
  clock = new FakeClock();
});
afterEach(async () => {
  await endSides();
  rmSync(root, { recursive: true, force: true });
});

const content = Buffer.from(contentOf(300_000));
const sha256 = createHash("sha256").update(content).digest("hex");
const at = (side: "ana" | "ben", name: string): string => join(root, side, name);
const shareable = (name: string, bytes: Uint8Array = content): void => writeFileSync(at("ana", name), bytes);

function side(
  who: "ana" | "ben",
  link: string | undefined,
  options: { json?: boolean; plain?: boolean } = {},
) {
  const { json = false, plain = false } = options;
  const sessions = sessionsOn(clock, {}, {}, { cwd: join(root, who) });
  const request = who === "ana" ? { ...openRequest, json } : { ...joinRequest(link), json };
  return startSide(request, { clock, sessions, plain });
}

async function twoPeople(): Promise<{ ana: Side; ben: Side }> {
  const ana = side("ana", undefined);
  const ben = side("ben", await linkOf(ana));
  await ana.seen(/ben has joined/);
  await ben.seen(/^ben>/);
  return { ana, ben };
}

async function twoPrograms(): Promise<{ ana: Side; ben: Side }> {
  const ana = side("ana", undefined, { json: true });
  const link = JSON.stringify(await ana.event("opened")).match(/ws:[^\s"\\]+#[\w.-]+/)?.[0];
  const ben = side("ben", link, { json: true });
  await ben.event("joined");
  await ana.event("system", ({ what }) => what === "joined");
  return { ana, ben };
}

/** The shares of this side are never read from: a receiver waits. */
function silenced({ sessions }: Side): void {
  const shares = sessions.open.flatMap(({ files }) => files.shares);
  if (shares.length === 0) throw new Error("nothing is shared");
  for (const { source } of shares) Object.assign(source, { read: () => new Promise(() => undefined) });
}

/** Whatever this side shares is never read to its end. */
function endlessly({ sessions }: Side): void {
  type Options = { signal: AbortSignal; onProgress: (done: number, total: number) => void };
  const share = (_: string, { signal, onProgress }: Options) => {
    onProgress(1, 4);
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new TunnelError("cancelled")));
    });
  };
  Object.assign(sessions.localFiles, { share });
}

const idIn = (row: string): string => /\/receive (\S+) FILE/.exec(row)?.[1] ?? "";

describe("two people", () => {
  it("share a file, see what is offered in a few characters, and receive it under a name of their own", async () => {
    shareable("orders of today.csv");
    const { ana, ben } = await twoPeople();
    ana.terminal.type('/share "orders of today.csv" as of noon\r');
    await ana.seen(/\* orders of today\.csv \(293\.0 KiB\) is offered to ben\. Stay here/);
    const offer = await ben.seen(
      /ana \(human, says their program\): offers orders of today\.csv \(293\.0 KiB\): \/receive \S{6} FILE$/,
    );
    await ben.seen(/^ {2}│ as of noon$/);
    ben.terminal.type(`/receive ${idIn(offer)} got it.csv\r`);
    await ben.seen(/\* orders of today\.csv \(293\.0 KiB\) is saved as .*got it\.csv$/);
    await ben.seen(/^ {2}It is what ana offered \(SHA-256 [0-9a-f]{16}…\)\. That does not make it safe/);
    expect(readFileSync(at("ben", "got it.csv"))).toEqual(content);
    expect(ben.terminal.rows.at(-1)).toBe("ben>");
    ben.terminal.type("/files\r");
    await ben.seen(/^ {2}1 {3}\S{6} {2}orders of today\.csv \(293\.0 KiB\) from ana$/);
    ana.terminal.type("/files\r");
    await ana.seen(/^Shared by you:$/);
  });

  it("are told why it does not go, and can correct the line", async () => {
    shareable("a.csv");
    shareable(".env");
    writeFileSync(at("ben", "there.csv"), "mine");
    const { ana, ben } = await twoPeople();
    const tries = async (who: Side, line: string, code: string): Promise<void> => {
      who.terminal.type(`\u0015${line}\r`);
      await who.seen(new RegExp(`\\(${code}\\)$`));
      expect(who.terminal.rows.at(-1)).toBe(`${who === ana ? "ana" : "ben"}> ${line}`);
    };
    await tries(ana, "/share ../ben/there.csv", "path-invalid");
    await tries(ana, "/share none.csv", "share-not-found");
    await tries(ana, "/share", "input-invalid");
    ana.terminal.type("\u0015/share a.csv\r");
    const id = idIn(await ben.seen(/offers a\.csv/));
    await tries(ana, `/receive ${id} x.csv`, "file-own");
    await tries(ben, "/receive nothing x.csv", "file-unknown");
    await tries(ben, `/receive ${id}`, "input-invalid");
    await tries(ben, `/receive ${id} ../x.csv`, "path-invalid");
    await tries(ben, `/receive ${id} /tmp/x.csv`, "path-outside");
    await tries(ben, `/receive ${id} CLAUDE.md`, "path-protected");
    await tries(ben, `/receive ${id} there.csv`, "save-exists");
    expect(readdirSync(join(root, "ben"))).toEqual(["there.csv"]);
    ben.terminal.type(" --overwrite\r");
    await ben.seen(/is saved as .*there\.csv$/);
    expect(readFileSync(at("ben", "there.csv"))).toEqual(content);
    expect(ana.terminal.raw + ben.terminal.raw).not.toMatch(/tunnel_(?!join:)|your human/);
  });

  it("see how far it is in one line above what they type, and /quit leaves nothing of it behind", async () => {
    shareable("big.bin");
    const { ana, ben } = await twoPeople();
    ana.terminal.type("/share big.bin\r");
    const id = idIn(await ben.seen(/offers big\.bin/));
    silenced(ana);
    ben.terminal.type(`/receive ${id} big.bin\r`);
    ben.terminal.type("half a th");
    await ben.seen(/^receiving big\.bin 0 % \(0 B of 293\.0 KiB\)/);
    expect(ben.terminal.rows.at(-1)).toBe("ben> half a th");
    ana.terminal.type("hello\r");
    await ben.seen(/ana \(human, says their program\): hello$/);
    expect(ben.terminal.rows.slice(-2)).toEqual([
      expect.stringMatching(/^receiving big\.bin/),
      "ben> half a th",
    ]);
    expect(readdirSync(join(root, "ben"))).toHaveLength(1);
    ben.terminal.type("\u0015/quit\r");
    expect(await ben.code).toBe(0);
    expect(ben.terminal.rows.slice(-2)).toEqual([
      "big.bin has not been received, and nothing of it was kept.",
      "You have left.",
    ]);
    expect(readdirSync(join(root, "ben"))).toEqual([]);
  });

  it("are told when the tunnel ends before it has come", async () => {
    shareable("big.bin");
    const { ana, ben } = await twoPeople();
    ana.terminal.type("/share big.bin\r");
    const id = idIn(await ben.seen(/offers big\.bin/));
    silenced(ana);
    ben.terminal.type(`/receive ${id} big.bin\r`);
    await ben.seen(/^receiving big\.bin/);
    ana.terminal.type("/quit\r");
    expect(await ben.code).toBe(0);
    await ben.seen(/^big\.bin has not been received, .*this tunnel has ended \(tunnel-closed\)$/);
    expect(ben.terminal.rows.at(-1)).toBe("The host has closed the tunnel.");
    expect(readdirSync(join(root, "ben"))).toEqual([]);
  });

  it("are told of what was still being read before they are told of the end", async () => {
    const { ana, ben } = await twoPeople();
    endlessly(ben);
    ben.terminal.type("/share huge.iso\r");
    await ben.seen(/^reading huge\.iso 25 % \(1 B of 4 B\)$/);
    ana.terminal.type("/quit\r");
    expect(await ben.code).toBe(0);
    expect(ben.terminal.rows.at(-1)).toBe("The host has closed the tunnel.");
    expect(ben.terminal.rows.some((row) => row.endsWith("(cancelled)"))).toBe(true);
  });

  it("without a terminal see results, and no line that would be written over", async () => {
    shareable("a.csv");
    const ana = side("ana", undefined);
    const ben = side("ben", undefined, { plain: true });
    ben.write(await linkOf(ana));
    await ana.seen(/ben has joined/);
    ana.terminal.type("/share a.csv\r");
    ben.write(`/receive ${idIn(await ben.seen(/offers a\.csv/))} a.csv`);
    await ben.seen(/is saved as .*a\.csv$/);
    expect(ben.terminal.raw).not.toContain("receiving");
    expect(ben.terminal.raw).not.toContain("\u001b");
  });
});

describe("a patch", () => {
  const patch = Buffer.from(
    [
      "diff --git a/x.sh b/x.sh",
      "new file mode 100755",
      "--- /dev/null",
      "+++ b/x.sh",
      "@@ -0,0 +1 @@",
      "+rm -rf ~",
      "",
    ].join("\n"),
  );
  const facts = { files: 1, insertions: 1, deletions: 0 };

  it("is saved and not applied, and what it would do is told to people and programs", async () => {
    const ana = sessionsOn(clock, {}, {}, { cwd: join(root, "ana") });
    const { hosting, invites } = await ana.host({ ...hostRequest(), invites: 2 });
    const person = side("ben", invites[0]?.joinLink);
    const program = side("ben", invites[1]?.joinLink, { json: true });
    // Who of them comes first is called ben, and the other one ben (2).
    await person.seen(/^ben(?: \(2\))?>/);
    await program.event("joined");
    await hosting.files.share(new MemorySource(patch), { name: "fix.patch", patch: facts });
    const { fileId } = await program.event("file", ({ name }) => name === "fix.patch");
    person.terminal.type(`/receive ${String(fileId)} person.patch\r`);
    await person.seen(/^ {2}A patch to 1 files, \+1 -0, saved and not applied\./);
    await person.seen(/^ {2}Take care, it has: .*executable/);
    program.write({ receive: { fileId, savePath: "program.patch" } });
    expect(await program.event("received")).toMatchObject({
      patch: {
        fileCount: 1,
        files: [{ path: "x.sh", change: "added" }],
        suspicious: expect.arrayContaining([]),
      },
    });
    expect(readdirSync(join(root, "ben"))).toEqual(["person.patch", "program.patch"]);
    await ana.shutDown();
  });
});

describe("a file that looks like a secret", () => {
  it("is asked of the person who shares it by hand, too, and goes once they say so", async () => {
    shareable(".env");
    const { ana, ben } = await twoPeople();
    ana.terminal.type("/share .env\r");
    await ana.seen(/\.env is not offered yet: .*Type \/approve 1 or \/refuse 1\./);
    ana.terminal.type("/approve 1\r");
    await ben.seen(/offers \.env/);
  });

  it("is told to a program as held, in the words of every other answer", async () => {
    shareable(".env");
    const { ana } = await twoPrograms();
    ana.write({ share: { path: ".env" }, ref: 7 });
    const shared = await ana.event("shared");
    expect(shared).toMatchObject({
      ref: 7,
      status: "held",
      askId: 1,
      gates: ["sensitive-file"],
      offeredTo: [],
    });
    expect(shared).not.toHaveProperty("why");
  });
});

describe("two programs", () => {
  it("share, fetch, and are told of both by their refs, the hash and what to think of the bytes", async () => {
    shareable("a.csv");
    const { ana, ben } = await twoPrograms();
    ana.write({ share: { path: "a.csv", note: "as of noon", to: ["ben"] }, ref: 7 });
    const shared = await ana.event("shared");
    expect(shared).toMatchObject({
      ref: 7,
      name: "a.csv",
      size: 300_000,
      sha256,
      offeredTo: ["ben"],
      status: "sent",
    });
    const offer = await ben.event("file");
    const { fileId } = shared;
    expect(offer).toMatchObject({
      fileId,
      name: "a.csv",
      sha256,
      note: "as of noon",
      to: ["ben"],
      fromName: "ana",
    });
    ben.write({ receive: { fileId, savePath: "b.csv" }, ref: "r" });
    expect(await ben.event("received")).toEqual({
      event: "received",
      ref: "r",
      fileId,
      name: "a.csv",
      savePath: at("ben", "b.csv"),
      size: 300_000,
      sha256,
      fromName: "ana",
      warning: expect.stringContaining("not to be safe"),
    });
    expect(readFileSync(at("ben", "b.csv"))).toEqual(content);
    ana.write({ status: true });
    expect(await ana.event("status")).toMatchObject({ files: { shared: [{ fileId }] } });
    const tunnel = ben.sessions.open[0];
    const keys = tunnel?.files.offered.map(({ entry }) => toBase64url(entry.offer.key)) ?? [];
    const shown = JSON.stringify([ana.events(), ben.events()]);
    expect(keys).toHaveLength(1);
    for (const key of keys) expect(shown).not.toContain(key);
  });

  it("are told what is wrong by line and ref, and the beginning of an id is none", async () => {
    shareable("a.csv");
    const { ana, ben } = await twoPrograms();
    ana.write({ share: { path: "none" }, ref: 1 });
    expect(await ana.event("error")).toMatchObject({ code: "share-not-found", ref: 1, line: 1 });
    ana.write({ share: { path: "a.csv" } });
    const { fileId } = await ben.event("file");
    ben.write({ receive: { fileId: String(fileId).slice(0, 8), savePath: "x" }, ref: "short" });
    expect(await ben.event("error")).toMatchObject({ code: "file-unknown", ref: "short", line: 1 });
    ben.write({ receive: { fileId, savePath: "../x" }, ref: "out" });
    expect(await ben.event("error", ({ ref }) => ref === "out")).toMatchObject({
      code: "path-invalid",
      line: 2,
    });
    ben.write({ receive: { fileId } });
    expect(await ben.event("error", ({ line }) => line === 3)).toMatchObject({ code: "input-invalid" });
  });

  it("are told how far it is, in both directions, and what came of it when it is called off", async () => {
    shareable("big.bin");
    const { ana, ben } = await twoPrograms();
    ana.write({ share: { path: "big.bin" } });
    const { fileId } = await ben.event("file");
    silenced(ana);
    ben.write({ receive: { fileId, savePath: "big.bin" }, ref: "r" });
    expect(await ben.event("progress", (event) => "fileId" in event)).toMatchObject({
      fileId,
      fraction: 0,
      received: 0,
      size: 300_000,
    });
    ben.write({ receive: { fileId, savePath: "big.bin" }, ref: "again" });
    expect(await ben.event("error")).toMatchObject({ code: "input-invalid", ref: "again" });
    ben.write({ close: true });
    expect(await ben.code).toBe(0);
    expect(await ben.event("error", ({ ref }) => ref === "r")).toMatchObject({
      code: "cancelled",
      line: 1,
      file: { fileId, name: "big.bin" },
    });
    expect(ben.events().at(-1)).toMatchObject({ event: "ended" });
    expect(readdirSync(join(root, "ben"))).toEqual([]);
  });

  it("are told at the end of the tunnel what was still being read for a share, and of the end last", async () => {
    const { ana, ben } = await twoPrograms();
    endlessly(ben);
    ben.write({ share: { path: "huge.iso" }, ref: "s" });
    expect(await ben.event("progress", (event) => "path" in event)).toEqual({
      event: "progress",
      message: "reading huge.iso 25 % (1 B of 4 B)",
      fraction: 0.25,
      path: "huge.iso",
    });
    ana.write({ close: true });
    expect(await ben.code).toBe(0);
    expect(ben.events().slice(-2)).toMatchObject([
      { event: "error", code: "cancelled", ref: "s", line: 1 },
      { event: "ended", cause: "closed-by-host" },
    ]);
  });

  it("one whose input ends leaves when the file that it asked for is there", async () => {
    shareable("a.csv");
    const { ana, ben } = await twoPrograms();
    ana.write({ share: { path: "a.csv" } });
    const { fileId } = await ben.event("file");
    ben.write({ receive: { fileId, savePath: "a.csv" } });
    ben.end();
    expect(await ben.code).toBe(0);
    expect(ben.events().map(({ event }) => event)).toContain("received");
    expect(readFileSync(at("ben", "a.csv"))).toEqual(content);
  });
});

describe("the beginning of an id", () => {
  const files = (...ids: string[]) => ({ offered: ids.map((fileId) => ({ fileId })), shared: [] });

  it("is enough where one begins so, and never picks one of several", () => {
    expect(wholeId(files("abcdef1", "abd"), "abc")).toBe("abcdef1");
    expect(wholeId(files("abc", "abcdef"), "abc")).toBe("abc");
    expect(wholeId(files("abc"), "x")).toBe("x");
    expect(() => wholeId(files("abcdef1", "abcdef2"), "abcdef")).toThrow(/several files/);
  });
});

describe("folders in the terminal", () => {
  it("are offered with /send, saved with /save under their own name, and paths are completed", async () => {
    mkdirSync(at("ana", "examples/deep"), { recursive: true });
    writeFileSync(at("ana", "examples/a.txt"), "one\n");
    writeFileSync(at("ana", "examples/deep/b.txt"), "two\n");
    writeFileSync(at("ana", "examples/.env"), "A=1\n");
    writeFileSync(at("ana", "notes of today.txt"), "three\n");
    const { ana, ben } = await twoPeople();
    // A folder keeps the cursor behind its slash; a name with a space goes on in its quotes.
    ana.terminal.type("/send exa\tde\t");
    await ana.seen(/^ana> \/send examples\/deep\/$/);
    ana.terminal.type('\u0015/send exa\t, "notes\tto look at\r');
    await ana.seen(/Left out: examples\/\.env, environment file$/);
    await ben.seen(/offers ana \(a folder of 3 files, 14 B\): \/receive \S{6} FILE$/);
    await ben.seen(/or \/save 1, under its own name$/);
    await ben.seen(/examples\/deep\/b\.txt \(4 B\)$/);
    ben.terminal.type("/save 1 got\r");
    await ben.seen(/ana \(3 files, 14 B\) is saved as /);
    expect(readFileSync(at("ben", "got/examples/deep/b.txt"), "utf8")).toBe("two\n");
    expect(readFileSync(at("ben", "got/notes of today.txt"), "utf8")).toBe("three\n");
    ben.terminal.type("/files\r");
    await ben.seen(/^ {2}1 {3}\S{6} {2}ana/);
    ben.terminal.type("/save 7\r");
    await ben.seen(/file-unknown/);
  });
});
