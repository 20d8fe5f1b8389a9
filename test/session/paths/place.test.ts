import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { resolveSave } from "../../../src/session/paths/place.ts";
import { rejectedWith, rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";

const folder = temporaryFolders();
const isWindows = process.platform === "win32";
let top = "";
let cwd = "";
let outside = "";

beforeEach(() => {
  top = folder();
  cwd = path.join(top, "work");
  outside = path.join(top, "outside");
  for (const made of [cwd, outside, path.join(cwd, "sub"), path.join(cwd, ".git")]) mkdirSync(made);
});

function save(
  savePath: string,
  options: { overwrite?: boolean; roots?: string[]; home?: string; cwd?: string } = {},
) {
  return resolveSave(savePath, { cwd, roots: [], overwrite: false, home: "/nowhere", ...options });
}

describe("a place for a received file", () => {
  test("is in the working directory, relative or absolute", async () => {
    expect(await save("sub/a.txt")).toMatchObject({ folder: path.join(cwd, "sub"), name: "a.txt" });
    expect((await save(path.join(cwd, "a.txt"))).target).toBe(path.join(cwd, "a.txt"));
    expect((await save("./a.txt")).target).toBe(path.join(cwd, "a.txt"));
  });

  test("is in a root that a human has named, and nowhere else", async () => {
    const wanted = path.join(outside, "a.txt");
    expect(await rejectedWith(save(wanted))).toBe("path-outside");
    expect((await save(wanted, { roots: [outside] })).target).toBe(wanted);
    expect(await rejectedWith(save(path.join(top, "a.txt"), { roots: [outside] }))).toBe("path-outside");
  });

  test("is not in a working directory that is a home or a whole disk, unless a human names it", async () => {
    const error = await rejection(save("a.txt", { home: cwd }));
    expect(error).toMatchObject({ code: "path-outside", detail: expect.stringContaining("too wide") });
    expect(await rejectedWith(save("a.txt", { home: path.join(cwd, "sub") }))).toBe("path-outside");
    expect(await rejectedWith(save("etc/a.txt", { cwd: "/" }))).toBe("path-outside");
    expect((await save("a.txt", { home: cwd, roots: [cwd] })).name).toBe("a.txt");
  });

  test.each([
    ["", "path-invalid"],
    [".", "path-invalid"],
    ["sub/", "path-invalid"],
    ["sub/.", "path-invalid"],
    ["../outside/a", "path-invalid"],
    ["sub/../../a", "path-invalid"],
    ["a\0.txt", "path-invalid"],
    ["a\u202etxt.exe", "path-invalid"],
    ["a\\b\u0007", "path-invalid"],
    [" CLAUDE.md", "path-protected"],
    ["CLAUDE.md.", "path-protected"],
    [".git.", "path-protected"],
    ["missing/a.txt", "save-folder-missing"],
    ["sub", "save-not-a-file"],
    [".git/hooks.txt", "path-protected"],
    ["CLAUDE.md", "path-protected"],
    ["sub/.mcp.json", "path-protected"],
    [".git", "path-protected"],
  ])("%j is refused: %s", async (savePath, code) => {
    expect(await rejectedWith(save(savePath))).toBe(code);
  });

  test("a protected place stays one inside a root, while a root inside of one is the human's choice", async () => {
    const worktree = path.join(cwd, ".claude", "worktrees", "one");
    mkdirSync(worktree, { recursive: true });
    expect(await rejectedWith(save(".claude/worktrees/one/a.txt"))).toBe("path-protected");
    expect((await save("a.txt", { cwd: worktree })).name).toBe("a.txt");
  });

  test("a file in place of a folder is no folder", async () => {
    writeFileSync(path.join(cwd, "file"), "");
    expect(await rejectedWith(save("file/a.txt"))).toBe("save-folder-missing");
  });

  test("an existing file is replaced only when that was said", async () => {
    writeFileSync(path.join(cwd, "a.txt"), "old");
    expect(await rejectedWith(save("a.txt"))).toBe("save-exists");
    expect((await save("a.txt", { overwrite: true })).overwrite).toBe(true);
  });

  test("a name that this system cannot hold is another one, which is said; nothing is replaced by it", async () => {
    const long = `${"x".repeat(300)}.tar`;
    const place = await save(long);
    expect(place.name).toBe(`${"x".repeat(251)}.tar`);
    expect(place.renamed).toBe("the file name is longer than 255 bytes");
    writeFileSync(place.target, "mine");
    expect(await rejectedWith(save(long))).toBe("save-exists");
    expect(await save("a.txt ")).toMatchObject({ name: "a.txt", renamed: expect.stringContaining("space") });
    expect(await save("a.txt")).toMatchObject({ name: "a.txt", renamed: undefined });
  });

  test.skipIf(isWindows)(
    "a name that only other systems cannot hold is kept (Windows is one of those)",
    async () => {
      for (const name of ["NUL.txt", "10:30?.log", "a.", "x.txt:hidden", '"a" <b>|*'])
        expect(await save(name)).toMatchObject({ name, renamed: undefined });
      expect(readdirSync(cwd).toSorted()).toEqual([".git", "sub"]);
    },
  );

  test("an existing file of another spelling is named where that is the same file", async () => {
    writeFileSync(path.join(cwd, "Read.me"), "");
    const isOneName = statSync(path.join(cwd, "rEAD.me"), { throwIfNoEntry: false }) !== undefined;
    const expected = { detail: 'on this disk it is the same name as "Read.me"' };
    if (isOneName) expect(await rejection(save("rEAD.me"))).toMatchObject(expected);
    else expect((await save("rEAD.me")).name).toBe("rEAD.me");
  });

  test.skipIf(isWindows)("a pipe is refused, also for overwriting (needs mkfifo)", async () => {
    execFileSync("mkfifo", [path.join(cwd, "pipe")]);
    expect(await rejectedWith(save("pipe", { overwrite: true }))).toBe("save-not-a-file");
  });
});

describe.skipIf(isWindows)("symbolic links (making them needs a privilege on Windows)", () => {
  test("on the way do not lead out, however many there are", async () => {
    symlinkSync(outside, path.join(cwd, "one"));
    symlinkSync(path.join(cwd, "one"), path.join(cwd, "two"));
    expect(await rejectedWith(save("one/a.txt"))).toBe("path-outside");
    expect(await rejectedWith(save("two/a.txt"))).toBe("path-outside");
    symlinkSync("../sub", path.join(cwd, "sub", "in"));
    expect((await save("sub/in/a.txt")).target).toBe(path.join(cwd, "sub", "a.txt"));
  });

  test("on the way do not hide a protected place", async () => {
    symlinkSync(".git", path.join(cwd, "notes"));
    expect(await rejectedWith(save("notes/config"))).toBe("path-protected");
  });

  test("that dangle or lead round in circles are refused", async () => {
    symlinkSync(path.join(outside, "later"), path.join(cwd, "dangling"));
    symlinkSync("round", path.join(cwd, "round"));
    expect(await rejectedWith(save("dangling/a.txt"))).toBe("save-folder-missing");
    expect(await rejectedWith(save("dangling"))).toBe("save-not-a-file");
    expect(await rejectedWith(save("dangling", { overwrite: true }))).toBe("save-not-a-file");
    expect(await rejectedWith(save("round/a.txt"))).toBe("path-outside");
  });

  test("as the last name are refused even when they stay inside", async () => {
    writeFileSync(path.join(cwd, "a.txt"), "");
    symlinkSync("a.txt", path.join(cwd, "b.txt"));
    expect(await rejectedWith(save("b.txt", { overwrite: true }))).toBe("save-not-a-file");
  });

  test("a working directory that is reached by a link is still the root", async () => {
    symlinkSync(cwd, path.join(top, "alias"));
    expect((await save("a.txt", { cwd: path.join(top, "alias") })).target).toBe(path.join(cwd, "a.txt"));
  });

  test("a folder that becomes a link, or another folder, is noticed at the end", async () => {
    const place = await save("sub/a.txt");
    await place.recheck();
    renameSync(path.join(cwd, "sub"), path.join(cwd, "moved"));
    expect(await rejectedWith(place.recheck())).toBe("save-folder-missing");
    symlinkSync(outside, path.join(cwd, "sub"));
    expect(await rejectedWith(place.recheck())).toBe("path-outside");
    expect(readdirSync(outside)).toEqual([]);
  });

  test("a folder of the same name is not the same folder", async () => {
    const place = await save("sub/a.txt");
    renameSync(path.join(cwd, "sub"), path.join(cwd, "moved"));
    mkdirSync(path.join(cwd, "sub"));
    expect(await rejectedWith(place.recheck())).toBe("path-outside");
  });

  test("a target that appears meanwhile is noticed, be it a link or a file", async () => {
    const place = await save("sub/a.txt");
    symlinkSync(path.join(outside, "x"), place.target);
    expect(await rejectedWith(place.recheck())).toBe("save-not-a-file");
    const other = await save("sub/b.txt");
    writeFileSync(path.join(cwd, "c"), "");
    linkSync(path.join(cwd, "c"), other.target);
    expect(await rejectedWith(other.recheck())).toBe("save-exists");
  });
});
