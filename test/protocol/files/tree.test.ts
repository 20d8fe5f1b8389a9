import { describe, expect, it } from "vitest";
import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { FILE, TREE } from "../../../src/protocol/base/limits.ts";
import { utf8Length } from "../../../src/protocol/base/utf8.ts";
import { ChunkCipher } from "../../../src/protocol/files/cipher.ts";
import { decodeOffer, encodeOffer } from "../../../src/protocol/files/offer.ts";
import {
  decodeTree,
  encodeTree,
  inOrder,
  isTreePath,
  outlineOf,
  type TreeEntry,
} from "../../../src/protocol/files/tree.ts";
import { TreeIntake, type ByteRange } from "../../../src/protocol/files/tree-receiver.ts";
import type { FileChunk } from "../../../src/protocol/files/stream.ts";
import { hashOf, offeredAs, treeOf } from "../../support/files/trees.ts";
import { contentOf } from "../../support/streaming.ts";
import { codeOf } from "../../support/thrown.ts";
import { nodePrimitives } from "../../support/wire.ts";

const NOTHING = new Uint8Array(0);
const file = (path: string, text = path): TreeEntry => ({ path, size: text.length, hash: hashOf(text) });

/** The judgement on a list as a receiver makes it. */
function judged(entries: readonly TreeEntry[], contents = 0): unknown {
  const { offer } = offeredAs(entries, new Uint8Array(contents));
  return decodeTree(encodeTree(entries), { facts: offer.tree, size: offer.size });
}

describe("the offer of a tree", () => {
  const { offer } = treeOf({ "a.txt": "one", "b/c.txt": "two", "d/": "" });

  it("[B8] comes out as it went in", () => {
    expect(decodeOffer(encodeOffer(offer))).toEqual(offer);
  });

  it.each([
    ["no list", { list: 0 }],
    ["a list over the limit", { list: TREE.maxListBytes + 1 }],
    ["too many files", { files: TREE.maxEntries + 1 }],
    ["more bytes than a file", { bytes: FILE.maxBytes + 1 }],
    ["a path that leads out", { outline: [{ path: "../a", size: 1 }] }],
    ["a path with a line end", { outline: [{ path: "a\nb", size: 1 }] }],
    ["too many lines", { outline: Array.from({ length: 201 }, (_, n) => ({ path: `f${n}`, size: 1 })) }],
  ])("[B8] with %s is none", (_, change) => {
    expect(decodeOffer(encodeOffer({ ...offer, tree: { ...offer.tree, ...change } }))).toBeUndefined();
  });
});

