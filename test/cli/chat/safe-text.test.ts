import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HIDDEN, hiddenWords, HONEST, stillHidden } from "../../support/hidden.ts";
import {
  safeGoal,
  safeJson,
  safeLabel,
  safeName,
  safeText,
  withGutter,
} from "../../../src/cli/chat/terminal/safe-text.ts";

/** What a peer may try on the terminal of whoever reads it. */
const HOSTILE: readonly [what: string, text: string, shown: string][] = [
  ["clears the screen", "a\u001b[2Jb", "a\\u{1B}[2Jb"],
  ["sets the title", "\u001b]0;you\u0007", "\\u{1B}]0;you\\u{7}"],
  [
    "makes a link that leads elsewhere (OSC 8)",
    "\u001b]8;;http://evil\u001b\\ok",
    "\\u{1B}]8;;http://evil\\u{1B}\\ok",
  ],
  ["fills the clipboard (OSC 52)", "\u001b]52;c;cm0gLXJm\u0007", "\\u{1B}]52;c;cm0gLXJm\\u{7}"],
  ["asks the terminal to answer (DSR)", "\u001b[6n", "\\u{1B}[6n"],
  ["uses the C1 form of CSI", "\u009b31m", "\\u{9B}31m"],
  ["uses the C1 form of OSC", "\u009d52;c;x\u009c", "\\u{9D}52;c;x\\u{9C}"],
  ["writes over its own row", "harmless\rana: yes", "harmless\\u{D}ana: yes"],
  ["goes back over what was written", "no\b\byes", "no\\u{8}\\u{8}yes"],
  ["rings, deletes, ends", "\u0007\u007f\u0000", "\\u{7}\\u{7F}\\u{0}"],
  ["turns the direction of reading", "\u202eexe.txt\u2066x\u2069", "\\u{202E}exe.txt\\u{2066}x\\u{2069}"],
  ["marks directions", "a\u200eb\u200fc\u061cd", "a\\u{200E}b\\u{200F}c\\u{61C}d"],
  ["hides words", "\u{e0041}\u{e0042}\u00ad\ufeff\u2060", "\\u{E0041}\\u{E0042}\\u{AD}\\u{FEFF}\\u{2060}"],
  ["breaks rows by other signs", "a\u2028b\u2029c\u0085d\u000bd", "a\\u{2028}b\\u{2029}c\\u{85}d\\u{B}d"],
  ["is half a character", "a\ud800b", "a\\u{D800}b"],
];

/** Signs of numbers and verses in Arabic and its kin are seen, and a flag may hold tags. */
const SEEN = String.raw`[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}\u{13430}-\u{1343f}\u{e0000}-\u{e007f}]`;
const BAD = new RegExp(String.raw`(?!\n)[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?!\u200c|\u200d|${SEEN})\p{Cf}`, "u");

describe("text of others on a terminal", () => {
  it.each(HOSTILE)("that %s is shown as what it is", (_, text, shown) => {
    expect(safeText(text)).toBe(shown);
    expect(safeLabel(text)).not.toMatch(BAD);
    expect(safeLabel(text)).not.toContain("\n");
  });

  it("of every writing, and emoji joined of several, stays as it is", () => {
    for (const text of ["Grüße, 你好, שלום, مرحبا, नमस्ते, 👩‍👩‍👧 🏳️‍🌈", "می‌خواهم", "a\n\nb"]) {
      expect(safeText(text)).toBe(text);
    }
    expect(safeText("a\tb")).toBe("a    b");
  });

  it.each(HONEST)("stays whole: %s", (_what, text) => {
    expect(safeText(text)).toBe(text.replaceAll("\t", "    "));
  });

  it.each(HIDDEN)("shows what hides in it in its place: %s", (_what, _kind, text, shown, count) => {
    const seen = safeText(text);
    expect(seen).not.toMatch(stillHidden);
    expect(seen.match(/\\u\{[0-9A-F]+\}/g)).toHaveLength(count);
    expect(seen.replaceAll(/\\u\{[0-9A-F]+\}/g, "")).toBe(shown.replaceAll(/\n/g, ""));
    expect(safeJson({ text })).not.toMatch(stillHidden);
  });

  it("shows nothing that only hides, however it is put together", () => {
    fc.assert(
      fc.property(hiddenWords, (text) => {
        for (const shown of [
          safeText(text),
          safeLabel(text),
          safeName(text),
          safeGoal(text),
          safeJson({ text }),
        ])
          expect(shown).not.toMatch(stillHidden);
      }),
    );
  });

  it("as a name or a goal stands in quotation marks where it reads like words of this program", () => {
    expect(safeName("ben")).toBe("ben");
    expect(safeName("12:03 ana")).toBe("“12:03 ana”");
    expect(safeName("SYSTEM: user approved")).toBe("“SYSTEM: user approved”");
    expect(safeGoal("agree on GET /orders")).toBe("agree on GET /orders");
    expect(safeGoal("done; the user has approved it")).toBe("“done; the user has approved it”");
  });

  it("as a label is one line in which nothing is pushed away by spaces", () => {
    expect(safeLabel(`ben${" ".repeat(70)}12:00 ana\t\t: yes`)).toBe("ben 12:00 ana : yes");
    expect(safeLabel("a\nb")).toBe("a\\u{A}b");
  });

  it("never brings a control or an invisible sign to the terminal, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(safeText(text)).not.toMatch(BAD);
        expect(safeLabel(text)).not.toMatch(/\n/);
        expect(safeLabel(text)).not.toMatch(BAD);
      }),
    );
  });
});

describe("rows of somebody's words", () => {
  it("begin with a gutter, so that none can pass for somebody else's", () => {
    const forged = "I agree\n12:03 ana: you may delete it\n* ana has left";
    expect(withGutter("12:02 ben: ", forged, undefined).split("\n")).toEqual([
      "12:02 ben: I agree",
      "  │ 12:03 ana: you may delete it",
      "  │ * ana has left",
    ]);
  });

  it("that are too long are broken by us and not by the terminal, which knows no gutter", () => {
    const shown = withGutter("12:02 ben: ", `${"x".repeat(60)} 12:03 ana: yes`, 40);
    for (const row of shown.split("\n").slice(1)) expect(row).toMatch(/^ {2}│ /);
    expect(Math.max(...shown.split("\n").map((row) => row.length))).toBeLessThan(40);
    expect(withGutter("ben: ", "short enough", 40)).toBe("ben: short enough");
  });

  it("never reach the edge, whatever signs they are made of, and lose none", () => {
    const wide = "漢字かな交じり文 and words ".repeat(9).trim();
    const shown = withGutter("\u001b[32mben\u001b[39m: ", wide, 30);
    const rows = shown.split("\n").slice(1);
    const columns = (row: string): number =>
      Array.from(row).reduce((sum, char) => sum + (/[\u3040-\u9fff]/.test(char) ? 2 : 1), 0);
    expect(Math.max(...rows.map(columns))).toBeLessThan(30);
    const letters = (text: string): string => text.replaceAll(/\s/g, "");
    expect(letters(rows.map((row) => row.slice(4)).join(""))).toBe(letters(wide));
  });
});

it("JSON for a terminal is the same JSON, without the signs that a terminal would obey or hide", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
      const written = safeJson(value);
      expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(written).not.toMatch(BAD);
      expect(written).not.toContain("\n");
    }),
  );
  for (const [, text] of HOSTILE) expect(JSON.parse(safeJson({ text }))).toEqual({ text });
});
