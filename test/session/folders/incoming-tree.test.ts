import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import type { FileOffer } from "../../../src/protocol/files/offer.ts";
import type { TreeFacts } from "../../../src/protocol/files/tree.ts";
import { IncomingTrees, type IncomingTree } from "../../../src/session/folders/incoming-tree.ts";
import { DISK, type TreeDisk } from "../../../src/session/folders/tree-disk.ts";
import { resolveSave } from "../../../src/session/paths/place.ts";
import { rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";
import { hashOf, offeredAs, treeOf } from "../../support/files/trees.ts";

const folder = temporaryFolders();
let cwd = "";
beforeEach(() => {
  cwd = folder();
});

const FILES = { "a.txt": "one", "b/c.txt": "two", "b/same.txt": "one", "empty.txt": "", "d/": "" };
const large = "large ".repeat(40_000);

interface Wish {
  readonly trees?: IncomingTrees;
  readonly only?: string[];
  readonly known?: ReadonlyMap<string, string>;
  readonly left?: string;
}

async function begin(offer: FileOffer & { tree: TreeFacts }, wish: Wish = {}) {
  const { trees = new IncomingTrees(), only, known = new Map<string, string>() } = wish;
  const place = await resolveSave("got", { cwd, roots: [], home: "/nowhere", overwrite: false });
  const saved = new Map<string, string>();
  const tree = await trees.create({
    offer,
    place,
    segments: ["got"],
    only,
    known: (hash) => known.get(hash),
    saved: (hash, file) => saved.set(hash, file),
    left: wish.left,
  });
  return { tree, trees, saved };
}

/** The list and all that is then asked for, in pieces of so many bytes. */
async function fill(tree: IncomingTree, content: Bytes, list: number, piece = 100_000): Promise<number> {
  await tree.write([content.subarray(0, list)]);
  const ranges = await tree.plan();
  const wanted = concat(...ranges.map(({ from, to }) => content.subarray(from, to)));
  for (let at = 0; at < wanted.length; at += piece) await tree.write([wanted.subarray(at, at + piece)]);
  return wanted.length;
}

const names = (): string[] => readdirSync(cwd, { recursive: true, encoding: "utf8" }).toSorted();

describe("a tree on its way in", () => {
  it("[B10] appears whole, with every file and folder of its list, and not before", async () => {
    const { offer, content } = treeOf({ ...FILES, "b/large.txt": large });
    const { tree, trees, saved } = await begin(offer);
    await fill(tree, content, offer.tree.list);
    expect(existsSync(path.join(cwd, "got"))).toBe(false);
    expect(await tree.commit()).toBe(path.join(cwd, "got"));
    expect(names()).toEqual(
      [
        "got",
        "got/a.txt",
        "got/b",
        "got/b/c.txt",
        "got/b/large.txt",
        "got/b/same.txt",
        "got/d",
        "got/empty.txt",
      ].map((name) => path.normalize(name)),
    );
    for (const [name, text] of Object.entries({ ...FILES, "b/large.txt": large }))
      if (!name.endsWith("/")) expect(readFileSync(path.join(cwd, "got", name), "utf8")).toBe(text);
    expect(tree.report).toMatchObject({ files: 5, reused: 3, renamed: [], notSaved: [] });
    expect(saved.get(hashOf("two"))).toBe(path.join(cwd, "got/b/c.txt"));
    expect(trees.size).toBe(0);
    if (process.platform !== "win32")
      expect(statSync(path.join(cwd, "got")).mode & 0o777).toBe(0o777 & ~process.umask());
  });

  it("[B10] comes in part where a part is wanted, and what was not asked for is not there", async () => {
    const { offer, content } = treeOf(FILES);
    const { tree } = await begin(offer, { only: ["b/"] });
    expect(await fill(tree, content, offer.tree.list, 1)).toBe(6);
    await tree.commit();
    expect(names()).toEqual(
      ["got", "got/b", "got/b/c.txt", "got/b/same.txt"].map((name) => path.normalize(name)),
    );
  });

  it("takes from this disk what came before and is still the same, and nothing else", async () => {
    const { offer, content } = treeOf({ ...FILES, "b/large.txt": large });
    writeFileSync(path.join(cwd, "one"), "one");
    writeFileSync(path.join(cwd, "changed"), "tow");
    writeFileSync(path.join(cwd, "large"), large);
    symlinkSync("one", path.join(cwd, "link"));
    const known = new Map([
      [hashOf("one"), path.join(cwd, "one")],
      [hashOf("two"), path.join(cwd, "changed")],
      [hashOf(large), path.join(cwd, "large")],
    ]);
    const { tree } = await begin(offer, { known });
    expect(await fill(tree, content, offer.tree.list)).toBe(3);
    await tree.commit();
    expect(readFileSync(path.join(cwd, "got/b/c.txt"), "utf8")).toBe("two");
    expect(readFileSync(path.join(cwd, "got/b/large.txt"), "utf8")).toBe(large);
    expect(tree.report?.reused).toBe(6 + large.length);
  });

  it.each([
    ["a list that is another one", (bytes: Bytes) => bytes.fill(32, 0, 1), "file-hash-mismatch"],
    [
      "a small file that is another one",
      (bytes: Bytes) => bytes.fill(32, bytes.length - 1),
      "file-hash-mismatch",
    ],
  ])("[B9] [B10] %s ends it, and nothing stays", async (_, change, code) => {
    const { offer, content } = treeOf(FILES);
    const { tree, trees } = await begin(offer);
    change(content);
    expect(await rejection(fill(tree, content, offer.tree.list))).toMatchObject({ code });
    expect(names()).toEqual([]);
    expect(trees.size).toBe(0);
  });

  it("[B10] a large file that is another one ends it, and nothing stays", async () => {
    const { offer, content } = treeOf({ "large.txt": large });
    const { tree } = await begin(offer);
    content.fill(33, content.length - 1);
    expect(await rejection(fill(tree, content, offer.tree.list))).toMatchObject({
      code: "file-hash-mismatch",
    });
    expect(names()).toEqual([]);
  });

  it.each([["../out"], ["/tmp/out"], ["a/../../out"], ["..\\out"]])(
    "[B9] a list with the path %j ends it before anything is written",
    async (name) => {
      const { offer, content } = offeredAs([{ path: name, size: 0, hash: hashOf("") }], new Uint8Array(0));
      const { tree } = await begin(offer);
      expect(await rejection(fill(tree, content, offer.tree.list))).toMatchObject({ code: "tree-invalid" });
      expect(names()).toEqual([]);
    },
  );

  it("a path that the list does not have, and one that must not be saved, leave nothing", async () => {
    const { offer, content } = treeOf({ "a.txt": "one", ".git/config": "x" });
    const unknown = await begin(offer, { only: ["a.txt", "b.txt"] });
    expect(await rejection(fill(unknown.tree, content, offer.tree.list))).toMatchObject({
      code: "tree-path-unknown",
    });
    const refused = await begin(offer, { only: [".git"] });
    expect(await rejection(fill(refused.tree, content, offer.tree.list))).toMatchObject({
      code: "path-protected",
    });
    expect(names()).toEqual([]);
    const both = await begin(offer);
    await fill(both.tree, content, offer.tree.list);
    await both.tree.commit();
    expect(names()).toEqual(["got", path.normalize("got/a.txt")]);
    expect(both.tree.report?.notSaved).toEqual([{ path: ".git/config", why: "git's own folder" }]);
  });

  it("a name that is taken meanwhile is not replaced", async () => {
    const { offer, content } = treeOf(FILES);
    for (const kind of ["file", "folder"]) {
      const { tree } = await begin(offer);
      await fill(tree, content, offer.tree.list);
      const target = path.join(cwd, "got");
      if (kind === "file") writeFileSync(target, "mine");
      else {
        mkdirSync(target);
        writeFileSync(path.join(target, "mine"), "mine");
      }
      const { code } = (await rejection(tree.commit())) as TunnelError;
      expect(["save-exists", "save-not-a-file"]).toContain(code);
      expect(readFileSync(kind === "file" ? target : path.join(target, "mine"), "utf8")).toBe("mine");
      expect(names().filter((name) => name.includes("tunnel-part"))).toEqual([]);
      cwd = folder();
    }
  });

  describe("that an earlier process has left", () => {
    const all = { ...FILES, "b/large.txt": large };

    /** It ends with so many bytes of the content. */
    async function leftAfter(bytes: number) {
      const { offer, content } = treeOf(all);
      const { tree, trees } = await begin(offer);
      await tree.write([content.subarray(0, offer.tree.list)]);
      const ranges = await tree.plan();
      const wanted = concat(...ranges.map(({ from, to }) => content.subarray(from, to)));
      await tree.write([wanted.subarray(0, bytes)]);
      await tree.leave();
      expect(trees.size).toBe(0);
      return { offer, content, left: tree.part, wanted: wanted.length };
    }

    it("goes on from its whole files, and nothing of the old folder stays", async () => {
      const { offer, content, left, wanted } = await leftAfter(100);
      expect(readFileSync(path.join(left, "b/same.txt"), "utf8")).toBe("one");
      const { tree } = await begin(offer, { left });
      // A large file that has come in part comes again, the small ones do not.
      const comes = await fill(tree, content, offer.tree.list);
      expect(comes).toBeLessThan(wanted);
      expect(comes).toBe(large.length);
      expect(existsSync(left)).toBe(false);
      await tree.commit();
      for (const [name, text] of Object.entries(all))
        if (!name.endsWith("/")) expect(readFileSync(path.join(cwd, "got", name), "utf8")).toBe(text);
      expect(names().filter((name) => name.includes("tunnel-part"))).toEqual([]);
    });

    it("is not taken for what it is not any more, nor for what lies elsewhere", async () => {
      const { offer, content, left, wanted } = await leftAfter(100);
      const elsewhere = path.join(cwd, "elsewhere");
      writeFileSync(elsewhere, "two");
      rmSync(path.join(left, "b/c.txt"));
      symlinkSync(elsewhere, path.join(left, "b/c.txt"));
      writeFileSync(path.join(left, "a.txt"), "eno");
      const { tree } = await begin(offer, { left });
      expect(await fill(tree, content, offer.tree.list)).toBe(wanted);
      await tree.commit();
      expect(readFileSync(path.join(cwd, "got/a.txt"), "utf8")).toBe("one");
      expect(readFileSync(elsewhere, "utf8")).toBe("two");
    });

    it("is removed with the transfer, where that fails before its list is there", async () => {
      const { offer, left } = await leftAfter(100);
      const { tree } = await begin(offer, { left });
      await tree.abort();
      expect(names()).toEqual([]);
      expect(existsSync(left)).toBe(false);
    });
  });

  const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  const fails = (): never => {
    throw full;
  };
  const opened: Disk = {
    open: async (...args) => {
      const real = await open(...args);
      return { writev: async () => fails(), sync: () => real.sync(), close: () => real.close() };
    },
  };
  it.each<[string, Disk]>([
    ["making a folder", { mkdir: refuses("b") }],
    ["writing a small file", { writeNew: fails }],
    ["writing a large file", opened],
    ["copying a file", { copyFile: async () => fails() }],
    ["giving it its name", { rename: async () => fails() }],
  ])("a disk that is full while %s leaves nothing", async (_, change) => {
    const trees = new IncomingTrees({ ...DISK, ...change });
    const { offer, content } = treeOf({ ...FILES, "large.txt": large, "again.txt": large });
    const { tree } = await begin(offer, { trees });
    const work = fill(tree, content, offer.tree.list).then(() => tree.commit());
    expect(await rejection(work)).toMatchObject({ code: "disk-full" });
    expect(names()).toEqual([]);
    expect(trees.size).toBe(0);
  });

  it("is given up at any time, and leaves nothing; so does the end of the process", async () => {
    const { offer, content } = treeOf({ ...FILES, "large.txt": large });
    const { tree } = await begin(offer);
    await tree.write([content.subarray(0, offer.tree.list)]);
    const [first] = await tree.plan();
    const written = tree.write([content.subarray(first?.from ?? 0, (first?.from ?? 0) + 50)]);
    await Promise.all([written, tree.abort(), tree.abort()]);
    expect(names()).toEqual([]);
    expect(await rejection(tree.write([content]))).toMatchObject({ code: "save-failed" });
    const { trees } = await begin(offer);
    expect(names()).toHaveLength(1);
    trees.removeAll();
    expect(names()).toEqual([]);
  });
});

type Disk = Partial<TreeDisk>;

/** The folder itself is made, the one of this name in it is not. */
function refuses(name: string): TreeDisk["mkdir"] {
  return async (made) => {
    if (path.basename(made) === name) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    return await DISK.mkdir(made);
  };
}
