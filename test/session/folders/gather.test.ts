import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { gather, type Gathered } from "../../../src/session/folders/gather.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../../support/files/temp-repository.ts";
import { rejection } from "../../support/rejection.ts";

const folder = temporaryFolders();
const isWindows = process.platform === "win32";
let cwd = "";
beforeEach(() => {
  cwd = folder();
});

function put(name: string, text = name): void {
  const file = path.join(cwd, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

async function found(given: readonly string[], env: Record<string, string> = GIT_ENV): Promise<Gathered> {
  const home = folder();
  const signal = new AbortController().signal;
  return await gather(given, { cwd, home, roots: [], allow: [], ignore: { env, home, signal } });
}
const paths = ({ files }: Gathered): string[] => files.map((one) => one.path).toSorted();
const left = ({ leftOut }: Gathered): Record<string, string> =>
  Object.fromEntries(leftOut.map(({ path: name, why }) => [name, why]));

describe("what of a folder goes", () => {
  it("is the folder that is named, or the one in which all that is named lies", async () => {
    for (const name of ["a/x.txt", "a/y/z.txt", "b/c.txt", "d.txt"]) put(name);
    expect(await found(["a"])).toMatchObject({ name: "a" });
    expect(paths(await found(["a"]))).toEqual(["x.txt", "y/z.txt"]);
    expect(paths(await found(["a/x.txt", "a/y"]))).toEqual(["x.txt", "y/z.txt"]);
    const both = await found(["a", "d.txt", "a/x.txt"]);
    expect(both.name).toBe(path.basename(cwd));
    expect(paths(both)).toEqual(["a/x.txt", "a/y/z.txt", "d.txt"]);
    expect(paths(await found(["."]))).toHaveLength(4);
    expect(paths(await found(["d.txt"]))).toEqual(["d.txt"]);
  });

  it.each(["in a repository", "without one"])("leaves out what git ignores, %s", async (where) => {
    const made = where === "in a repository" ? new Repository(cwd) : undefined;
    expect(made?.folder ?? cwd).toBe(cwd);
    put(".gitignore", "*.log\n/build/\n!keep.log\n");
    put("sub/.gitignore", "*.tmp\n");
    for (const name of ["a.txt", "a.log", "keep.log", "build/o.js", "sub/b.tmp", "sub/build/c.txt", "b.tmp"])
      put(name);
    const all = await found(["."]);
    expect(paths(all)).toEqual([
      ".gitignore",
      "a.txt",
      "b.tmp",
      "keep.log",
      "sub/.gitignore",
      "sub/build/c.txt",
    ]);
    expect([...all.ignored].toSorted()).toEqual(["a.log", "build", "sub/b.tmp"]);
    // Rules of a folder above count in it.
    expect(paths(await found(["sub"]))).toEqual([".gitignore", "build/c.txt"]);
  });

  it("is ignored and goes all the same where it is named itself", async () => {
    expect(new Repository(cwd).folder).toBe(cwd);
    put(".gitignore", "logs/\n*.log\n");
    for (const name of ["logs/a.log", "other/b.log"]) put(name);
    expect(paths(await found(["logs"]))).toEqual(["a.log"]);
    expect(paths(await found(["other/b.log"]))).toEqual(["b.log"]);
    expect(await rejection(found(["other"]))).toMatchObject({ code: "share-nothing-left" });
  });

  it("is as tracked where a rule would ignore it, and inside of another repository by its own rules", async () => {
    const outer = new Repository(cwd);
    put("tracked.log");
    outer.commit();
    put(".gitignore", "*.log\n");
    put("inner/x.txt");
    const inner = new Repository(path.join(cwd, "inner"));
    inner.put(".gitignore", "*.txt\n");
    put("inner/y.md");
    expect(paths(await found(["."]))).toEqual([
      ".gitignore",
      "inner/.gitignore",
      "inner/y.md",
      "tracked.log",
    ]);
  });

  it("starts no program that the repository names", async () => {
    const repository = new Repository(cwd);
    const mark = path.join(cwd, "ran");
    repository.git("config", "core.fsmonitor", `touch ${mark}`);
    repository.git("config", "core.hooksPath", cwd);
    put("a.txt");
    expect(paths(await found(["."]))).toEqual(["a.txt"]);
  });

  it("is refused without git where a .gitignore says what is ignored, and goes where there is none", async () => {
    put("a.txt");
    expect(paths(await found(["."], { PATH: "" }))).toEqual(["a.txt"]);
    put(".gitignore", "*.log\n");
    expect(await rejection(found(["."], { PATH: "" }))).toMatchObject({ code: "git-missing" });
  });

  it("leaves out and names secrets, what is not there, and what no list can hold", async () => {
    for (const name of ["a.txt", ".env", "keys/id_rsa", "one"]) put(name);
    linkSync(path.join(cwd, "one"), path.join(cwd, "two"));
    const deep = Array.from({ length: 33 }, () => "d").join("/");
    put(`${deep}/x`);
    const all = await found([".", "missing.txt", "../out", "~/x"]);
    expect(paths(all)).toEqual(["a.txt"]);
    expect(left(all)).toMatchObject({
      ".env": "environment file",
      "keys/id_rsa": "private SSH key",
      "missing.txt": "there is no file at this path: ENOENT",
      "../out": "the path cannot be used: `..` is not followed",
      [`${deep}/x`]: "its path is too long or too deep",
    });
    expect(left(all)["one"]).toContain("several names");
  });

  it.skipIf(isWindows)(
    "follows links in the folder, and no others (Windows makes none without a right to)",
    async () => {
      const outside = folder();
      writeFileSync(path.join(outside, "secret.txt"), "x");
      put("a/x.txt");
      put("a/.env");
      symlinkSync("x.txt", path.join(cwd, "a/in"));
      symlinkSync(path.join(outside, "secret.txt"), path.join(cwd, "a/out"));
      symlinkSync(outside, path.join(cwd, "a/outdir"));
      symlinkSync("..", path.join(cwd, "a/round"));
      symlinkSync("nowhere", path.join(cwd, "a/dangling"));
      symlinkSync(".env", path.join(cwd, "a/innocent.txt"));
      const all = await found(["a"]);
      expect(paths(all)).toEqual(["in", "x.txt"]);
      expect(Object.keys(left(all)).toSorted()).toEqual([
        ".env",
        "dangling",
        "innocent.txt",
        "out",
        "outdir",
        "round",
      ]);
    },
  );

  it("waits for a person where all of it lies outside, and is left out where only some does", async () => {
    const outside = folder();
    writeFileSync(path.join(outside, "x.txt"), "x");
    put("a.txt");
    expect((await found([outside])).gates).toEqual(["outside-roots"]);
    const some = await found([outside, "a.txt"]);
    expect(some.gates).toEqual([]);
    expect(paths(some)).toEqual(["a.txt"]);
    expect(left(some)[outside]).toContain("outside");
  });

  it("is refused where it is more than a list can hold", async () => {
    for (let at = 0; at <= 10_000; at += 1) put(`f${at}`, "");
    expect(await rejection(found(["."]))).toMatchObject({ code: "share-too-many" });
  });
});
