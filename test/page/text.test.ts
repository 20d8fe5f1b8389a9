import { describe, expect, it } from "vitest";
import { blocksOf, inlinesOf } from "../../src/page/text/markdown.ts";
import { marked, markedAll, oneLine } from "../../src/page/shown/labels.ts";
import { unmarked } from "../../src/page/text/marks.ts";
import { beginningOf, piecesOf } from "../../src/page/text/plain.ts";

describe("somebody's text on the page", () => {
  it("H14, P11: writes out what is not seen or turns the direction", () => {
    expect(piecesOf(marked("a\u202eb\u200bc"))).toEqual([
      { kind: "text", text: "a" },
      { kind: "hidden", point: "202E" },
      { kind: "text", text: "b" },
      { kind: "hidden", point: "200B" },
      { kind: "text", text: "c" },
    ]);
  });

  it("cannot be made to look as if something were written out", () => {
    expect(piecesOf(marked("\u{e000}41\u{e001}"))).toEqual([
      { kind: "hidden", point: "E000" },
      { kind: "text", text: "41" },
      { kind: "hidden", point: "E001" },
    ]);
  });

  it("P11: counts the empty lines and spaces before the point", () => {
    const text = `fine${"\n \n".repeat(2_000)}rm -rf${" ".repeat(5_000)}/`;
    const pieces = piecesOf(text);
    expect(pieces).toEqual([
      { kind: "text", text: "fine" },
      { kind: "gap", count: 3_999, of: "lines" },
      { kind: "text", text: "rm -rf" },
      { kind: "gap", count: 5_000, of: "spaces" },
      { kind: "text", text: "/" },
    ]);
    expect(piecesOf("a\n\nb  c")).toEqual([{ kind: "text", text: "a\n\nb  c" }]);
  });

  it("H14: says that a text goes on, and how long it is", () => {
    expect(beginningOf("short")).toEqual({ text: "short", isWhole: true, lines: 1 });
    expect(beginningOf("x\n".repeat(60))).toMatchObject({ isWhole: false, lines: 61 });
    expect(beginningOf("x".repeat(64 * 1024))).toMatchObject({ isWhole: false, lines: 1 });
  });

  it("P11: no empty lines push the point of a text out of what is shown", () => {
    const text = `ben has left${"\n".repeat(3_000)}the point`;
    expect(beginningOf(text)).toEqual({ text, isWhole: true, lines: 3_001 });
    expect(blocksOf(text).map((block) => (block.t === "gap" ? block.count : block.t))).toEqual([
      "p",
      2_999,
      "p",
    ]);
    expect(beginningOf(`${"\n".repeat(3_000)}${"x\n".repeat(60)}`)).toMatchObject({ isWhole: false });
    expect(beginningOf("\n".repeat(3_000))).toMatchObject({ isWhole: true });
  });

  it("H14: nothing that is told to a tab has a hidden character in it, and what is edited is as it was", () => {
    const told = markedAll({ a: ["x\u202ey"], b: { c: "\u{e000}", d: 1, e: undefined } });
    expect(JSON.stringify(told)).not.toMatch(/\u202e/);
    expect(unmarked(told.a[0] ?? "")).toBe("x\u202ey");
    expect(unmarked(told.b.c)).toBe("\u{e000}");
  });

  it("P11: makes a label one line", () => {
    expect(oneLine("ben\n\n (human)\u202e")).toBe("ben (human)\\u{202E}");
  });
});

describe("Markdown", () => {
  it("reads what agents write", () => {
    const blocks = blocksOf(
      "# Plan\n\nUse `a` and **b**,\nnot *c*.\n\n- one\n- two\n\n1. first\n\n> so\n\n```ts\nlet x = 1;\n```\n---",
    );
    expect(blocks.map(({ t }) => t)).toEqual(["heading", "p", "list", "list", "quote", "code", "rule"]);
    expect(blocks[1]).toEqual({
      t: "p",
      inlines: [
        { t: "text", text: "Use " },
        { t: "code", text: "a" },
        { t: "text", text: " and " },
        { t: "strong", text: "b" },
        { t: "text", text: ",\nnot " },
        { t: "em", text: "c" },
        { t: "text", text: "." },
      ],
    });
    expect(blocks[5]).toEqual({ t: "code", lang: "ts", text: "let x = 1;" });
  });

  it.each([
    ["<img src=x onerror=alert(1)>"],
    ["<script>alert(1)</script>"],
    ["<svg onload=alert(1)>"],
    ["&lt;b&gt;"],
    ["a_b_c and 2*3*4"],
  ])("P9: leaves %s as it is written", (text) => {
    expect(blocksOf(text)).toEqual([{ t: "p", inlines: [{ t: "text", text }] }]);
  });

  it("P9: shows where a link leads, whatever it is called", () => {
    expect(inlinesOf("[https://bank.example](javascript:alert(1)) ![x](http://evil.example/p.png)")).toEqual([
      { t: "link", text: "https://bank.example", url: "javascript:alert(1" },
      { t: "text", text: ") !" },
      { t: "link", text: "x", url: "http://evil.example/p.png" },
    ]);
  });

  it("keeps code that is never closed", () => {
    expect(blocksOf("```\na\nb")).toEqual([{ t: "code", lang: "", text: "a\nb" }]);
  });

  it.each([
    ["`".repeat(60_000)],
    ["*a".repeat(30_000)],
    ["[".repeat(60_000)],
    ["_".repeat(60_000)],
    ["> ".repeat(30_000)],
    ["\n".repeat(60_000)],
    ["- ".repeat(30_000)],
    ["**a".repeat(20_000)],
  ])("reads none for seconds, as it would if its time were no proportion of the text (%#)", (text) => {
    const start = performance.now();
    blocksOf(text);
    piecesOf(text);
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});