describe("the list of a tree", () => {
  it("[B9] comes out as it went in", () => {
    const { entries, offer, content } = treeOf({
      "a.txt": "one",
      "b/c.txt": "two",
      "b/same": "one",
      "d/": "",
    });
    const list = content.subarray(0, offer.tree.list);
    expect(decodeTree(list, { facts: offer.tree, size: offer.size })).toEqual(entries);
    // The same content is there once.
    expect(offer.size - offer.tree.list).toBe(6);
    expect(offer.tree.bytes).toBe(9);
  });

  it.each([
    ["../a"],
    ["/a"],
    ["a/../../b"],
    ["a//b"],
    ["./a"],
    ["a/./b"],
    [".."],
    [""],
    ["/"],
    ["a\\b"],
    ["a\0b"],
    ["a\nb"],
    ["a/\u202egpj.exe"],
    ["x".repeat(256)],
    [Array.from({ length: TREE.maxDepth + 1 }, () => "d").join("/")],
    [`${"é".repeat(100)}/`.repeat(6)],
  ])("[B9] may not hold the path %j", (path) => {
    expect(isTreePath(path)).toBe(false);
    expect(judged([file(path)], path.length)).toBe("path");
  });

  it("[B9] holds names of 255 bytes, 32 names deep", () => {
    expect(isTreePath("x".repeat(255))).toBe(true);
    expect(isTreePath(Array.from({ length: TREE.maxDepth }, () => "d").join("/"))).toBe(true);
  });

  it("[B9] may hold no name twice, nor a file that becomes a folder", () => {
    expect(judged([file("a"), file("a")])).toBe("twice");
    expect(judged(inOrder([file("a"), file("a/b")]))).toBe("twice");
    expect(judged(inOrder([file("a"), file("a.b"), file("a/b")]))).toBe("twice");
    expect(judged(inOrder([file("a"), { path: "a/", size: 0 }]))).toBe("twice");
    expect(judged(inOrder([{ path: "a/", size: 0 }, file("a/b")]))).toBe("twice");
  });

  it("[B9] must be in order", () => {
    expect(judged([file("b"), file("a")])).toBe("order");
  });

  it.each([
    ["a folder with a size", { path: "a/", size: 1 }],
    ["a folder with a hash", { path: "a/", size: 0, hash: hashOf("") }],
    ["a file without a hash", { path: "a", size: 1 }],
  ])("[B9] may not hold %s", (_, entry) => {
    expect(judged([entry])).toBe("path");
  });

  it("[B9] whose sizes lie is refused: of one file, of all, of the offer, and of one content", () => {
    const { entries, offer } = treeOf({ a: "one", b: "two" });
    const list = encodeTree(entries);
    const facts = offer.tree;
    const size = offer.size;
    expect(decodeTree(list, { facts, size: size + 1 })).toBe("size");
    expect(decodeTree(list, { facts: { ...facts, bytes: 5 }, size })).toBe("size");
    expect(decodeTree(list, { facts: { ...facts, files: 3 }, size })).toBe("size");
    expect(
      judged(
        [
          { path: "a", size: 1, hash: hashOf("x") },
          { path: "b", size: 2, hash: hashOf("x") },
        ],
        1,
      ),
    ).toBe("size");
    const huge = { path: "a", size: Number.MAX_SAFE_INTEGER, hash: hashOf("x") };
    expect(decodeTree(encodeTree([huge]), { facts, size })).toBe("size");
  });

  it.each([
    ["no JSON", "["],
    ["an object", "{}"],
    ["a space", "[ ]"],
    ["a field more", `[{"path":"a","size":0,"hash":"${hashOf("")}","mode":511}]`],
    ["a key twice", `[{"path":"b","path":"a","size":0,"hash":"${hashOf("")}"}]`],
    ["another form of a hash", `[{"path":"a","size":0,"hash":"${"B".repeat(43)}"}]`],
    ["a size below nothing", `[{"path":"a","size":-1,"hash":"${hashOf("")}"}]`],
  ])("[B9] is refused with %s", (_, text) => {
    const { offer } = treeOf({ a: "" });
    const bytes = new Uint8Array(Buffer.from(text));
    expect(decodeTree(bytes, { facts: { ...offer.tree, list: bytes.length }, size: bytes.length })).toBe(
      "form",
    );
  });

  it("[B9] holds 10,000 entries and no more", () => {
    const many = inOrder(
      Array.from({ length: TREE.maxEntries + 1 }, (_, n) => ({ ...file(`f${n}`), size: 0 })),
    );
    expect(judged(many.slice(0, TREE.maxEntries))).toHaveLength(TREE.maxEntries);
    expect(judged(many)).toBe("form");
  });
});

describe("the outline of a tree", () => {
  it("[B8] names every file where there are few", () => {
    const { entries } = treeOf({ "a.txt": "one", "b/c.txt": "two", "b/d/e.txt": "!", "f/": "" });
    expect(outlineOf(entries)).toEqual([
      { path: "a.txt", size: 3 },
      { path: "b/c.txt", size: 3 },
      { path: "b/d/e.txt", size: 1 },
      { path: "f/", size: 0, files: 0 },
    ]);
  });

  it("[B8] names folders for what is below them where there are many, within what an offer can hold", () => {
    const entries = inOrder(
      Array.from({ length: 10_000 }, (_, n) => file(`folder ${n % 50}/${"x".repeat(200)} ${n}`, "12")),
    );
    const outline = outlineOf(entries);
    expect(outline.length).toBeLessThanOrEqual(TREE.maxOutline);
    expect(outline.reduce((sum, { path }) => sum + utf8Length(path), 0)).toBeLessThanOrEqual(
      TREE.maxOutlineBytes,
    );
    expect(outline.reduce((sum, { files = 1 }) => sum + files, 0)).toBe(10_000);
    expect(outline.reduce((sum, { size }) => sum + size, 0)).toBe(20_000);
  });
});

