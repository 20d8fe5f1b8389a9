import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { contextOf } from "../../../src/session/git/context.ts";
import { inspectPatch } from "../../../src/session/git/inspect-patch.ts";
import { makePatch } from "../../../src/session/git/make-patch.ts";
import { patchView } from "../../../src/view/patches.ts";
import { rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../../support/files/temp-repository.ts";

const folder = temporaryFolders();
const isWindows = process.platform === "win32";
let repository: Repository;
let head = "";

beforeEach(() => {
  repository = new Repository(folder());
  repository.put("a.txt", "one\n");
  head = repository.commit();
  repository.put("a.txt", "two\n");
});

const PATCH = [
  "diff --git a/.envrc b/.envrc",
  "new file mode 100644",
  "--- /dev/null",
  "+++ b/.envrc",
  "@@ -0,0 +1 @@",
  "+x",
  "",
].join("\n");

const make = (env: Record<string, string> = GIT_ENV, cwd = repository.folder) =>
  makePatch(cwd, { env, home: "/nowhere", allow: [] });

async function inspected(env: Record<string, string> = GIT_ENV, cwd = repository.folder) {
  const file = path.join(folder(), "x.patch");
  writeFileSync(file, PATCH);
  return patchView(await inspectPatch(cwd, file, { env, home: "/nowhere", baseCommit: head }));
}

/** A folder for PATH in which a script stands for git. */
function standIn(script: string): Record<string, string> {
  const bin = folder();
  writeFileSync(path.join(bin, "git"), `#!/bin/sh\n${script}\n`);
  chmodSync(path.join(bin, "git"), 0o755);
  return { ...GIT_ENV, PATH: `${bin}${path.delimiter}${GIT_ENV["PATH"] ?? ""}` };
}

describe("without git", () => {
  test("no patch is made, and what has come is told to be unread, but for what its headers show", async () => {
    const nothing = { PATH: folder() };
    expect(await rejection(make(nothing))).toMatchObject({ code: "git-missing", retryable: false });
    expect(await inspected(nothing)).toMatchObject({
      applies: "unknown",
      reason: "git-missing",
      baseIs: "git-missing",
      fileCount: undefined,
      insertions: undefined,
      suspicious: ["protected", "sensitive"],
    });
  });

  test.skipIf(isWindows)(
    "the program of that name may only say where to get it (a script stands in for it)",
    async () => {
      const stub = standIn('echo "xcode-select: note: No developer tools were found" >&2; exit 1');
      expect(await rejection(make(stub))).toMatchObject({ code: "git-missing" });
      expect((await inspected(stub)).baseIs).toBe("git-missing");
    },
  );

  test.skipIf(isWindows)(
    "an old one is none, and its version is told (a script stands in for it)",
    async () => {
      const old = standIn(
        'case "$*" in *--version*) echo "git version 2.17.1";; *) echo "usage: git" >&2; exit 129;; esac',
      );
      expect(await rejection(make(old))).toMatchObject({
        code: "git-missing",
        detail: "git 2.17 is too old",
      });
    },
  );

  test("a working directory that is gone is told apart", async () => {
    const gone = path.join(folder(), "gone");
    expect(await rejection(make(GIT_ENV, gone))).toMatchObject({
      code: "git-unavailable",
      detail: "the working directory does not exist any more",
    });
  });
});

describe.skipIf(isWindows)(
  "a repository of another owner (git's own switch for tests, set by a script)",
  () => {
    const otherOwner = () => {
      const git = (GIT_ENV["PATH"] ?? "")
        .split(path.delimiter)
        .map((at) => path.join(at, "git"))
        .find((file) => {
          try {
            return readdirSync(path.dirname(file)).includes("git");
          } catch {
            return false;
          }
        });
      return standIn(`GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec '${git}' "$@"`);
    };

    test("is told as the cause, with the exact command", async () => {
      const command = `git config --global --add safe.directory ${repository.folder}`;
      expect(await rejection(make(otherOwner()))).toMatchObject({
        code: "git-not-owned",
        detail: `\`${command}\``,
      });
      expect(await inspected(otherOwner())).toMatchObject({
        applies: "unknown",
        reason: "git-not-owned",
        baseIs: "git-not-owned",
        command,
        fileCount: 1,
      });
      expect(await contextOf(repository.folder, { env: otherOwner(), home: "/nowhere" })).toBeUndefined();
    });

    test("is used once the user trusts it, from a folder in it, too", async () => {
      const home = folder();
      writeFileSync(path.join(home, ".gitconfig"), `[safe]\n\tdirectory = ${repository.folder}\n`);
      mkdirSync(path.join(repository.folder, "sub"));
      const cwd = path.join(repository.folder, "sub");
      expect(await rejection(make(otherOwner(), cwd))).toMatchObject({ code: "git-not-owned" });
      expect((await make({ ...otherOwner(), HOME: home }, cwd)).files).toEqual(["a.txt"]);
    });
  },
);

describe("a repository that is no working one is told to be", () => {
  test("bare", async () => {
    const bare = folder();
    repository.git("clone", "--quiet", "--bare", repository.folder, bare);
    expect(await rejection(make(GIT_ENV, bare))).toMatchObject({
      code: "git-unavailable",
      detail: expect.stringContaining("bare repository"),
    });
    expect((await inspected(GIT_ENV, bare)).baseIs).toBe("no-repository");
  });

  test("one without a commit", async () => {
    expect(await rejection(make(GIT_ENV, new Repository(folder()).folder))).toMatchObject({
      code: "git-unavailable",
      detail: "there is no commit yet",
    });
  });

  test("one with settings that cannot be read, or that has moved away from its linked tree", async () => {
    const linked = path.join(folder(), "linked");
    repository.git("worktree", "add", "--quiet", linked);
    writeFileSync(path.join(repository.folder, ".git", "config"), "[core\n");
    expect(await rejection(make())).toMatchObject({
      code: "git-unavailable",
      detail: expect.stringContaining("cannot read its settings"),
    });
    rmSync(path.join(repository.folder, ".git"), { recursive: true });
    expect(await rejection(make(GIT_ENV, linked))).toMatchObject({
      code: "git-unavailable",
      detail: expect.stringContaining("not there any more"),
    });
  });

  test("damaged, be it the last commit, the index or a file of it", async () => {
    const objects = path.join(repository.folder, ".git", "objects");
    const objectOf = (hash: string) => path.join(objects, hash.slice(0, 2), hash.slice(2));
    rmSync(objectOf(repository.git("rev-parse", "HEAD:a.txt")));
    expect(await rejection(make())).toMatchObject({
      code: "git-failed",
      detail: expect.stringContaining("git fsck"),
    });
    writeFileSync(path.join(repository.folder, ".git", "index"), "x".repeat(100));
    expect(await rejection(make())).toMatchObject({
      code: "git-failed",
      detail: expect.stringContaining("index of the repository is damaged"),
    });
    rmSync(objectOf(head));
    expect(await rejection(make())).toMatchObject({
      code: "git-failed",
      detail: "the last commit is missing or damaged: see `git fsck`",
    });
  });
});
