import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { inputLines } from "../../src/runtime/input-lines.ts";
import { decodeInput, encodingProblem, InputDecoder } from "../../src/runtime/utf8-input.ts";

const TEXT = "aé€😀👩‍💻\ufffdz";
const LATIN1 = Buffer.from("caf\u00e9 au lait", "latin1");

function inPieces(bytes: Uint8Array, size: number): string {
  const decoder = new InputDecoder();
  let text = "";
  for (let at = 0; at < bytes.length; at += size) text += decoder.write(bytes.subarray(at, at + size));
  return text + decoder.end();
}

async function linesIn(...chunks: Uint8Array[]): Promise<string[]> {
  const input = new PassThrough();
  const lines = inputLines(input);
  for (const chunk of chunks) input.write(chunk);
  input.end();
  const read: string[] = [];
  for (;;) {
    const line = await lines.next();
    if (line.done === true) return read;
    read.push(line.value);
  }
}

describe("text from outside", () => {
  it("is the same in whatever pieces it comes, and a U+FFFD that somebody wrote is no error", () => {
    for (let size = 1; size < 8; size += 1) expect(inPieces(Buffer.from(TEXT), size)).toBe(TEXT);
    expect(encodingProblem(TEXT)).toBeUndefined();
  });

  it("loses one byte order mark at its beginning, and none elsewhere", () => {
    const marked = Buffer.from("\ufeffa\ufeffb");
    expect(decodeInput(marked)).toBe("a\ufeffb");
    for (let size = 1; size < 5; size += 1) expect(inPieces(marked, size)).toBe("a\ufeffb");
  });

  it("that is no UTF-8 is named with its first byte and place, and nothing becomes U+FFFD", () => {
    for (let size = 1; size < 5; size += 1) {
      const text = inPieces(LATIN1, size);
      expect(text).not.toContain("\ufffd");
      expect(encodingProblem(text)).toBe("not UTF-8: byte 0xE9 at position 3");
    }
  });

  it.each([
    ["cut short", [0x61, 0xe2, 0x82], "not UTF-8: byte 0xE2 at position 1"],
    ["overlong", [0xc0, 0xaf], "not UTF-8: byte 0xC0 at position 0"],
    ["a surrogate", [0xed, 0xa0, 0x80], "not UTF-8: byte 0xED at position 0"],
    ["a lone continuation", [0x61, 0x80, 0x62], "not UTF-8: byte 0x80 at position 1"],
  ])("that is %s is no UTF-8", (_, bytes, problem) => {
    expect(encodingProblem(decodeInput(Uint8Array.from(bytes)))).toBe(problem);
    expect(encodingProblem(inPieces(Uint8Array.from(bytes), 1))).toBe(problem);
  });

  it("in UTF-16 is named as that, in both orders", () => {
    const little = Buffer.from("\ufeffhello", "utf16le");
    expect(encodingProblem(decodeInput(little))).toBe("UTF-16, not UTF-8");
    expect(encodingProblem(decodeInput(Buffer.from(little).swap16()))).toBe("UTF-16, not UTF-8");
  });

  it("of many megabytes is looked through in no time", () => {
    const bytes = Buffer.alloc(32 * 1024 * 1024, 0x61);
    bytes.fill(0xff, 20_000_000);
    const began = performance.now();
    expect(encodingProblem(decodeInput(bytes))).toBe("not UTF-8: byte 0xFF at position 20000000");
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe("lines of an input", () => {
  it("end with LF or CR LF, and the last one needs no end", async () => {
    expect(await linesIn(Buffer.from("\ufeffone\r\ntwo\n\nthr"), Buffer.from("ee"))).toEqual([
      "one",
      "two",
      "",
      "three",
    ]);
  });

  it("are not cut at the line separators that JSON allows in a text", async () => {
    expect(await linesIn(Buffer.from('{"say":"a\u2028b"}\n'))).toEqual(['{"say":"a\u2028b"}']);
  });

  it("keep a character that is cut between two chunks", async () => {
    const bytes = Buffer.from("a😀b\n");
    for (let at = 1; at < bytes.length; at += 1)
      expect(await linesIn(bytes.subarray(0, at), bytes.subarray(at))).toEqual(["a😀b"]);
  });

  it("are read no further than asked for, and not at all after the reader has stopped", async () => {
    const input = new PassThrough();
    const lines = inputLines(input);
    input.write("one\ntwo\n");
    expect(await lines.next()).toEqual({ done: false, value: "one" });
    expect(input.isPaused()).toBe(true);
    await lines.return?.();
    input.write("three\n");
    expect(await lines.next()).toEqual({ done: true, value: undefined });
    expect(input.destroyed).toBe(false);
  });
});