describe("the parts of a tree that a receiver takes", () => {
  const content = contentOf(1_000_000);
  const { offer } = offeredAs([], content.subarray(2));
  const salt = nodePrimitives.random(32);

  /** A stream from there on, chunk by chunk. */
  function* stream(from: number): Generator<FileChunk> {
    const cipher = new ChunkCipher(nodePrimitives, offer, salt);
    for (let at = from; at < content.length; at += FILE.chunkBytes) {
      const piece = content.subarray(at, at + FILE.chunkBytes);
      const place = { offset: at, final: at + piece.length === content.length };
      yield { ...place, ...cipher.seal(piece, place) };
    }
  }

  /** All that is wanted, and where each stream began. */
  function taken(ranges: readonly ByteRange[]): { bytes: Bytes; streams: number[] } {
    const intake = new TreeIntake(nodePrimitives, offer, ranges);
    const pieces: Bytes[] = [];
    const streams: number[] = [];
    while (!intake.isComplete) {
      intake.interrupted();
      streams.push(intake.next);
      intake.start(salt);
      for (const chunk of stream(intake.next)) {
        pieces.push(intake.take(chunk));
        if (intake.left === 0) break;
      }
    }
    return { bytes: concat(...pieces), streams };
  }

  it("[B10] come from wherever they lie; near ones on one stream, far ones on another", () => {
    const ranges = [
      { from: 10, to: 20 },
      { from: 30, to: 200_000 },
      { from: 200_000, to: 200_001 },
      { from: 900_000, to: 1_000_000 },
    ];
    const { bytes, streams } = taken(ranges);
    expect(Buffer.compare(bytes, concat(...ranges.map(({ from, to }) => content.subarray(from, to))))).toBe(
      0,
    );
    expect(streams).toEqual([10, 900_000]);
  });

  it("[B10] go on where they were cut, and nothing is taken twice", () => {
    const intake = new TreeIntake(nodePrimitives, offer, [{ from: 5, to: 400_000 }]);
    intake.start(salt);
    const first = [...stream(5)].slice(0, 2).map((chunk) => intake.take(chunk));
    intake.interrupted();
    expect(intake.next).toBe(5 + 2 * FILE.chunkBytes);
    intake.start(salt);
    const rest = [...stream(intake.next)].slice(0, 2).map((chunk) => intake.take(chunk));
    expect(intake.isComplete).toBe(true);
    expect(Buffer.compare(concat(...first, ...rest), content.subarray(5, 400_000))).toBe(0);
  });

  it("[B10] [B3] [B4] are refused out of order, beyond the end, and without an end", () => {
    const begun = (): TreeIntake => {
      const intake = new TreeIntake(nodePrimitives, offer, [{ from: 0, to: content.length }]);
      intake.start(salt);
      return intake;
    };
    const [first, second] = [...stream(0)];
    if (first === undefined || second === undefined) throw new Error("two chunks");
    expect(codeOf(() => begun().take(second))).toBe("file-out-of-order");
    expect(codeOf(() => begun().start(salt))).toBe("file-out-of-order");
    expect(codeOf(() => new TreeIntake(nodePrimitives, offer, []).take(first))).toBe("file-out-of-order");
    const crafted = (bytes: Bytes, final: boolean): string | undefined => {
      const place = { offset: 0, final };
      return codeOf(() =>
        begun().take({ ...place, ...new ChunkCipher(nodePrimitives, offer, salt).seal(bytes, place) }),
      );
    };
    expect(crafted(NOTHING, false)).toBe("file-unfinished");
    expect(crafted(content.subarray(0, 10), true)).toBe("file-too-short");
    expect(codeOf(() => begun().take({ ...first, final: true }))).toBe("file-corrupt");
  });
});
