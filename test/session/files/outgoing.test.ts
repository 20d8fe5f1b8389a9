import { createHash } from "node:crypto";
import {
  appendFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { OutgoingFile } from "../../../src/session/files/outgoing.ts";
import { resolveShare } from "../../../src/session/paths/share.ts";
import { hashedOnly } from "../support.ts";
import { rejectedWith } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";

const folder = temporaryFolders();
let cwd = "";

beforeEach(() => {
  cwd = folder();
});

const BIG = Buffer.alloc(2_500_000, "abcdefg");

async function share(
  name: string,
  content: Buffer | string = "hello, file",
  signal = new AbortController().signal,
) {
  writeFileSync(path.join(cwd, name), content);
  const source = await resolveShare(name, { cwd, roots: [], allow: [], home: "/nowhere" });
  const progress: number[] = [];
  const file = new OutgoingFile(source);
  const { digest: sha256 } = await file.examine(hashedOnly(), {
    signal,
    onProgress: (done) => progress.push(done),
  });
  return { file, sha256, progress, at: path.join(cwd, name) };
}

describe("a file on its way out", () => {
  test("has the hash and size of its content, which is read in pieces", async () => {
    const { file, sha256, progress } = await share("big", BIG);
    expect(sha256).toBe(createHash("sha256").update(BIG).digest("hex"));
    expect(file.size).toBe(BIG.length);
    expect(progress).toEqual([1_048_576, 2_097_152, 2_500_000]);
    expect(await file.read(2_499_998, 100)).toEqual(BIG.subarray(2_499_998));
    expect(await file.read(9, 4)).toEqual(BIG.subarray(9, 13));
    expect((await file.read(BIG.length + 5, 10)).length).toBe(0);
  });

  test("may be empty", async () => {
    const { file, sha256 } = await share("empty", "");
    expect([file.size, sha256]).toEqual([0, createHash("sha256").digest("hex")]);
  });

  test("is not read further when the call is cancelled", async () => {
    const controller = new AbortController();
    controller.abort();
    expect(await rejectedWith(share("big", BIG, controller.signal))).toBe("cancelled");
  });

  test("that grew, shrank or was touched has changed", async () => {
    for (const change of [
      (at: string) => appendFileSync(at, "x"),
      (at: string) => writeFileSync(at, "x"),
      (at: string) => utimesSync(at, 1, 1),
    ]) {
      const { file, at } = await share("a.txt");
      change(at);
      expect(await rejectedWith(file.read(0, 1))).toBe("share-changed");
      unlinkSync(at);
    }
  });

  test("that was deleted or moved is gone, replaced is changed", async () => {
    const one = await share("a.txt");
    const two = await share("b.txt");
    const three = await share("c.txt");
    unlinkSync(one.at);
    renameSync(two.at, `${two.at}.moved`);
    writeFileSync(path.join(cwd, "new"), "hello, file");
    renameSync(path.join(cwd, "new"), three.at);
    expect(await rejectedWith(one.file.read(0, 1))).toBe("share-gone");
    expect(await rejectedWith(two.file.read(0, 1))).toBe("share-gone");
    expect(await rejectedWith(three.file.read(0, 1))).toBe("share-changed");
  });

  test("that was replaced and shared anew is read, and the old one is not", async () => {
    const old = await share("a.txt");
    unlinkSync(old.at);
    const { file } = await share("a.txt", "another one");
    expect((await file.read(0, 7)).toString()).toBe("another");
    expect(await rejectedWith(old.file.read(0, 1))).toBe("share-changed");
  });
});

describe("open files", () => {
  // Where the system lists what a process has open.
  test.skipIf(process.platform !== "linux")(
    "are none while nobody reads (only Linux lists them)",
    async () => {
      const openHere = (): string[] =>
        readdirSync("/proc/self/fd").flatMap((fd) => {
          try {
            const target = readlinkSync(`/proc/self/fd/${fd}`);
            return target.startsWith(cwd) ? [target] : [];
          } catch (error) {
            if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
            throw error;
          }
        });
      const files = [];
      for (let index = 0; index < 20; index += 1) files.push(await share(`f${index}`, `n${index}`));
      expect(openHere()).toEqual([]);
      const read = await Promise.all(files.map(({ file }) => file.read(0, 9)));
      expect(read.map(String)).toEqual(files.map((_, index) => `n${index}`));
      expect(openHere()).toEqual([]);
    },
  );

  test.skipIf(process.platform === "win32")(
    "are never reached through a link that took the place of one (links need rights on Windows)",
    async () => {
      const { file, at } = await share("a.txt");
      renameSync(at, `${at}.moved`);
      symlinkSync(`${at}.moved`, at);
      expect(await rejectedWith(file.read(0, 1))).toBe("share-changed");
    },
  );
});
