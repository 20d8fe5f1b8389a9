import { mkdtempSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { makePatch } from "../../../src/session/git/make-patch.ts";
import { rejectedWith, rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../../support/files/temp-repository.ts";

const folder = temporaryFolders();
let repository: Repository;
/** The commit at which `topic` left `main`. */
let fork = "";
let topic = "";

const make = (range: string, cwd = repository.folder) =>
  makePatch(cwd, { env: GIT_ENV, home: "/nowhere", allow: [], range });

beforeEach(() => {
  repository = new Repository(folder());
  repository.put("a.txt", "one\n");
  fork = repository.commit();
  repository.git("checkout", "--quiet", "-b", "topic");
  repository.put("topic.txt", "topic\n");
  topic = repository.commit();
  repository.git("checkout", "--quiet", "main");
  repository.put("main.txt", "main\n");
  repository.commit();
});

/** A clone of the last commit of each branch alone, in a folder of its own. */
function shallowClone(...more: string[]): string {
  const clone = mkdtempSync(path.join(folder(), "shallow-"));
  const from = `file://${repository.folder}`;
  repository.git("clone", "--quiet", "--depth=1", "--no-single-branch", ...more, from, clone);
  return clone;
}

describe("a range", () => {
  test("is what its second end has changed since it left the first, and names base and head", async () => {
    for (const range of ["main..topic", "main...topic", " main .. topic ", `main..${topic}`]) {
      const patch = await make(range);
      expect(patch).toMatchObject({
        baseCommit: fork,
        base: { id: fork, subject: "change" },
        head: { id: topic, subject: "change" },
        files: ["topic.txt"],
        leftOut: [],
        notes: [],
      });
      const lines = patch.bytes.toString().split("\n");
      expect(lines.slice(1, 3)).toEqual([`# Base: ${fork} change`, `# Head: ${topic} change`]);
      repository.put("saved.patch", patch.bytes);
      repository.git("apply", "--check", "saved.patch");
    }
  });

  test("with one end means HEAD by the other", async () => {
    repository.git("checkout", "--quiet", "topic");
    expect((await make("main..")).files).toEqual(["topic.txt"]);
    expect((await make("..main")).files).toEqual(["main.txt"]);
    expect(await rejectedWith(make("topic.."))).toBe("patch-range");
  });

  test("whose ends have nothing in common is refused as that", async () => {
    repository.git("checkout", "--quiet", "--orphan", "other");
    repository.commit();
    expect(await rejection(make("main..other"))).toMatchObject({
      code: "patch-range",
      detail: expect.stringContaining("no commit in common"),
    });
  });

  test("whose ends met several times is the change since one of those commits, which is said", async () => {
    repository.git("checkout", "--quiet", "-b", "left", "main");
    repository.git("checkout", "--quiet", "-b", "right", "topic");
    repository.git("merge", "--quiet", "--no-edit", "main");
    repository.git("checkout", "--quiet", "left");
    repository.git("merge", "--quiet", "--no-edit", "topic");
    repository.put("left.txt", "left\n");
    repository.commit();
    const patch = await make("right..left");
    expect([fork, topic, repository.git("rev-parse", "main")]).toContain(patch.baseCommit);
    expect(patch.notes).toEqual([expect.stringMatching(/2 latest common commits/)]);
    expect(patch.bytes.toString()).toContain("# Note: the two have 2 latest common commits");
  });

  test.each(["^main topic", "topic ^main", "main..topic..main", "-h..topic", "topic --not main"])(
    "%j is none, and the form is told",
    async (range) => {
      expect(await rejection(make(range))).toMatchObject({
        code: "patch-range",
        detail: expect.stringContaining("BASE..TIP"),
      });
    },
  );

  test("of a path is told to be a path, and of nothing to be nothing", async () => {
    expect(await rejection(make("main.txt"))).toMatchObject({
      code: "patch-range",
      detail: expect.stringContaining("give its path"),
    });
    expect(await rejection(make("main..nowhere"))).toMatchObject({
      code: "patch-range",
      detail: '"nowhere" is no commit of this repository',
    });
  });
});

describe("one commit", () => {
  test("may be named by a tag, a branch with odd signs, its age, or as git does it", async () => {
    repository.git("tag", "--annotate", "--message=x", "v1", topic);
    repository.git("branch", "füx/#12-a,b(c)=d!", topic);
    repository.git("tag", "later");
    for (const range of [
      "v1",
      "füx/#12-a,b(c)=d!",
      "topic^!",
      "topic~0",
      "refs/heads/topic",
      topic.slice(0, 10),
    ])
      expect(await make(range)).toMatchObject({ baseCommit: fork, files: ["topic.txt"] });
  });

  test("that is a stash is what was not committed, and its untracked files are told to be missing", async () => {
    repository.put("a.txt", "two\n");
    repository.put("new.txt", "new\n");
    repository.git("stash", "push", "--quiet", "--include-untracked");
    const patch = await make("stash@{0}");
    expect(patch.files).toEqual(["a.txt"]);
    expect(patch.notes).toEqual([expect.stringContaining("untracked files of the stash")]);
  });

  test("that is a merge is its change against its first parent, which is said", async () => {
    repository.git("merge", "--quiet", "--no-edit", "topic");
    const patch = await make("HEAD");
    expect(patch.files).toEqual(["topic.txt"]);
    expect(patch.notes).toEqual([expect.stringContaining("is a merge")]);
  });

  test("that is the first of a whole history is everything in it", async () => {
    const patch = await make(fork);
    expect(patch).toMatchObject({ baseCommit: undefined, base: undefined, files: ["a.txt"] });
    expect(patch.bytes.toString()).toContain("# Base: nothing: it begins with the first commit");
  });

  test("is itself whatever replaces it", async () => {
    repository.git("replace", topic, "main");
    expect((await make(topic)).files).toEqual(["topic.txt"]);
  });
});

describe("in a shallow clone", () => {
  test("a commit whose parent is not there is refused with the command that fetches it, and never the whole tree", async () => {
    const clone = shallowClone();
    expect(await rejection(make("HEAD", clone))).toMatchObject({
      code: "patch-range",
      detail: expect.stringMatching(/^the parent of [0-9a-f]{12} is not .*`git fetch --deepen=1`/),
    });
    repository.git("-C", clone, "fetch", "--quiet", "--deepen=1");
    expect(await make("HEAD", clone)).toMatchObject({ baseCommit: fork, files: ["main.txt"] });
  });

  test("a commit that is not there is told to be further back", async () => {
    expect(await rejection(make("HEAD~1", shallowClone()))).toMatchObject({
      code: "patch-range",
      detail: expect.stringContaining("git fetch --unshallow"),
    });
  });

  test("a range whose fork is not there is refused with the command that fetches it; with it the base is told to be unsure", async () => {
    const clone = shallowClone();
    const range = "origin/main..origin/topic";
    expect(await rejection(make(range, clone))).toMatchObject({
      code: "patch-range",
      detail: expect.stringMatching(/in common in this shallow clone; `git fetch --unshallow`/),
    });
    // The rest of the history behind the fork stays away.
    repository.git("checkout", "--quiet", "main");
    repository.git("-C", clone, "fetch", "--quiet", "--unshallow");
    expect(await make(range, clone)).toMatchObject({ baseCommit: fork, files: ["topic.txt"], notes: [] });
  });

  test("the whole of the first commit is still its change", async () => {
    repository.git("checkout", "--quiet", "--detach", fork);
    repository.git("branch", "start");
    const clone = shallowClone("--branch=start");
    expect((await make("HEAD", clone)).files).toEqual(["a.txt"]);
  });

  test("what is not committed goes as ever", async () => {
    const clone = shallowClone();
    repository.git("-C", clone, "config", "user.name", "x");
    repository.put(path.relative(repository.folder, path.join(clone, "a.txt")), "two\n");
    const patch = await makePatch(clone, { env: GIT_ENV, home: "/nowhere", allow: [] });
    expect(patch.files).toEqual(["a.txt"]);
  });
});

test("in a partial clone nothing is fetched unasked, and the way to have it is told", async () => {
  repository.git("config", "uploadpack.allowFilter", "true");
  const clone = mkdtempSync(path.join(folder(), "partial-"));
  const from = `file://${repository.folder}`;
  repository.put("a.txt", "two\n");
  repository.commit();
  repository.git("clone", "--quiet", "--filter=blob:none", from, clone);
  expect(await rejection(make("HEAD", clone))).toMatchObject({
    code: "git-failed",
    detail: expect.stringContaining("partial clone"),
  });
  repository.git("-C", clone, "diff", "HEAD~1", "HEAD");
  expect((await make("HEAD", clone)).files).toEqual(["a.txt"]);
});
