import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { inspectPatch } from "../../../src/session/git/inspect-patch.ts";
import { makePatch } from "../../../src/session/git/make-patch.ts";
import { rejectedWith } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../../support/files/temp-repository.ts";

const folder = temporaryFolders();
const isWindows = process.platform === "win32";
let repository: Repository;
let first = "";

beforeEach(() => {
  repository = new Repository(folder());
  repository.put("a.txt", "one\ntwo\nthree\n");
  repository.put("gone.txt", "gone\n");
  first = repository.commit();
});

const make = (options: { range?: string; allow?: string[] } = {}, cwd = repository.folder) =>
  makePatch(cwd, { env: GIT_ENV, home: "/nowhere", allow: [], ...options });

/** Everything in `.git`, by content. */
function fingerprint(): string {
  const hash = createHash("sha256");
  const top = path.join(repository.folder, ".git");
  for (const name of readdirSync(top, { recursive: true, encoding: "utf8" }).toSorted()) {
    const entry = readdirSync(path.dirname(path.join(top, name)), { withFileTypes: true });
    const isFile = entry.find((one) => one.name === path.basename(name))?.isFile() === true;
    hash.update(`${name}\0`).update(isFile ? readFileSync(path.join(top, name)) : "");
  }
  return hash.digest("hex");
}

describe("a patch of what is not committed", () => {
  test("holds staged, unstaged, new, binary and deleted files, applies to the commit, and changes nothing here", async () => {
    const clone = new Repository(folder());
    clone.git("pull", "--quiet", repository.folder, "main");
    repository.put("a.txt", "one\nTWO\nthree\nfour\n");
    repository.git("add", "a.txt");
    repository.put("a.txt", "one\nTWO\nthree\nfour\nfive\n");
    repository.put("new/naïve file.txt", "new\n");
    repository.put(
      "image.bin",
      Uint8Array.from({ length: 300 }, (_, index) => (index * 7) % 256),
    );
    repository.put(".gitignore", "ignored\n");
    repository.put("ignored", "x");
    unlinkSync(path.join(repository.folder, "gone.txt"));
    const before = fingerprint();
    const patch = await make();
    expect(fingerprint()).toBe(before);
    expect(patch.baseCommit).toBe(first);
    expect([...patch.files].toSorted()).toEqual([
      ".gitignore",
      "a.txt",
      "gone.txt",
      "image.bin",
      "new/naïve file.txt",
    ]);
    expect(patch.diffstat).toEqual({ files: 5, insertions: 5, deletions: 2 });
    const saved = clone.put("incoming.patch", patch.bytes);
    clone.git("apply", saved);
    for (const name of ["a.txt", "new/naïve file.txt", "image.bin"]) {
      expect(readFileSync(path.join(clone.folder, name))).toEqual(
        readFileSync(path.join(repository.folder, name)),
      );
    }
    expect(existsSync(path.join(clone.folder, "gone.txt"))).toBe(false);
  });

  test("misses no change of the same size in the second of the last commit", async () => {
    // git compares times by the second, and looks at the content of a file that is as old as its index.
    const file = path.join(repository.folder, "a.txt");
    const index = path.join(repository.folder, ".git", "index");
    repository.git("config", "core.trustctime", "false");
    utimesSync(file, 1_700_000_000, 1_700_000_000);
    repository.git("add", "a.txt");
    repository.put("a.txt", "one\nTWO\nthree\n");
    utimesSync(file, 1_700_000_000, 1_700_000_000);
    utimesSync(index, 1_700_000_000, 1_700_000_000);
    repository.put("new.txt", "untracked\n");
    expect((await make()).files).toEqual(["a.txt", "new.txt"]);
  });

  test("has git's own form whatever the settings say", async () => {
    for (const [name, value] of [
      ["diff.noprefix", "true"],
      ["color.ui", "always"],
      ["diff.mnemonicPrefix", "true"],
      ["diff.context", "0"],
    ]) {
      repository.git("config", name ?? "", value ?? "");
    }
    repository.put("a.txt", "one\n2\nthree\n");
    const text = (await make({}, repository.folder)).bytes.toString();
    expect(text).toContain("diff --git a/a.txt b/a.txt\n");
    expect(text).toContain("@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n");
  });

  test("is refused when there is nothing, no commit, or no repository", async () => {
    expect(await rejectedWith(make())).toBe("patch-empty");
    expect(await rejectedWith(make({}, folder()))).toBe("git-unavailable");
    expect(await rejectedWith(make({}, new Repository(folder()).folder))).toBe("git-unavailable");
  });

  test("is refused when it is too large", async () => {
    repository.put("big.txt", "0123456789abcde\n".repeat(2_100_000));
    expect(await rejectedWith(make())).toBe("patch-too-large");
  });

  test("names the files in it that hold secrets by their names, new, changed, deleted or renamed", async () => {
    const env = repository.put(".env", "A=1\n");
    expect(await make()).toMatchObject({ files: [".env"], sensitive: [".env: environment file"] });
    expect(await make({ allow: [env] })).toMatchObject({ files: [".env"], sensitive: [] });
    repository.commit();
    unlinkSync(env);
    expect((await make()).sensitive).toEqual([".env: environment file"]);
    expect(await make({ allow: [env] })).toMatchObject({ files: [".env"], sensitive: [] });
    repository.commit();
    repository.put("id_rsa", "one\ntwo\nthree\nfour\n");
    repository.commit();
    repository.git("mv", "id_rsa", "notes.txt");
    expect((await make()).sensitive).toEqual(["id_rsa: private SSH key"]);
  });

  test("names the files in it whose bytes are packed", async () => {
    repository.put("x.bin", Buffer.from([0, 1, 2, 3, 0]));
    repository.put("a.txt", "text\n");
    expect(await make()).toMatchObject({ binary: ["x.bin: binary"] });
  });
});

