import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { link, open, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { IncomingFiles, type Disk, type PartHandle } from "../../../src/session/files/incoming.ts";
import { resolveSave } from "../../../src/session/paths/place.ts";
import { rejectedWith, rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";

const folder = temporaryFolders();
const isWindows = process.platform === "win32";
let cwd = "";
beforeEach(() => {
  cwd = folder();
});

const CONTENT = Buffer.from("hello, file");
const SHA = createHash("sha256").update(CONTENT).digest("hex");
const REAL: Disk = { open, link, rename, unlink };

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A disk on which one call of an open file fails. */
function failing(method: keyof PartHandle, code: string): Disk {
  return {
    ...REAL,
    async open(file, flags, mode) {
      const real = await open(file, flags, mode);
      const handle: PartHandle = {
        writev: (...args) => real.writev(...args),
        sync: () => real.sync(),
        chmod: (bits) => real.chmod(bits),
        chown: (...owner) => real.chown(...owner),
        close: () => real.close(),
      };
      const fail = async (): Promise<never> => {
        if (method === "close") await real.close();
        throw failure(code);
      };
      return { ...handle, [method]: fail };
    },
  };
}

async function begin(name: string, { files = new IncomingFiles(), overwrite = false } = {}) {
  const place = await resolveSave(name, { cwd, roots: [], home: "/nowhere", overwrite });
  return { files, place, file: await files.create(place) };
}

describe("a file on its way in", () => {
  test("appears whole, at its place, and nothing else stays", async () => {
    const { files, file } = await begin("a.txt");
    const [part = ""] = readdirSync(cwd);
    expect(part).toMatch(/^\.[0-9a-f]{24}\.tunnel-part$/);
    if (!isWindows) expect(statSync(path.join(cwd, part)).mode & 0o777).toBe(0o600);
    await Promise.all([file.write(CONTENT.subarray(0, 5)), file.write(CONTENT.subarray(5))]);
    expect(file.position).toBe(CONTENT.length);
    expect(await file.commit(SHA)).toBe(path.join(cwd, "a.txt"));
    expect(readdirSync(cwd)).toEqual(["a.txt"]);
    expect(readFileSync(path.join(cwd, "a.txt"))).toEqual(CONTENT);
    if (!isWindows) expect(statSync(path.join(cwd, "a.txt")).mode & 0o777).toBe(0o644 & ~process.umask());
    expect(files.size).toBe(0);
    await file.abort();
    expect(readdirSync(cwd)).toEqual(["a.txt"]);
  });

  test("may be empty", async () => {
    const { file } = await begin("empty");
    await file.commit(createHash("sha256").digest("hex"));
    expect(statSync(path.join(cwd, "empty")).size).toBe(0);
  });

  test("that is not what was announced is thrown away", async () => {
    const { files, file } = await begin("a.txt");
    await file.write(Buffer.from("something else"));
    expect(await rejectedWith(file.commit(SHA))).toBe("file-hash-mismatch");
    expect(await rejectedWith(file.write(CONTENT))).toBe("save-failed");
    expect([readdirSync(cwd), files.size]).toEqual([[], 0]);
  });

  test("leaves nothing when it is given up, also in the middle of a write", async () => {
    const { files, file } = await begin("a.txt");
    await Promise.all([file.write(CONTENT), file.abort()]);
    expect([readdirSync(cwd), files.size]).toEqual([[], 0]);
    expect(await rejectedWith(file.commit(SHA))).toBe("save-failed");
  });

  test("leaves nothing when the process ends", async () => {
    const { files, file } = await begin("a.txt");
    const other = await begin("b.txt", { files });
    writeFileSync(path.join(cwd, "other"), "");
    files.removeAll();
    expect(readdirSync(cwd)).toEqual(["other"]);
    await Promise.all([file.abort(), other.file.abort()]);
  });

  test("does not replace what appeared meanwhile", async () => {
    const { file, place } = await begin("a.txt");
    await file.write(CONTENT);
    writeFileSync(place.target, "mine");
    expect(await rejectedWith(file.commit(SHA))).toBe("save-exists");
    expect([readdirSync(cwd), readFileSync(place.target, "utf8")]).toEqual([["a.txt"], "mine"]);
  });

  test("does not replace what appears after the last look, with hard links and without", async () => {
    for (const hasLinks of [true, false]) {
      const place = await resolveSave("a.txt", { cwd, roots: [], home: "/nowhere", overwrite: false });
      const disk = hasLinks ? REAL : { ...REAL, link: () => Promise.reject(failure("EPERM")) };
      const blind = { ...place, recheck: () => Promise.resolve(undefined) };
      const file = await new IncomingFiles(disk).create(blind);
      await file.write(CONTENT);
      writeFileSync(place.target, "mine");
      expect(await rejectedWith(file.commit(SHA))).toBe("save-exists");
      expect([readdirSync(cwd), readFileSync(place.target, "utf8")]).toEqual([["a.txt"], "mine"]);
      await unlink(place.target);
    }
  });

  test.each([
    "EISDIR",
    "EPERM",
    "ENOTSUP",
    "EOPNOTSUPP",
    "EACCES",
    "ENOSYS",
    "EXDEV",
    "EMLINK",
    "EINVAL",
    "UNKNOWN",
  ])("is put in place on a disk that refuses hard links with %s, too", async (code) => {
    const files = new IncomingFiles({ ...REAL, link: () => Promise.reject(failure(code)) });
    const { file } = await begin("a.txt", { files });
    await file.write(CONTENT);
    await file.commit(SHA);
    expect([readdirSync(cwd), readFileSync(path.join(cwd, "a.txt"))]).toEqual([["a.txt"], CONTENT]);
  });

  test("does not replace what somebody writes into the name that is taken, on a disk without hard links", async () => {
    const taking = (target: string): Disk => ({
      ...REAL,
      link: () => Promise.reject(failure("EISDIR")),
      async open(file, flags, mode) {
        const handle = await open(file, flags, mode);
        if (file === target) writeFileSync(target, "mine");
        return handle;
      },
    });
    const { target } = await resolveSave("a.txt", { cwd, roots: [], home: "/nowhere", overwrite: false });
    const { file } = await begin("a.txt", { files: new IncomingFiles(taking(target)) });
    await file.write(CONTENT);
    expect(await rejectedWith(file.commit(SHA))).toBe("save-exists");
    expect([readdirSync(cwd), readFileSync(target, "utf8")]).toEqual([["a.txt"], "mine"]);
  });

  test("leaves no empty file when the last step fails on a disk without hard links", async () => {
    const no = (code: string) => () => Promise.reject(failure(code));
    const { file } = await begin("a.txt", {
      files: new IncomingFiles({ ...REAL, link: no("EPERM"), rename: no("EIO") }),
    });
    await file.write(CONTENT);
    expect(await rejectedWith(file.commit(SHA))).toBe("save-failed");
    expect(readdirSync(cwd)).toEqual([]);
  });

  async function replace(mode: number, files = new IncomingFiles()): Promise<number> {
    const target = path.join(cwd, "a.txt");
    writeFileSync(target, "old");
    chmodSync(target, mode);
    const { file } = await begin("a.txt", { overwrite: true, files });
    await file.write(CONTENT);
    expect(readFileSync(target, "utf8")).toBe("old");
    await file.commit(SHA);
    expect(readFileSync(target)).toEqual(CONTENT);
    return statSync(target).mode & 0o7777;
  }

  test("replaces an old file in one step when that was said", async () => {
    await replace(0o644);
    expect(readdirSync(cwd)).toEqual(["a.txt"]);
  });

  test.skipIf(isWindows).each([
    [0o600, 0o600],
    [0o640, 0o640],
    [0o666, 0o666],
    [0o444, 0o444],
    [0o755, 0o755],
    [0o4755, 0o755],
    [0o2640, 0o640],
  ])("that replaces one of mode %o has mode %o (Windows has no modes)", async (before, after) => {
    const umask = process.umask();
    expect([await replace(before), process.umask()]).toEqual([after, umask]);
  });

  test.skipIf(isWindows)(
    "keeps the group of the file that it replaces, or gives its rights to no other group (Windows has no modes)",
    async () => {
      const given: [number, number][] = [];
      const refusing: Disk = {
        ...REAL,
        async open(file, flags, mode) {
          const real = await open(file, flags, mode);
          return {
            writev: (...args) => real.writev(...args),
            sync: () => real.sync(),
            chmod: (bits) => real.chmod(bits),
            async chown(uid, gid) {
              given.push([uid, gid]);
              await Promise.reject(failure("EPERM"));
            },
            close: () => real.close(),
          };
        },
      };
      expect(await replace(0o660, new IncomingFiles(refusing))).toBe(0o600);
      expect(await replace(0o664, new IncomingFiles(refusing))).toBe(0o644);
      const { uid, gid } = statSync(cwd);
      expect(given[0]).toEqual([uid, gid]);
    },
  );

  test.skipIf(isWindows)("is not put where its folder has become a link (needs symbolic links)", async () => {
    const elsewhere = folder();
    mkdirSync(path.join(cwd, "sub"));
    const { file } = await begin("sub/a.txt");
    await file.write(CONTENT);
    renameSync(path.join(cwd, "sub"), path.join(cwd, "moved"));
    symlinkSync(elsewhere, path.join(cwd, "sub"));
    expect(await rejectedWith(file.commit(SHA))).toBe("path-outside");
    expect([readdirSync(elsewhere), existsSync(path.join(cwd, "sub", "a.txt"))]).toEqual([[], false]);
  });

  test.each([
    ["writev", "ENOSPC", "disk-full"],
    ["writev", "EDQUOT", "disk-full"],
    ["writev", "EIO", "save-failed"],
    ["sync", "ENOSPC", "disk-full"],
    ["sync", "EIO", "save-failed"],
    ["writev", "EROFS", "save-denied"],
    ["close", "ENOSPC", "disk-full"],
  ] as const)("a %s that fails with %s is %s, and leaves nothing", async (method, code, expected) => {
    const { file, files } = await begin("a.txt", { files: new IncomingFiles(failing(method, code)) });
    const saved = file.write(CONTENT).then(() => file.commit(SHA));
    expect(await rejectedWith(saved)).toBe(expected);
    expect([readdirSync(cwd), files.size]).toEqual([[], 0]);
  });

  test("a disk that knows no modes is no failure, and one that takes nothing is full", async () => {
    const modeless = await begin("a.txt", { files: new IncomingFiles(failing("chmod", "EPERM")) });
    await modeless.file.write(CONTENT);
    await modeless.file.commit(SHA);
    expect(readdirSync(cwd)).toEqual(["a.txt"]);
    const full = new IncomingFiles({ ...REAL, open: () => Promise.reject(failure("ENOSPC")) });
    expect(await rejectedWith(begin("b.txt", { files: full }))).toBe("disk-full");
    expect(full.size).toBe(0);
    for (const code of ["EACCES", "EPERM", "EROFS"]) {
      const closed = new IncomingFiles({ ...REAL, open: () => Promise.reject(failure(code)) });
      expect(await rejection(begin("b.txt", { files: closed }))).toMatchObject({
        code: "save-denied",
        detail: expect.stringContaining(code),
      });
    }
  });

  test("short writes are continued", async () => {
    const short: Disk = {
      ...REAL,
      async open(file, flags, mode) {
        const real = await open(file, flags, mode);
        return {
          writev: ([first = Buffer.alloc(0)], position) =>
            real.write(first, 0, Math.min(first.length, 3), position),
          sync: () => real.sync(),
          chmod: (bits) => real.chmod(bits),
          chown: (...owner) => real.chown(...owner),
          close: () => real.close(),
        };
      },
    };
    const { file } = await begin("a.txt", { files: new IncomingFiles(short) });
    await file.write(CONTENT.subarray(0, 4), Buffer.alloc(0), CONTENT.subarray(4));
    await file.commit(SHA);
    expect(readFileSync(path.join(cwd, "a.txt"))).toEqual(CONTENT);
  });
});
