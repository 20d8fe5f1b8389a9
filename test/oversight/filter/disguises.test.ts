import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { Choices, positives, type Positive } from "./corpus.ts";
import { outcomeOf } from "./scanning.ts";

const ZERO_WIDTH = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u{e0061}", "\u0301"];
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  a: "\u0430",
  e: "\u0435",
  o: "\u03bf",
  p: "\u0440",
  c: "\u0441",
  x: "\u0445",
  A: "\u0391",
  T: "\u0422",
  K: "\u041a",
  s: "\u0455",
};

const wide = (text: string): string =>
  text.replaceAll(/[!-~]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 0xfee0));
const bold = (text: string): string =>
  text.replaceAll(/[a-z]/g, (one) => String.fromCodePoint(0x1d41a + one.charCodeAt(0) - 0x61));
const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();
const inLines = (text: string, width: number, end: string): string =>
  (text.match(new RegExp(`[^]{1,${width}}`, "g")) ?? []).join(end);

/** Each takes a text with a secret in it, and gives the bytes that would leave. */
const DISGUISES: Readonly<Record<string, (text: string, choices: Choices) => string | Buffer>> = {
  "zero-width characters": (text, choices) =>
    Array.from(text, (one) => (choices.below(4) === 0 ? one + choices.one(ZERO_WIDTH) : one)).join(""),
  "look-alikes of other scripts": (text) => Array.from(text, (one) => LOOK_ALIKES[one] ?? one).join(""),
  "wide letters": wide,
  "mathematical letters": bold,
  "UTF-16 with a mark, little end first": (text) => Buffer.from(`\ufeff${text}`, "utf16le"),
  "UTF-16 with a mark, big end first": (text) => utf16be(`\ufeff${text}`),
  "UTF-16 without a mark": (text) => Buffer.from(text, "utf16le"),
  "UTF-16 without a mark, big end first": (text) => utf16be(text),
  "UTF-16 inside of something binary": (text) =>
    Buffer.concat([Buffer.alloc(3000, "\u0001\u0002"), Buffer.from(text, "utf16le"), Buffer.alloc(99)]),
  base64: (text) => `the value is ${Buffer.from(text).toString("base64")} as agreed`,
  base64url: (text) => Buffer.from(`: ${text}`).toString("base64url"),
  "base64 right behind other letters": (text) => `payload${Buffer.from(text).toString("base64")}`,
  "base64 in lines of 76": (text) => inLines(Buffer.from(`-${text}`).toString("base64"), 76, "\r\n"),
  "base64 in short, indented lines": (text) => inLines(Buffer.from(text).toString("base64"), 20, "\n    "),
  "base64 in quoted lines of JSON": (text) =>
    JSON.stringify({ data: inLines(Buffer.from(text).toString("base64"), 64, "\n") }),
  "base64 of UTF-16": (text) => Buffer.from(text, "utf16le").toString("base64"),
  hex: (text) => Buffer.from(text).toString("hex"),
  "escapes of JSON": (text) =>
    Array.from(text, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  "escapes of URLs": (text) =>
    Array.from(text, (one) => `%${one.charCodeAt(0).toString(16).padStart(2, "0")}`).join(""),
  "escapes of a string": (text) =>
    Array.from(text, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`).join(""),
  "escapes of HTML": (text) => Array.from(text, (one) => `&#${one.charCodeAt(0)};`).join(""),
};

const corpus = positives("disguises", 4);

async function missed(
  all: readonly Positive[],
  disguise: (text: string) => string | Buffer,
): Promise<string[]> {
  const misses: string[] = [];
  for (const { form, text } of all) if ((await outcomeOf(disguise(text))).kind !== "found") misses.push(form);
  return misses;
}

describe("a secret in disguise", () => {
  test.each(Object.entries(DISGUISES))("H20: is found in %s", async (name, disguise) => {
    const choices = new Choices(name);
    const misses = await missed(corpus, (text) => disguise(text, choices));
    expect(misses.length / corpus.length, misses.join(", ")).toBeLessThanOrEqual(0.05);
  });
});

/** Ways in which a line ends within a secret, and the next one begins. */
const BREAKS = {
  "a line break": "\n",
  "a line break of Windows": "\r\n",
  indentation: "\n        ",
  "a citation": "\n> ",
  "a comment": "\n * ",
  "two strings that are added": '" +\n  "',
  "a string that goes on": "\\\n",
  "a line break that is written out": "\\n",
};

describe("a secret over the end of a line", () => {
  const words = corpus.filter(
    ({ isPhrase, form }) => !isPhrase && !/URL|Discord webhook|Slack webhook|Azure/.test(form),
  );

  test.each(Object.entries(BREAKS))("H20: is found with %s in it", async (name, between) => {
    const choices = new Choices(name);
    const misses: string[] = [];
    for (const { form, secret } of words) {
      // Not before its second letter, nor behind its last but one.
      const at = 2 + choices.below(secret.length - 4);
      const text = `const value = "${secret.slice(0, at)}${between}${secret.slice(at)}";\nnext();\n`;
      if ((await outcomeOf(text)).kind !== "found") misses.push(form);
    }
    expect(misses.length / words.length, misses.join(", ")).toBeLessThanOrEqual(0.05);
  });

  test("H20: is found in a patch whose lines have their marks", async () => {
    const misses: string[] = [];
    for (const { form, secret } of words) {
      const at = Math.floor(secret.length / 2);
      const patch = `diff --git a/x b/x\n@@ -1,2 +1,4 @@\n line\n+${secret.slice(0, at)}\n+${secret.slice(at)}\n line\n`;
      if ((await outcomeOf(patch, { where: "patch" })).kind !== "found") misses.push(form);
    }
    expect(misses.length / words.length, misses.join(", ")).toBeLessThanOrEqual(0.05);
  });

  test("H20: is found when its second half is said in the next message", async () => {
    const misses: string[] = [];
    for (const { form, secret } of words) {
      const at = Math.floor(secret.length / 2);
      const before = `first half: ${secret.slice(0, at)}`;
      // Of a long one the first half is a secret on its own, and has not left.
      if ((await outcomeOf(before)).kind === "found") continue;
      const found = await outcomeOf(`${secret.slice(at)}\nthat was it`, { before });
      if (found.kind !== "found" || found.findings[0]?.line !== 1) misses.push(form);
    }
    expect(misses.length / words.length, misses.join(", ")).toBeLessThanOrEqual(0.05);
  });

  test("what was said before is not found again", async () => {
    for (const { text } of corpus.slice(0, 40)) {
      expect(await outcomeOf("thanks, that works", { before: text })).toEqual({ kind: "clear" });
    }
  });
});

describe("content that comes in pieces", () => {
  test("H20: has the same findings, however it is cut", async () => {
    const choices = new Choices("pieces");
    for (const { form, text } of corpus) {
      const filler = `${choices.of("abcdefghij \n", 1_000 + choices.below(3_000))}\n`;
      const content = filler + text + filler;
      const whole = await outcomeOf(content);
      for (const piece of [1 + choices.below(20), 500, content.length - filler.length - 7])
        expect(await outcomeOf(content, { piece }), form).toEqual(whole);
    }
  });

  test("H20: has a secret found at the border of two blocks, whatever the place", async () => {
    const block = 256 * 1024;
    for (const { form, secret } of corpus.filter((_, index) => index % 12 === 0)) {
      for (const shift of [0, 1, Math.floor(secret.length / 2), secret.length - 1, secret.length, 2_050]) {
        const content = `${"-".repeat(block - 1 - shift)}\n${secret}\n${"-".repeat(9_000)}`;
        const found = await outcomeOf(content);
        expect(found.kind, `${form}, ${shift}`).toBe("found");
        if (found.kind === "found") expect(found.findings[0]).toMatchObject({ line: 2 });
      }
    }
  });
});
