import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { HINTS } from "../../../src/oversight/filter/rules/hints.ts";
import { CONTENT_RULES, LOOK_BACK, SPAN } from "../../../src/oversight/filter/rules/content-rules.ts";
import { Choices } from "./corpus.ts";
import { outcomeOf } from "./scanning.ts";

/**
 * Work that grows faster than its input does not end within the time of a test: a pattern that tries all ways through a
 * thousand characters, a search that compares each place with each other one. How fast the rest is, is for bench/filter.mjs.
 */
const FILLERS = [
  "a",
  "A1",
  "-",
  "aA0-",
  " ",
  "a.",
  "\n",
  "a\n",
  "=",
  ":",
  "a:",
  "/",
  "@",
  '"',
  "eyJ",
  "b@",
].concat(["%41", String.raw`\u0041`, String.raw`\n`, "+\n"]);

const PATTERNS = [
  ...CONTENT_RULES.map(({ keywords, pattern, span = SPAN }) => ({ keywords, pattern, span })),
  ...HINTS.map(({ keywords, pattern }) => ({ keywords, pattern, span: SPAN })),
];

function tryEach(pattern: RegExp, keyword: string, span: number): number {
  let tried = 0;
  for (const filler of FILLERS) {
    const after = keyword + filler.repeat(Math.ceil(span / filler.length));
    for (const before of ["", filler.repeat(LOOK_BACK / filler.length)]) {
      pattern.lastIndex = before.length;
      pattern.exec(before + after);
      tried += 1;
    }
  }
  return tried;
}

describe("hostile input", () => {
  test("ends no pattern in a maze, on the most that it is ever shown", () => {
    const tried = PATTERNS.flatMap(({ keywords, pattern, span }) =>
      keywords.flatMap((keyword) =>
        [keyword, keyword.toUpperCase()].map((one) => tryEach(pattern, one, span)),
      ),
    );
    expect(Math.min(...tried)).toBe(2 * FILLERS.length);
  }, 60_000);

  test.each([...new Set(PATTERNS.flatMap(({ keywords }) => keywords))])(
    "%j over and over has a verdict",
    async (keyword) => {
      for (const text of [`${keyword} `, `a${keyword}\n`, `${keyword}${"a1B".repeat(9)}`]) {
        const { kind } = await outcomeOf(text.repeat(Math.ceil((32 * 1024) / text.length)));
        expect(kind).toMatch(/clear|found/);
      }
    },
    60_000,
  );

  test("one line of many megabytes has a verdict, whatever is in it", async () => {
    const length = 2_000_000;
    for (const filler of ["a", "aB3", "\\", "%", "\u200b", "a-", "://"])
      expect(await outcomeOf(Buffer.alloc(length, filler)), filler).toEqual({ kind: "clear" });
    expect((await outcomeOf(new Choices("lines").bytes(length))).kind).toBe("not-scanned");
  }, 60_000);

  test("a great many pieces that might be base64 are decoded in little memory", async () => {
    const piece = `${new Choices("pieces").of("ABCDEFabcdef012345", 26)} `;
    const before = process.memoryUsage().arrayBuffers;
    expect(await outcomeOf(piece.repeat(100_000))).toEqual({ kind: "clear" });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  }, 60_000);

  test("content that cannot be right in its encoding has a verdict", async () => {
    for (const hex of ["c3", "e282", "f09f98", "eda080", "fffe00", "feff00d8", "ff", "fffe00d83d"])
      expect((await outcomeOf(Buffer.from(hex.repeat(7), "hex"))).kind).toMatch(/clear|not-scanned/);
  });
});
