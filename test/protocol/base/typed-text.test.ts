import { describe, expect, it } from "vitest";
import { typedText, withoutColours } from "../../../src/protocol/base/typed-text.ts";
import { removedText } from "../../../src/view/words/removed.ts";

describe("colours in a text", () => {
  it.each([
    ["\u001b[31mred\u001b[0m", "red", 2],
    ["\u001b[1;38;5;196mx\u001b[m", "x", 2],
    ["\u001b[38:2::255:0:0mx\u001b[39;49m", "x", 2],
    ["\u009b1mx\u009b0m", "x", 2],
    ["plain", "plain", 0],
  ])("%j are dropped and counted", (given, text, removed) => {
    expect(typedText(given)).toEqual({ text, removed });
    expect(withoutColours(given)).toEqual({ text, removed });
  });

  it("are told in words", () => {
    expect([0, 1, 14].map(removedText)).toEqual([undefined, "1 control sequence", "14 control sequences"]);
  });

  it("do not hide a text that is empty without them", () => {
    expect(() => typedText("\u001b[31m \u001b[0m")).toThrow(/it is empty$/);
  });
});

describe("any other control character is refused by its place in the text as it was given", () => {
  it.each([
    ["\u001b[31mred\u001b[0m\u001b[K", "U+001B at position 12"],
    ["a\r\nb\u0007", "U+0007 at position 4"],
    ["\u001b]8;;https://example.org\u001b\\link\u001b]8;;\u001b\\", "U+001B at position 0"],
    ["\u001b[2J", "U+001B at position 0"],
    ["\u001b[>4;2m", "U+001B at position 0"],
    ["\u001b[3", "U+001B at position 0"],
    ["ab\ud800", "U+D800 at position 2"],
    ["\u001b\u001b[0m[0m", "U+001B at position 0"],
  ])("%j", (given, place) => {
    expect(() => typedText(given)).toThrow(`it contains ${place}`);
  });
});
