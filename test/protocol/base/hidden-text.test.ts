import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { replaceHidden, withoutHidden } from "../../../src/protocol/base/hidden-text.ts";
import { seeded } from "../../hostile-peers/support/input.ts";
import { HIDDEN, HONEST, hiddenWords, stillHidden } from "../../support/hidden.ts";

describe("honest text", () => {
  it.each(HONEST)("stays whole: %s", (_what, text) => {
    expect(withoutHidden(text)).toEqual({ text, hidden: new Map() });
  });

  it("of any two writings side by side stays whole", () => {
    const texts = fc.constantFrom(...HONEST.map(([, text]) => text));
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        for (const text of [`${one} ${other}`, `${one}\n${other}`])
          expect(withoutHidden(text).text).toBe(text);
      }),
      seeded(61, 300),
    );
  });
});

describe("what only hides", () => {
  it.each(HIDDEN)("is taken out and counted: %s", (_what, kind, text, shown, count) => {
    const bared = withoutHidden(text);
    expect(bared.text).toBe(shown);
    expect([...bared.hidden]).toEqual([[kind, count]]);
  });

  it("is found by the second reading of the rule as well, where that knows the way", () => {
    expect(HIDDEN.filter(([, , text]) => stillHidden.test(text)).length).toBeGreaterThan(25);
  });

  it("does not come back when more of it stands around, however it is put together", () => {
    fc.assert(
      fc.property(hiddenWords, (text) => {
        const { text: shown, hidden } = withoutHidden(text);
        expect(shown).not.toMatch(stillHidden);
        expect(withoutHidden(shown)).toEqual({ text: shown, hidden: new Map() });
        const total = [...hidden.values()].reduce((sum, count) => sum + count, 0);
        const breaks = hidden.get("separator") ?? 0;
        expect(Array.from(text).length - Array.from(shown).length).toBe(total - breaks);
      }),
      seeded(62, 3_000),
    );
  });

  it("is every character of the classes that hide, wherever it stands among letters", () => {
    // Wider than the table on every version of Unicode that a Node may have; those below are seen.
    const hides =
      /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/u;
    const isSeen = (point: number): boolean =>
      [0x9, 0xa, 0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x110bd, 0x110cd].includes(point) ||
      (point >= 0x600 && point <= 0x605);
    const kept: string[] = [];
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const character = String.fromCodePoint(point);
      const isTaken = withoutHidden(`a${character}b`).text !== `a${character}b`;
      if (isTaken !== (hides.test(character) && !isSeen(point))) kept.push(point.toString(16));
    }
    expect(kept).toEqual([]);
  });

  it("is marked for people in its place", () => {
    const mark = (character: string): string => `[${character.codePointAt(0)?.toString(16)}]`;
    expect(replaceHidden("a\u{e0041}\u202eb\u2028c", mark)).toBe("a[e0041][202e]b[2028]c");
  });
});
