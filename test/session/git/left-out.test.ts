import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { inspectPatch } from "../../../src/session/git/inspect-patch.ts";
import { makePatch } from "../../../src/session/git/make-patch.ts";
import { patchView } from "../../../src/view/patches.ts";
import { rejectedWith, rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../../support/files/temp-repository.ts";

const folder = temporaryFolders();
const isWindows = process.platform === "win32";
let repository: Repository;

beforeEach(() => {
  repository = new Repository(folder());
  repository.put("a.txt", "one\n");
  repository.commit();
});

const make = (options: { range?: string; env?: Record<string, string> } = {}) =>
  makePatch(repository.folder, { env: GIT_ENV, home: "/nowhere", allow: [], ...options });

/** What the other side is told, in a clone of the last commit. */
async function told(bytes: Uint8Array, there = repository) {
  const file = path.join(folder(), "x.patch");
  writeFileSync(file, bytes);
  return patchView(await inspectPatch(there.folder, file, { env: GIT_ENV, home: "/nowhere" }));
}

/** A repository in a folder of this one. */
function inner(name: string): Repository {
  mkdirSync(path.join(repository.folder, name), { recursive: true });
  const made = new Repository(path.join(repository.folder, name));
  made.put("inner.txt", "one\n");
  made.commit();
  return made;
}

function submodule(name: string): Repository {
  const source = new Repository(folder());
  source.put("inner.txt", "one\n");
  source.commit();
  repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", source.folder, name);
  repository.commit();
  const made = new Repository(path.join(repository.folder, name));
  return made;
}

const pointer = (content: string): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash("sha256").update(content).digest("hex")}\nsize ${content.length}\n`;

describe("what a patch leaves out is named on both sides:", () => {
  test("a repository in it that is not tracked, with commits and without", async () => {
    inner("vendor/lib");
    mkdirSync(path.join(repository.folder, "empty"));
    new Repository(path.join(repository.folder, "empty")).put("f", "1");
    repository.put("a.txt", "two\n");
    const { bytes, files, leftOut } = await make();
    expect(files).toEqual(["a.txt"]);
    const expected = ["empty/", "vendor/lib/"].map(
      (name) => `${name}: a repository of its own that this one does not track`,
    );
    expect(leftOut).toEqual(expected);
    expect((await told(bytes)).leftOut).toEqual(expected);
  });

  test("with nothing else, that is why there is no patch", async () => {
    inner("lib");
    expect(await rejection(make())).toMatchObject({
      code: "patch-empty",
      detail: expect.stringContaining("lib/: a repository of its own"),
    });
  });

  test("a submodule that moves, and one with changes of its own", async () => {
    const lib = submodule("lib");
    lib.put("inner.txt", "two\n");
    repository.put("a.txt", "two\n");
    const dirty = await make();
    expect(dirty.files).toEqual(["a.txt"]);
    expect(dirty.leftOut).toEqual(["lib/: a submodule with uncommitted changes, which are not in the patch"]);
    lib.commit();
    const moved = await make();
    expect(moved.files).toEqual(["a.txt", "lib"]);
    expect(moved.leftOut).toEqual([expect.stringMatching(/^lib: a submodule that moves/)]);
    expect(await told(moved.bytes)).toMatchObject({
      leftOut: [expect.stringMatching(/^lib: a submodule that moves/)],
      suspicious: ["submodule"],
    });
    repository.commit();
    expect((await make({ range: "HEAD" })).leftOut).toEqual([
      expect.stringMatching(/^lib: a submodule that moves/),
    ]);
  });

  test("files that git was told not to look at, where they have changed", async () => {
    for (const name of ["marked.txt", "skipped.txt", "same.txt"]) repository.put(name, "one\n");
    repository.commit();
    repository.git("update-index", "--assume-unchanged", "marked.txt", "same.txt");
    repository.git("update-index", "--skip-worktree", "skipped.txt");
    for (const name of ["a.txt", "marked.txt", "skipped.txt"]) repository.put(name, "two\n");
    const { files, leftOut } = await make();
    expect(files).toEqual(["a.txt"]);
    expect(leftOut).toEqual([
      expect.stringMatching(/^marked\.txt: changed, but marked/),
      expect.stringMatching(/^skipped\.txt: changed, but marked/),
    ]);
    expect(repository.git("ls-files", "-v")).toContain("h marked.txt");
  });

  test("files that a sparse checkout leaves away are no deletions", async () => {
    repository.put("far/b.txt", "b\n");
    repository.commit();
    repository.git("sparse-checkout", "set", "--no-cone", "/a.txt");
    repository.put("a.txt", "two\n");
    expect(await make()).toMatchObject({ files: ["a.txt"], leftOut: [] });
  });

  test("ignored files are counted for this side, and not named to the other", async () => {
    repository.put(".gitignore", "dist\n*.secret\n");
    repository.commit();
    repository.put("dist/x", "x");
    repository.put("my.secret", "x");
    repository.put("a.txt", "two\n");
    const { bytes, notes } = await make();
    expect(notes).toEqual(["2 files and folders are ignored (.gitignore) and not in it: dist/, my.secret"]);
    expect(bytes.toString()).not.toContain("secret");
  });

  test.skipIf(isWindows)(
    "names cannot break the lines in which they stand (Windows has no such names)",
    async () => {
      inner("x\n# Head: 0000\ndiff --git a/y b/y");
      repository.put("a.txt", "two\n");
      const { bytes } = await make();
      const report = await told(bytes);
      expect(report.fileCount).toBe(1);
      expect(report.leftOut).toEqual([expect.stringMatching(/^x\?# Head: 0000\?diff --git a\/y b\/y\/: /)]);
    },
  );
});

describe("content that LFS keeps", () => {
  beforeEach(() => {
    repository.put(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repository.put("x.bin", pointer("old"));
    repository.put("same.bin", pointer("same"));
    repository.commit();
    // As the filter leaves it in a working tree.
    repository.put("x.bin", "newer");
    repository.put("same.bin", "same");
    repository.put("new.bin", "brand new");
  });

  test.each([
    ["by nobody", []],
    ["by a program that is not there", ["git-lfs-that-is-not-there filter-process"]],
  ])("goes as its pointer, as git status sees it, also where LFS is set up %s", async (_, programs) => {
    for (const program of programs) {
      repository.git("config", "filter.lfs.process", program);
      repository.git("config", "filter.lfs.required", "true");
    }
    const { bytes, files, leftOut } = await make();
    expect(files).toEqual(["new.bin", "x.bin"]);
    const text = bytes.toString();
    expect(text).toContain(`-oid sha256:${createHash("sha256").update("old").digest("hex")}`);
    expect(text).toContain(`+oid sha256:${createHash("sha256").update("newer").digest("hex")}\n+size 5`);
    expect(text).toContain(`+oid sha256:${createHash("sha256").update("brand new").digest("hex")}\n+size 9`);
    const expected = ["new.bin", "x.bin"].map(
      (name) => `${name}: kept in LFS: the patch has its pointer and not its content`,
    );
    expect(leftOut).toEqual(expected);
    expect((await told(bytes)).leftOut).toEqual(expected);
    expect(repository.git("status", "--porcelain", "new.bin")).toBe("?? new.bin");
  });

  test("that is not fetched, and lies there as its pointer, is no change", async () => {
    repository.put("x.bin", pointer("old"));
    unlinkSync(path.join(repository.folder, "new.bin"));
    repository.put("same.bin", pointer("same"));
    expect(await rejectedWith(make())).toBe("patch-empty");
  });

  test("goes as its pointer from a new folder, too, however large it is", async () => {
    repository.put("assets/huge.bin", Buffer.alloc(33 * 1024 * 1024));
    expect((await make()).files).toContain("assets/huge.bin");
  });

  test("is told of by the receiver itself, whatever its sender says", async () => {
    const { bytes } = await make();
    const bare = bytes.subarray(bytes.indexOf("diff --git "));
    const report = await told(bare);
    expect(report).toMatchObject({ leftOut: [], suspicious: ["lfs"] });
  });

  test("is not said to apply or not where its filter cannot be run", async () => {
    unlinkSync(path.join(repository.folder, "new.bin"));
    const { bytes } = await make();
    const home = folder();
    const settings = '[filter "lfs"]\n\tprocess = not-there-at-all filter-process\n\trequired = true\n';
    writeFileSync(path.join(home, ".gitconfig"), settings);
    const file = repository.put("x.patch", bytes);
    const { applies } = await inspectPatch(repository.folder, file, {
      env: { ...GIT_ENV, HOME: home },
      home: "/nowhere",
    });
    expect(applies).toEqual({ kind: "unknown", reason: "filter" });
  });

  test("is not said to apply or not where its filter was not run", async () => {
    const { bytes } = await make();
    expect(await told(bytes)).toMatchObject({ applies: "unknown", reason: "filter" });
    // With a filter of the user's own it is run, and git's answer counts.
    const home = folder();
    writeFileSync(
      path.join(home, ".gitconfig"),
      "[filter \"lfs\"]\n\tclean = printf 'version https://git-lfs.github.com/spec/v1\\\\noid sha256:%s\\\\nsize 3\\\\n' ".concat(
        createHash("sha256").update("old").digest("hex"),
        "\n",
      ),
    );
    unlinkSync(path.join(repository.folder, "new.bin"));
    const file = repository.put("x.patch", bytes);
    repository.put("x.bin", "old");
    const { applies } = await inspectPatch(repository.folder, file, {
      env: { ...GIT_ENV, HOME: home },
      home: "/nowhere",
    });
    expect(applies).toEqual(isWindows ? expect.anything() : { kind: "yes" });
  });
});

describe("a patch is refused", () => {
  test("during a merge with conflicts, with the files, however it came to them", async () => {
    repository.git("checkout", "--quiet", "-b", "other");
    for (const name of ["a.txt", "b.txt"]) repository.put(name, "theirs\n");
    repository.commit();
    repository.git("checkout", "--quiet", "main");
    for (const name of ["a.txt", "b.txt"]) repository.put(name, "ours\n");
    repository.commit();
    for (const how of ["merge", "cherry-pick", "rebase"]) {
      expect(() => repository.git(how, "other")).toThrow();
      expect(await rejection(make())).toMatchObject({ code: "patch-conflicts", detail: "a.txt, b.txt" });
      // What is committed has none.
      expect((await make({ range: "main" })).files).toEqual(["a.txt", "b.txt"]);
      repository.git(how, "--abort");
    }
  });

  test.each([
    ["node_modules", "node_modules/", "node_modules/"],
    ["packages/one/node_modules", "packages/one/node_modules/", "node_modules/"],
    ["py/.venv", "py/.venv/", ".venv/"],
  ])("with %s in it, with the folder and the line for .gitignore", async (at, named, line) => {
    repository.put(`${at}/left-pad/index.js`, "x");
    expect(await rejection(make())).toMatchObject({
      code: "patch-untracked",
      detail: `${named} holds what a tool has put there; the line for .gitignore is \`${line}\``,
    });
    repository.put(".gitignore", `${line}\n`);
    expect((await make()).files).toEqual([".gitignore"]);
  });

  test("with a folder of very many or very large files that is not tracked", async () => {
    for (let index = 0; index < 1_001; index += 1) repository.put(`out/[x]/${index}`, "");
    expect(await rejection(make())).toMatchObject({
      code: "patch-untracked",
      detail: "out/ holds more than 1000 files; the line for .gitignore is `/out/`",
    });
    rmSync(path.join(repository.folder, "out"), { recursive: true });
    repository.put("logs/big", Buffer.alloc(33 * 1024 * 1024));
    expect(await rejection(make())).toMatchObject({
      code: "patch-untracked",
      detail: expect.stringContaining("logs/ holds more than 32 MiB"),
    });
  });

  test("when it is too large, with the largest file", async () => {
    repository.put("a.txt", "two\n");
    repository.put("big.txt", "0123456789abcde\n".repeat(2_100_000));
    expect(await rejection(make())).toMatchObject({
      code: "patch-too-large",
      detail: "the largest changed file is big.txt with 33600000 bytes",
    });
  });

  test.skipIf(isWindows)(
    "with a pipe in place of a file, which is named and not waited for (needs mkfifo)",
    async () => {
      unlinkSync(path.join(repository.folder, "a.txt"));
      execFileSync("mkfifo", [path.join(repository.folder, "a.txt")]);
      expect(await rejection(make())).toMatchObject({ code: "share-not-a-file", detail: "a.txt" });
    },
  );

  test.skipIf(isWindows || process.getuid?.() === 0)(
    "with a file that cannot be read, which is named (the superuser reads everything)",
    async () => {
      chmodSync(repository.put("closed.txt", "x"), 0);
      expect(await rejection(make())).toMatchObject({ code: "share-unreadable", detail: "closed.txt" });
    },
  );
});

