import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { contextOf, projectName } from "../../../src/session/git/context.ts";
import { inspectPatch } from "../../../src/session/git/inspect-patch.ts";
import { makePatch } from "../../../src/session/git/make-patch.ts";
import { gitEnvironment } from "../../../src/session/git/run.ts";
import { rejectedWith, rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../../support/files/temp-repository.ts";

const folder = temporaryFolders();
let repository: Repository;
beforeEach(() => {
  const shop = path.join(folder(), "shop");
  mkdirSync(shop);
  repository = new Repository(shop);
});

const options = { env: GIT_ENV, home: "/nowhere", timeoutMs: 30_000 };

describe("the context of work", () => {
  test("is project, branch, commit, and whether something is not committed", async () => {
    repository.put("a.txt", "a");
    const head = repository.commit();
    const clean = { repository: "shop", branch: "main", head, dirty: false };
    repository.git("worktree", "add", "--quiet", "-b", "side", "../linked");
    const linked = path.join(path.dirname(repository.folder), "linked");
    expect(await contextOf(linked, options)).toEqual({ ...clean, repository: "linked", branch: "side" });
    expect(await contextOf(repository.folder, options)).toEqual(clean);
    repository.put("sub/b.txt", "b");
    expect(await contextOf(path.join(repository.folder, "sub"), options)).toEqual({ ...clean, dirty: true });
    repository.git("checkout", "--quiet", "--detach");
    expect(await contextOf(repository.folder, options)).toMatchObject({ branch: undefined, head });
  });

  test("has no commit before the first one", async () => {
    expect(await contextOf(repository.folder, options)).toMatchObject({ branch: "main", head: undefined });
  });

  test("takes the project's name from the remote, without host or account", async () => {
    repository.git("remote", "add", "origin", "https://ana:t0ken@git.example/team/store.git");
    expect((await contextOf(repository.folder, options))?.repository).toBe("store");
  });

  test.each([
    ["git@host:team/shop.git", "shop"],
    ["host:shop", "shop"],
    ["ssh://git@host:22/team/shop/", "shop"],
    ["/srv/git/shop.git", "shop"],
    ["C:\\repos\\shop", "shop"],
    ["https://user:token@host", undefined],
    ["https://host/user:token@x", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("the name in %j is %j", (url, name) => {
    expect(projectName(url)).toBe(name);
  });

  test("is unknown outside a repository, without git, when git takes too long, and for a repository over a home", async () => {
    expect(await contextOf(folder(), options)).toBeUndefined();
    expect(await contextOf(repository.folder, { ...options, env: { PATH: "" } })).toBeUndefined();
    expect(await contextOf(path.join(repository.folder, "missing"), options)).toBeUndefined();
    expect(await contextOf(repository.folder, { ...options, home: repository.folder })).toBeUndefined();
  });

  test.skipIf(process.platform === "win32")(
    "is unknown when git hangs (a script stands in for it)",
    async () => {
      const bin = folder();
      writeFileSync(path.join(bin, "git"), "#!/bin/sh\nwhile :; do :; done\n", { mode: 0o755 });
      const slow = { ...options, env: { PATH: bin }, timeoutMs: 50 };
      expect(await contextOf(repository.folder, slow)).toBeUndefined();
    },
  );
});

describe("the settings of a repository that comes from somebody else", () => {
  test("start no program: filters, hooks, monitors, textconv, external diff, included files", async () => {
    const mark = path.join(folder(), "started");
    const program = `touch '${mark.split(path.sep).join("/")}'; cat`;
    repository.put("a.txt", "a");
    repository.put(".gitattributes", "* filter=one diff=one\n");
    repository.commit();
    for (const name of ["filter.one.clean", "filter.one.smudge", "filter.one.process", "diff.one.textconv"]) {
      repository.git("config", name, program);
    }
    for (const name of [
      "diff.one.command",
      "diff.external",
      "core.fsmonitor",
      "core.pager",
      "core.editor",
      "core.sshCommand",
    ]) {
      repository.git("config", name, program);
    }
    repository.git("config", "include.path", "more");
    const hidden = ['[filter "one"]', `clean = "${program}"`, "required = true", ""];
    writeFileSync(path.join(repository.folder, ".git", "more"), hidden.join("\n"));
    for (const hook of ["post-index-change", "pre-commit"]) {
      writeFileSync(path.join(repository.folder, ".git", "hooks", hook), `#!/bin/sh\n${program}\n`, {
        mode: 0o755,
      });
    }
    repository.put("a.txt", "changed");
    repository.put("b.txt", "new");
    expect(await contextOf(repository.folder, options)).toMatchObject({ dirty: true });
    const patch = await makePatch(repository.folder, { ...options, allow: [] });
    expect(patch.files).toEqual(["a.txt", "b.txt"]);
    const saved = path.join(folder(), "x.patch");
    writeFileSync(saved, patch.bytes);
    expect(patch.leftOut).toEqual([
      expect.stringMatching(/^a\.txt: .*filter/),
      expect.stringMatching(/^b\.txt: .*filter/),
    ]);
    // git compares bytes that went through no filter, so that says nothing of the bytes that did.
    const { applies } = await inspectPatch(repository.folder, saved, options);
    expect(applies).toEqual({ kind: "unknown", reason: "filter" });
    expect(existsSync(mark)).toBe(false);
    // The trap is a real one: plain git walks into it.
    expect(() => repository.git("add", "a.txt")).toThrow("filter 'one' failed");
    expect(existsSync(mark)).toBe(true);
  });

  test("do not have git look at another folder", async () => {
    const secret = folder();
    writeFileSync(path.join(secret, "diary.txt"), "private");
    repository.put("a.txt", "a");
    repository.commit();
    repository.git("config", "core.worktree", secret);
    expect(await contextOf(repository.folder, options)).toBeUndefined();
    expect(await rejectedWith(makePatch(repository.folder, { ...options, allow: [] }))).toBe(
      "git-unavailable",
    );
    // One that is around the repository is the one that git itself would go along with.
    repository.git("config", "core.worktree", path.dirname(repository.folder));
    const refused = await rejection(makePatch(repository.folder, { ...options, allow: [] }));
    expect(refused).toMatchObject({ code: "git-unavailable", detail: undefined });
    repository.git("config", "core.worktree", path.parse(secret).root);
    expect(await contextOf(repository.folder, options)).toBeUndefined();
  });
});

test("the environment of git has no setting of another git, and looks for programs in absolute folders only", () => {
  const absolute = path.resolve("/usr/bin");
  const env = gitEnvironment({
    PATH: ["", ".", "bin", absolute].join(path.delimiter),
    HOME: "/home/ana",
    GIT_DIR: "/elsewhere",
    GIT_CONFIG_COUNT: "1",
    git_external_diff: "x",
    LC_ALL: "de_DE",
    LANGUAGE: "de",
    UNSET: undefined,
  });
  expect(env).toMatchObject({ PATH: absolute, HOME: "/home/ana", LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" });
  expect(
    Object.keys(env)
      .filter((name) => /^git_/i.test(name))
      .toSorted(),
  ).toEqual([
    "GIT_ALLOW_PROTOCOL",
    "GIT_NO_LAZY_FETCH",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OPTIONAL_LOCKS",
    "GIT_TERMINAL_PROMPT",
  ]);
});