describe("a patch of commits", () => {
  test("is of one, of a range, or of the very first", async () => {
    repository.put("a.txt", "one\n");
    const second = repository.commit();
    repository.put("b.txt", "b\n");
    repository.commit();
    expect(await make({ range: "HEAD" })).toMatchObject({ baseCommit: second, files: ["b.txt"] });
    expect(await make({ range: `${first}..HEAD` })).toMatchObject({
      baseCommit: first,
      files: ["a.txt", "b.txt"],
    });
    expect(await make({ range: "main~2" })).toMatchObject({
      baseCommit: undefined,
      files: ["a.txt", "gone.txt"],
    });
    expect(await rejectedWith(make({ range: "HEAD..HEAD" }))).toBe("patch-empty");
  });

  test.each([
    "nope",
    "",
    "..",
    "a...b",
    "HEAD..",
    "--output=/tmp/x",
    "-h",
    "HEAD --",
    ":/change",
    "HEAD:a.txt",
    "HEAD\n",
    "a..b..c",
  ])("%j is no range", async (range) => {
    expect(await rejectedWith(make({ range }))).toBe("patch-range");
  });
});

const inspect = (content: string | Uint8Array, baseCommit?: string) => {
  const file = path.join(folder(), "x.patch");
  writeFileSync(file, content);
  return inspectPatch(repository.folder, file, {
    env: GIT_ENV,
    home: "/nowhere",
    ...(baseCommit === undefined ? {} : { baseCommit }),
  });
};

function edit(name: string, headers: readonly string[] = [], from = name): string {
  const lines = [
    `diff --git a/${from} b/${name}`,
    ...headers,
    `--- a/${from}`,
    `+++ b/${name}`,
    "@@ -1,1 +1,1 @@",
    "-one",
    "+1",
    "",
  ];
  return lines.join("\n");
}

function added(name: string, mode = "100644", content = "x"): string {
  return [
    `diff --git a/${name} b/${name}`,
    `new file mode ${mode}`,
    "--- /dev/null",
    `+++ b/${name}`,
    "@@ -0,0 +1 @@",
    `+${content}`,
    "",
  ].join("\n");
}