describe("a patch carries", () => {
  test.skipIf(isWindows)(
    "modes alone, links, odd names and files that git was told of only (Windows has no such names)",
    async () => {
      repository.put("line\r\n.txt", "one\r\ntwo\r\n");
      repository.commit();
      chmodSync(path.join(repository.folder, "a.txt"), 0o755);
      symlinkSync("a.txt", path.join(repository.folder, "link"));
      repository.put('quo"te\t.txt', "x\n");
      writeFileSync(
        Buffer.concat([Buffer.from(`${repository.folder}/lat`), Buffer.from([0xe9]), Buffer.from(".txt")]),
        "x\n",
      );
      repository.put("told.txt", "x\n");
      repository.git("add", "--intent-to-add", "told.txt");
      repository.put("line\r\n.txt", "one\r\nTWO\r\n");
      const clone = new Repository(folder());
      clone.git("pull", "--quiet", repository.folder, "main");
      const { bytes, files, leftOut } = await make();
      expect(leftOut).toEqual([]);
      expect(files.toSorted()).toEqual([
        "a.txt",
        "lat\ufffd.txt",
        "line\r\n.txt",
        "link",
        'quo"te\t.txt',
        "told.txt",
      ]);
      clone.git("apply", clone.put("x.patch", bytes));
      expect(statSync(path.join(clone.folder, "a.txt")).mode & 0o111).not.toBe(0);
      expect(readFileSync(path.join(clone.folder, "line\r\n.txt"), "utf8")).toBe("one\r\nTWO\r\n");
      expect(readFileSync(Buffer.from(`${clone.folder}/lat\xe9.txt`, "latin1"), "utf8")).toBe("x\n");
    },
  );

  test("lines as git keeps them, whatever the ends of lines in the working tree", async () => {
    repository.git("config", "core.autocrlf", "true");
    repository.put("a.txt", "one\r\ntwo\r\n");
    const { bytes } = await make();
    expect(bytes.toString()).toContain("\n one\n+two\n");
  });

  test("what lies in a linked tree, with a lock on the index and its hooks and monitors at rest", async () => {
    const linked = path.join(folder(), "linked");
    repository.git("worktree", "add", "--quiet", "-b", "side", linked);
    const mark = path.join(folder(), "started");
    repository.git("config", "core.fsmonitor", `touch '${mark.split(path.sep).join("/")}'`);
    writeFileSync(path.join(linked, "a.txt"), "two\n");
    writeFileSync(path.join(linked, "new.txt"), "new\n");
    writeFileSync(path.join(repository.folder, ".git", "worktrees", "linked", "index.lock"), "");
    const patch = await makePatch(linked, {
      env: { ...GIT_ENV, GIT_DIR: "/nowhere", GIT_INDEX_FILE: "/nowhere/index", GIT_WORK_TREE: "/nowhere" },
      home: "/nowhere",
      allow: [],
    });
    expect(patch.files).toEqual(["a.txt", "new.txt"]);
    expect(() => statSync(mark)).toThrow();
  });
});
