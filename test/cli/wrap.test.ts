import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { widthOf } from "../../src/cli/io/width.ts";
import { wrapWords } from "../../src/cli/io/wrap.ts";

const wrap = (text: string, columns: number | undefined): string[] => wrapWords(text, columns).split("\n");

describe("the program's own texts", () => {
  it("are wrapped at words, with further rows further in", () => {
    expect(wrap("12:00 * ben is not connected, last seen 4 minutes ago", 30)).toEqual([
      "12:00 * ben is not connected,",
      "  last seen 4 minutes ago",
    ]);
  });

  it("stand under their second column or behind their bullet", () => {
    expect(wrap("  /share FILE  offer a file to everybody in the room", 40)).toEqual([
      "  /share FILE  offer a file to",
      "               everybody in the room",
    ]);
    expect(wrap("  - Nothing from 1 to 9 is missing or altered since.", 30)).toEqual([
      "  - Nothing from 1 to 9 is",
      "    missing or altered since.",
    ]);
  });

  it("are wrapped as one where the first column fills most of a row", () => {
    expect(wrap("  tunnel-mcp wake [--tunnel ID] [--watch]  (more: --help)", 40)).toEqual([
      "  tunnel-mcp wake [--tunnel ID]",
      "    [--watch]  (more: --help)",
    ]);
  });

  it("stay as they are where they fit, or where no terminal shows them", () => {
    const text = "one  two\n\n  three";
    expect(wrapWords(text, 40)).toBe(text);
    expect(wrapWords("word ".repeat(100), undefined)).toBe("word ".repeat(100));
  });

  it("never have a link or a path cut, since people copy them", () => {
    const link = `wss://a.example/t/${"x".repeat(60)}`;
    expect(wrap(`Pass it on: ${link} now`, 40)).toEqual(["Pass it on:", `  ${link}`, "  now"]);
    expect(wrap(`saved as /home/ana/${"d".repeat(50)}`, 30)).toContain(`  /home/ana/${"d".repeat(50)}`);
  });

  it("do not count their colours, and keep them", () => {
    const line = "\u001b[2m12:00 * everything is said here\u001b[22m";
    expect(wrap(line, 60)).toEqual([line]);
    expect(wrap(line, 24)).toEqual(["\u001b[2m12:00 * everything is", "  said here\u001b[22m"]);
  });

  it("never reach the edge and lose no word, whatever they are made of", () => {
    const words = fc.array(fc.constantFrom("a", "漢字", "👩‍👩‍👧", "word", "🇫🇷🇩🇪", "x".repeat(40)), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(words, fc.integer({ min: 20, max: 90 }), (some, columns) => {
        const text = some.join(" ");
        const rows = wrap(text, columns);
        for (const row of rows) expect(widthOf(row)).toBeLessThan(columns);
        expect(rows.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
      }),
    );
  });
});