describe("a received patch", () => {
  test("that is plain applies, and its base is known", async () => {
    repository.put("a.txt", "one\nTWO\nthree\n");
    const { bytes } = await make();
    const second = repository.commit();
    repository.git("checkout", "--quiet", first);
    const report = await inspect(bytes, first);
    expect(report).toMatchObject({
      applies: { kind: "yes" },
      base: "head",
      suspicions: [],
      insertions: 1,
      deletions: 1,
    });
    expect(report.files).toMatchObject([{ path: "a.txt", change: "modified", suspicions: [] }]);
    expect((await inspect(bytes, second)).base).toBe("known");
    expect((await inspect(bytes, "0".repeat(40))).base).toBe("unknown");
    expect((await inspect(bytes, "--help")).base).toBe("unknown");
    expect((await inspect(bytes)).base).toBe("not-given");
    expect(repository.git("status", "--porcelain")).toBe("");
  });

  test("that does not apply says which files are in the way", async () => {
    const patch = edit("a.txt").replace("-one", "-other") + edit("missing.txt") + added("gone.txt");
    expect((await inspect(patch)).applies).toEqual({
      kind: "no",
      failing: [
        { path: "a.txt", reason: "conflict" },
        { path: "missing.txt", reason: "missing" },
        { path: "gone.txt", reason: "exists" },
      ],
    });
  });

  const HOSTILE: readonly [what: string, patch: string, kinds: readonly string[]][] = [
    ["goes up", edit("../../etc/passwd"), ["outside"]],
    ["goes up in the middle", added("a/../../b"), ["outside"]],
    [
      "is absolute",
      ["--- /etc/passwd", "+++ /etc/passwd", "@@ -1 +1 @@", "-a", "+b", ""].join("\n"),
      ["outside", "traditional"],
    ],
    ["has a drive", added("C:/x"), ["outside"]],
    ["goes up by backslashes", added("..\\\\x").replaceAll("\\\\", "\\"), ["outside"]],
    [
      "hides it in quotes",
      ['diff --git "a/\\056\\056/x" "b/\\056\\056/x"', "new file mode 100644", ""].join("\n"),
      ["outside"],
    ],
    [
      "renames out",
      ["diff --git a/a.txt b/../x", "rename from a.txt", "rename to ../x", ""].join("\n"),
      ["outside"],
    ],
    [
      "says one thing and does another",
      edit("a.txt").replace("+++ b/a.txt", "+++ b/.git/config"),
      ["protected"],
    ],
    [
      "is refused by git, and would be read otherwise elsewhere",
      `${edit(".git/hooks/post-merge")}${edit("a.txt").replace("-1,1 +1,1", "-1,9 +1,9")}`,
      ["malformed", "protected"],
    ],
    [
      "changes where a link leads",
      edit("link").replace("--- a/", "index 1111111..2222222 120000\n--- a/"),
      ["symlink"],
    ],
    [
      "moves a submodule",
      edit("lib").replace("--- a/", "index 1111111..2222222 160000\n--- a/"),
      ["submodule"],
    ],
    [
      "has a name that looks like a line of git's list",
      [
        'diff --git "a/x\\n create mode 100644 y" "b/x\\n create mode 100644 y"',
        "new file mode 100755",
        "",
      ].join("\n"),
      ["name", "executable"],
    ],
    [
      "renames within a folder, out of it",
      [
        "diff --git a/d/a.txt b/d/.git/x",
        "similarity index 100%",
        "rename from d/a.txt",
        "rename to d/.git/x",
        "",
      ].join("\n"),
      ["protected"],
    ],
    ["writes a hook", added(".git/hooks/pre-commit", "100755"), ["protected", "executable"]],
    ["writes .GIT", added("sub/.GIT/config"), ["protected"]],
    ["writes to an agent", added(".claude/settings.json"), ["protected"]],
    ["tells agents what to do", edit("docs/CLAUDE.md"), ["protected"]],
    ["makes a link", added("link", "120000", "/etc/passwd"), ["symlink"]],
    ["makes a submodule", added("lib", "160000", "Subproject commit 0"), ["submodule"]],
    [
      "makes executable",
      ["diff --git a/a.txt b/a.txt", "old mode 100644", "new mode 100755", ""].join("\n"),
      ["executable"],
    ],
    ["has a strange mode", added("x", "104755"), ["mode"]],
    [
      "is binary",
      [
        "diff --git a/x b/x",
        "new file mode 100644",
        "index 0..1",
        "GIT binary patch",
        "literal 4",
        "LcmZQzWMT#Y01f~L",
        "",
        "literal 0",
        "HcmV?d00001",
        "",
        "",
      ].join("\n"),
      ["binary"],
    ],
    ["touches secrets", edit(".env"), ["sensitive"]],
    ["has invisible characters", added("a\u202etxt.exe"), ["name"]],
    ["has a device of Windows", added("sub/NUL.txt"), ["name"]],
    ["has names that are one elsewhere", added("Read.me") + added("read.ME"), ["collision"]],
    ["is cut", edit("a.txt").slice(0, -4), ["malformed"]],
    ["counts wrongly", edit("a.txt").replace("-1,1 +1,1", "-1,9 +1,9"), ["malformed"]],
    ["has a stray hunk", `@@ -1 +1 @@\n-a\n+b\n${edit("a.txt")}`, ["malformed"]],
  ];

  test.each(HOSTILE)("that %s is told of", async (_what, patch, kinds) => {
    const report = await inspect(patch);
    expect(report.suspicions).toEqual(expect.arrayContaining([...kinds]));
  });

  test("that hides a second file in a message, a long hunk or after a comment hides nothing", async () => {
    const inside = [
      "diff --git a/a.txt b/a.txt",
      "--- a/a.txt",
      "+++ b/a.txt",
      "@@ -1,2 +1,2 @@",
      "--- a/.git/x",
      "+++ b/.git/x",
      " same",
      "",
    ];
    const report = await inspect(
      `From: somebody\n\nwords\n${inside.join("\n")}\nmore words\n${added(".git/config")}`,
    );
    expect(report.files.map(({ path }) => path)).toEqual(["a.txt", ".git/config"]);
    expect(report.files[0]?.suspicions).toEqual([]);
    expect([report.insertions, report.deletions]).toEqual([2, 1]);
  });

  test("that would unpack to more than a memory holds is not given to git", async () => {
    const bomb = [
      "diff --git a/x b/x",
      "new file mode 100644",
      "index 0..1",
      "GIT binary patch",
      "literal 4000000000",
      "Ic",
      "",
      "",
    ];
    expect((await inspect(bomb.join("\n"))).applies).toEqual({ kind: "unknown", reason: "too-large" });
  });

  test("is read in time that grows with its length, whatever is in it", async () => {
    const lines = [
      `diff --git ${"a ".repeat(4_000)}`,
      `--- ${"x/".repeat(4_000)}`,
      "@@ -1 +1 @@",
      `diff --git "a/${"\\056".repeat(2_000)}`,
    ];
    const report = await inspect(lines.join("\n").concat("\n").repeat(300));
    expect(report.suspicions).toContain("malformed");
    expect(report.files.length).toBeLessThanOrEqual(500);
  });

  test.skipIf(isWindows)(
    "is told of file by file when it renames, whatever the names hold (Windows has no such names)",
    async () => {
      const names = ["plain.txt", "d/e/one => two.txt", "d/{x => y}.txt", "a (90%)", "new\nline"];
      for (const index of names.keys()) repository.put(`old/${index}`, `${index}\n`.repeat(20));
      repository.commit();
      for (const [index, name] of names.entries()) {
        repository.put(`old/${name}`, `${index}\n`.repeat(20));
        repository.git("rm", "--quiet", `old/${index}`);
      }
      const { bytes, files } = await make();
      const report = await inspect(bytes);
      expect(report.files.map((file) => [file.change, file.previousPath])).toEqual(
        report.files.map(() => ["renamed", expect.stringMatching(/^old\/\d$/) as unknown]),
      );
      expect(files.toSorted()).toEqual(names.map((name) => `old/${name}`).toSorted());
      expect(report.suspicions).toEqual(["name"]);
    },
  );

  test("cannot be told of without git, and says so", async () => {
    writeFileSync(path.join(repository.folder, "x.patch"), added("b.txt"));
    const report = await inspectPatch(repository.folder, "x.patch", { env: { PATH: folder() } });
    expect(report.applies).toEqual({ kind: "unknown", reason: "git-missing" });
    expect(report.files).toEqual([]);
  });

  test("outside a repository is still told of", async () => {
    const cwd = folder();
    writeFileSync(path.join(cwd, "x.patch"), added("b.txt"));
    const report = await inspectPatch(cwd, "x.patch", { env: GIT_ENV, home: "/nowhere" });
    expect(report).toMatchObject({ base: "no-repository", applies: { kind: "unknown" }, fileCount: 1 });
    expect(await rejectedWith(inspectPatch(cwd, "missing", { env: GIT_ENV }))).toBe("share-not-found");
    mkdirSync(path.join(cwd, "d"));
    expect(await rejectedWith(inspectPatch(cwd, "d", { env: GIT_ENV }))).toBe("share-not-a-file");
  });

  test.skipIf(isWindows)(
    "made here is told of as it is: links, modes, renames, binaries (modes and links differ on Windows)",
    async () => {
      repository.git("mv", "gone.txt", "moved name.txt");
      chmodSync(path.join(repository.folder, "a.txt"), 0o755);
      symlinkSync("a.txt", path.join(repository.folder, "link"));
      repository.put("b.bin", Uint8Array.from([0, 1, 2, 255]));
      const { bytes } = await make();
      const report = await inspect(bytes);
      expect(report.files).toMatchObject([
        { path: "a.txt", suspicions: [{ kind: "executable" }] },
        { path: "b.bin", change: "added", isBinary: true },
        { path: "link", change: "added", suspicions: [{ kind: "symlink" }] },
        { path: "moved name.txt", previousPath: "gone.txt", change: "renamed", suspicions: [] },
      ]);
      expect(report.suspicions).not.toContain("malformed");
    },
  );
});
