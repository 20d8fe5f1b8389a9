import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withGutter } from "../../../src/cli/chat/terminal/safe-text.ts";
import { terminalScreen, type Screen } from "../../../src/cli/chat/terminal/screen.ts";
import { CELLS, FakeTerminal, type Cells } from "../../support/fake-terminal.ts";

const COLUMNS = 30;
const SIGNS = ["👩‍👩‍👧‍👦", "🇫🇷", "👍🏽", "❤️", "é", "한", "漢", "a", "1️⃣", "🏴‍☠️", "ก็", "नि", " ", "…"];
const KEY = { left: "\u001b[D", right: "\u001b[C", home: "\u0001", end: "\u0005", backspace: "\u007f" };

function start(
  cells: Cells | undefined,
  columns = COLUMNS,
): { terminal: FakeTerminal; screen: Screen; said: string[] } {
  const terminal = new FakeTerminal(columns, cells);
  const said: string[] = [];
  const screen = terminalScreen({
    input: terminal.input,
    output: terminal,
    prompt: "ana> ",
    person: {
      onLine: (text) => void said.push(text),
      onInterrupt: () => undefined,
      onPaste: () => false,
      onEnd: () => undefined,
      onActivity: () => undefined,
    },
  });
  return { terminal, screen, said };
}

/** Without the spaces at the ends of rows, which a screen does not tell from nothing. */
const unspaced = (text: string): string => text.replaceAll(" ", "");
const texts = fc.array(fc.constantFrom(...SIGNS), { maxLength: 60 }).map((signs) => signs.join(""));

describe.each(Object.entries(CELLS))("a terminal %s", (_, cells) => {
  it("never has what stands above overdrawn by a line of any signs, however it is edited", () => {
    const keys = fc.array(fc.constantFrom(...Object.values(KEY), "x", "🇩🇪"), { maxLength: 25 });
    fc.assert(
      fc.property(texts, keys, (text, edits) => {
        const { terminal, screen } = start(cells);
        screen.print("ben: hello");
        terminal.paste(`.${text}`);
        for (const key of edits) terminal.type(key);
        screen.print("ben: again");
        for (const key of edits) terminal.type(key);
        expect(terminal.rows.slice(0, 2)).toEqual(["ben: hello", "ben: again"]);
        expect(terminal.rows[2]).toMatch(/^ana>/);
        expect(terminal.rows.length).toBeLessThanOrEqual(12);
        screen.close();
        expect(terminal.rows).toEqual(["ben: hello", "ben: again"]);
      }),
      { numRuns: 60 },
    );
  });

  it("shows the line as it is, and what is typed in the middle where it goes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...SIGNS), { minLength: 2, maxLength: 12 }),
        fc.nat(10),
        (signs, back) => {
          const { terminal, screen, said } = start(cells, 200);
          const at = Math.max(0, signs.length - back);
          terminal.paste(`>${signs.join("")}<`);
          terminal.type(KEY.left.repeat(signs.length - at + 1));
          terminal.type("X");
          const line = `>${signs.slice(0, at).join("")}X${signs.slice(at).join("")}<`;
          expect(terminal.rows).toEqual([`ana> ${line}`]);
          terminal.type("\r");
          expect(said).toEqual([line]);
          screen.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("breaks no row of somebody's words by itself, since it knows no gutter", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const terminal = new FakeTerminal(COLUMNS, cells);
        terminal.write(withGutter("12:02 ben: ", text, COLUMNS));
        const [, ...more] = terminal.rows;
        for (const row of more) expect(row).toMatch(/^ {2}│/);
      }),
    );
  });
});

describe("a sign of several parts", () => {
  it.each(SIGNS.filter((sign) => sign !== " "))("%s goes with one key as it came", (sign) => {
    const { terminal, screen, said } = start(undefined, 200);
    terminal.paste(`a${sign}b`);
    terminal.type(KEY.left + KEY.backspace);
    terminal.type("\r");
    terminal.paste(`a${sign}b`);
    terminal.type(`${KEY.left}${KEY.left}\u001b[3~\r`);
    expect(said).toEqual(["ab", "ab"]);
    screen.close();
  });

  it("that joins emoji without end is taken apart, or it would begin a row without a gutter", () => {
    const chain = Array.from({ length: 100 }, () => "👩").join("\u200d");
    for (const cells of Object.values(CELLS)) {
      const terminal = new FakeTerminal(COLUMNS, cells);
      terminal.write(withGutter("12:02 ben: ", chain, COLUMNS));
      for (const row of terminal.rows.slice(1)) expect(row).toMatch(/^ {2}│/);
    }
  });
});

describe("a window", () => {
  it("that gets wider shows the line anew, and nothing of it twice", () => {
    const { terminal, screen } = start(undefined);
    screen.print("ben: hello");
    terminal.paste("0123456789".repeat(5));
    expect(terminal.rows).toHaveLength(3);
    terminal.resize(80);
    expect(terminal.rows).toEqual(["ben: hello", `ana> ${"0123456789".repeat(5)}`]);
    screen.close();
    expect(terminal.listenerCount("resize")).toBe(0);
  });
});

describe("a line of very many rows", () => {
  it("is shown around the cursor, and leaves what was printed above it on the screen", () => {
    const { terminal, screen, said } = start(undefined);
    const text = Array.from({ length: 400 }, (_, at) => `line ${at}`).join("\n");
    terminal.paste(text);
    screen.print("! it was refused");
    expect(terminal.rows[0]).toBe("! it was refused");
    expect(terminal.rows.length).toBeLessThanOrEqual(11);
    expect(terminal.rows.at(1)).toMatch(/^↑ \d+ more rows$/);
    expect(terminal.rows.at(-1)).toMatch(/line 399$/);
    terminal.type(KEY.home);
    expect(terminal.rows.at(1)).toMatch(/^ana> line 0⏎/);
    expect(terminal.rows.at(-1)).toMatch(/^↓ \d+ more rows$/);
    terminal.type("\r");
    expect(said).toEqual([text]);
    // It is history now, with all its rows.
    expect(unspaced(terminal.rows.slice(1).join(""))).toContain(unspaced(text.replaceAll("\n", "⏎")));
    screen.close();
  });
});
