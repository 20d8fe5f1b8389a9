import jsqr from "jsqr";
import { describe, expect, it } from "vitest";
import { qrLines } from "../../../src/cli/expose/qr.ts";
import { linkOf } from "./support.ts";

/** Pixels for each module, as a camera sees a screen: sharp enough, and not square to the code's own grid. */
const SCALE = 4;

/** What a terminal paints: each cell is two modules, one above the other; black text on a white ground. */
function painted(lines: readonly string[]): boolean[][] {
  return lines.flatMap((line) => {
    const [begin, end] = ["\u001b[30;107m", "\u001b[39;49m"];
    expect([line.startsWith(begin), line.endsWith(end)]).toEqual([true, true]);
    const cells = line.slice(begin.length, -end.length);
    expect(cells).toMatch(/^[█▀▄ ]+$/);
    return [
      Array.from(cells, (cell) => cell === "█" || cell === "▀"),
      Array.from(cells, (cell) => cell === "█" || cell === "▄"),
    ];
  });
}

/** A photograph of the terminal: the code, with the terminal's own ground around it. */
function decode(lines: readonly string[], isGroundDark: boolean): string | undefined {
  const modules = painted(lines);
  const around = 6;
  const [height, width] = [modules.length, modules[0]?.length ?? 0];
  const [rows, columns] = [(height + 2 * around) * SCALE, (width + 2 * around) * SCALE];
  const pixels = new Uint8ClampedArray(rows * columns * 4).fill(255);
  for (let y = 0; y < rows; y += 1)
    for (let x = 0; x < columns; x += 1) {
      const isDark =
        modules[Math.floor(y / SCALE) - around]?.[Math.floor(x / SCALE) - around] ?? isGroundDark;
      pixels.fill(isDark ? 0 : 255, (y * columns + x) * 4, (y * columns + x) * 4 + 3);
    }
  return jsqr.default(pixels, columns, rows, { inversionAttempts: "dontInvert" })?.data;
}

describe("a QR code in a terminal", () => {
  it.each([true, false])("is read by a decoder of somebody else, on a dark ground: %s", (isGroundDark) => {
    const { url } = linkOf("claim-1");
    const lines = qrLines(url, { columns: 100, rows: 40 });
    expect(lines && decode(lines, isGroundDark)).toBe(url);
  });

  it.each([
    "http://192.168.1.20:8080",
    "https://[2001:db8::1]:8443/.tunnel/claim#AZaz09-_",
    `https://a.example/${"x".repeat(300)}`,
    "https://xn--bcher-kva.example/ü?q=€",
  ])("carries %s", (text) => {
    const lines = qrLines(text, { columns: 120, rows: 80 });
    expect(lines && decode(lines, true)).toBe(text);
  });

  it("of a claim link fits into a terminal of 80 by 24, and is still read", () => {
    const { url } = linkOf("claim-1");
    const lines = qrLines(url, { columns: 80, rows: 24 });
    expect(lines?.length).toBeLessThan(24);
    expect(lines && decode(lines, true)).toBe(url);
  });

  it("keeps as much quiet around it as there is room for", () => {
    const quiet = (rows: number): number => {
      const modules = painted(qrLines(linkOf("claim-1").url, { columns: 100, rows }) ?? []);
      return modules.findIndex((row) => row.includes(true));
    };
    expect([quiet(40), quiet(22)]).toEqual([4, 2]);
  });

  it.each([
    [30, 40],
    [100, 10],
    [41, 40],
  ])("is left out where it does not fit: %s columns, %s rows", (columns, rows) => {
    expect(qrLines(linkOf("claim-1").url, { columns, rows })).toBeUndefined();
  });
});
