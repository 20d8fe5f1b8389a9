import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { HINTS } from "../../../src/oversight/filter/rules/hints.ts";
import { CONTENT_RULES, SPAN } from "../../../src/oversight/filter/rules/content-rules.ts";
import { Choices } from "./corpus.ts";
import { outcomeOf } from "./scanning.ts";

/**
 * Times are measured against the same work on half of the input: what takes time in proportion takes twice as long, and
 * what does not takes four times as long or more. So a slow machine does not fail a test.
 */
const GROWTH = 3.2;

function seconds(work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, user + system);
  }
  return Math.max(least / 1e6, 0.000_2);
}

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
  "%41",
  "\\u0041",
  "\\n",
  "+\n",
];

describe("hostile input", () => {
  test("no pattern takes more than a moment on the most that it is ever shown", () => {
    const slow: string[] = [];
    for (const { keywords, pattern, span } of [
      ...CONTENT_RULES,
      ...HINTS.map((hint) => ({ ...hint, span: SPAN })),
    ])
      for (const keyword of keywords)
        for (const filler of FILLERS) {
          const text = keyword + filler.repeat(Math.ceil((span ?? SPAN) / filler.length));
          for (const shown of [text, text.toUpperCase(), `${filler.repeat(512 / filler.length)}${text}`]) {
            const at = shown.length - text.length;
            const took = seconds(() => {
              pattern.lastIndex = at;
              pattern.exec(shown);
            });
            if (took > 0.005) slow.push(`${keyword} ${JSON.stringify(filler)} ${took}`);
          }
        }
    expect(slow).toEqual([]);
  }, 120_000);

  test.each([...new Set(CONTENT_RULES.flatMap(({ keywords }) => keywords))])(
    "%j over and over takes time in proportion",
    async (keyword) => {
      for (const text of [keyword, `${keyword} `, `a${keyword}\n`, `${keyword}${"a1B".repeat(9)}`]) {
        const size = 64 * 1024;
        const content = Buffer.from(text.repeat(Math.ceil(size / text.length)));
        const start = process.cpuUsage();
        await outcomeOf(content);
        const { user, system } = process.cpuUsage(start);
        // Two hundred times what ordinary code takes.
        expect((user + system) / 1e6, JSON.stringify(text)).toBeLessThan(2);
      }
    },
    120_000,
  );

  test("one line of many megabytes, whatever is in it, takes time in proportion", async () => {
    const choices = new Choices("lines");
    for (const make of [
      (length: number) => Buffer.alloc(length, "a"),
      (length: number) => Buffer.alloc(length, "aB3"),
      (length: number) => Buffer.alloc(length, "\\"),
      (length: number) => Buffer.alloc(length, "%"),
      (length: number) => Buffer.alloc(length, "\u200b"),
      (length: number) => Buffer.from(choices.bytes(length).toString("latin1"), "latin1"),
    ]) {
      const times: number[] = [];
      for (const length of [1_000_000, 2_000_000]) {
        const start = process.cpuUsage();
        await outcomeOf(make(length));
        const { user, system } = process.cpuUsage(start);
        times.push(user + system);
      }
      const [half = 1, whole = 1] = times;
      expect(whole / Math.max(half, 20_000)).toBeLessThan(GROWTH);
    }
  }, 120_000);

  test("a million pieces that might be base64 are decoded in little memory", async () => {
    const choices = new Choices("pieces");
    const piece = `${choices.of("ABCDEFabcdef012345", 26)} `;
    const before = process.memoryUsage().arrayBuffers;
    expect(await outcomeOf(piece.repeat(200_000))).toEqual({ kind: "clear" });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  }, 120_000);

  test("content that cannot be right in its encoding has a verdict", async () => {
    for (const hex of ["c3", "e282", "f09f98", "edA080", "fffe00", "feff00d8", "ff", "fffe00d83d"])
      expect((await outcomeOf(Buffer.from(hex.repeat(7), "hex"))).kind).toMatch(/clear|not-scanned/);
  });
});
