import { describe, expect, it } from "vitest";
import type { TreeEntry } from "../../../src/protocol/files/tree.ts";
import { inOrder } from "../../../src/protocol/files/tree.ts";
import { chosen, placeTree } from "../../../src/session/folders/local-tree.ts";
import { heldName } from "../../../src/session/paths/held-name.ts";
import { foldedSegment } from "../../../src/session/paths/names.ts";
import { hashOf } from "../../support/files/trees.ts";
import { codeOf } from "../../support/thrown.ts";

const file = (path: string): TreeEntry =>
  path.endsWith("/") ? { path, size: 0 } : { path, size: 1, hash: hashOf(path) };
const tree = (...paths: string[]): TreeEntry[] => inOrder(paths.map(file));
const options = { segments: ["got"], isFolding: false };
const onWindows = (name: string) =>
  heldName(name, "", { windows: true, holds: () => Promise.resolve(false) });

describe("the part of a tree that is chosen", () => {
  const entries = tree("a.txt", "b/c.txt", "b/d/e.txt", "bb/f.txt", "g/");
  const paths = (only: string[]): string[] => chosen(entries, only).map(({ path }) => path);

  it("is files by their paths, and all below a folder", () => {
    expect(paths(["a.txt"])).toEqual(["a.txt"]);
    expect(paths(["b/"])).toEqual(["b/c.txt", "b/d/e.txt"]);
    expect(paths(["b"])).toEqual(["b/c.txt", "b/d/e.txt"]);
    expect(paths(["./b/d", "g"])).toEqual(["b/d/e.txt", "g/"]);
    expect(paths(["."])).toHaveLength(5);
    expect(chosen(entries, undefined)).toBe(entries);
  });

  it.each(["c.txt", "b/c", "../b", "/a.txt", "A.TXT", "b/*"])(
    "is refused for %j, which is no path of it",
    (path) => {
      expect(codeOf(() => chosen(entries, ["a.txt", path]))).toBe("tree-path-unknown");
    },
  );
});

describe("the names of a tree on this disk", () => {
  it("are those of the list, and so are the folders", async () => {
    const placed = await placeTree(tree("a.txt", "b/c/d.txt", "e/"), options);
    expect(placed.files.map(({ names }) => names)).toEqual([["a.txt"], ["b", "c", "d.txt"]]);
    expect(placed.folders).toEqual([["b"], ["b", "c"], ["e"]]);
    expect(placed).toMatchObject({ renamed: [], notSaved: [] });
  });

  it("differ where the disk takes two for one: case, and forms of a letter", async () => {
    const entries = tree(
      "Read.me",
      "read.me",
      "READ.ME",
      "Dir/a",
      "dir/a",
      "dir/A",
      "caf\u00e9",
      "cafe\u0301",
    );
    const { files, folders, renamed } = await placeTree(entries, { ...options, isFolding: true });
    const names = [...files.map((one) => one.names), ...folders].map((one) =>
      one.map(foldedSegment).join("/"),
    );
    expect(new Set(names).size).toBe(entries.length + 2);
    expect(renamed.map(({ path }) => path)).toContain("dir/");
    expect(files.map((one) => one.names.join("/"))).toContain("dir (2)/a (2)");
    expect((await placeTree(entries, options)).renamed).toEqual([]);
  });

  it("10,000 that differ in case only get 10,000 names, in no more than a moment", async () => {
    const cased = (n: number): string =>
      Array.from("abcdefghijklmn", (letter, bit) => ((n >> bit) & 1 ? letter.toUpperCase() : letter)).join(
        "",
      );
    const entries = tree(...Array.from({ length: 10_000 }, (_, n) => cased(n)));
    const began = performance.now();
    const { files } = await placeTree(entries, { ...options, isFolding: true });
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(new Set(files.map(({ names }) => foldedSegment(names[0] ?? ""))).size).toBe(10_000);
  });

  it("are others where the system cannot hold them, devices above all", async () => {
    const entries = tree("10:30?.log", "aux/a", "con.txt", "ends.");
    const { files, renamed } = await placeTree(entries, { ...options, isFolding: true, held: onWindows });
    expect(files.map(({ names }) => names.join("/"))).toEqual(["10_30_.log", "_aux/a", "_con.txt", "ends"]);
    expect(renamed.map(({ path }) => path)).toEqual(["10:30?.log", "aux/", "con.txt", "ends."]);
  });

  it("leave out what would run by itself or tell an agent what to do, by the name that it would get as well", async () => {
    const entries = tree(
      ".git/hooks/pre-commit",
      "sub/.github/ci.yml",
      "AGENTS.md",
      "a/.vscode/x/y",
      "claude.md:x",
      "ok",
    );
    const { files, folders, notSaved } = await placeTree(entries, { ...options, held: onWindows });
    expect(files.map(({ names }) => names.join("/"))).toEqual(["ok"]);
    expect(folders).toEqual([["a"], ["sub"]]);
    expect(notSaved).toHaveLength(5);
  });
});
