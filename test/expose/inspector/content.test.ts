import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { contentOf } from "../../../src/expose/inspector/content.ts";
import { CONTENT } from "../../../src/expose/inspector/limits.ts";
import { bytes } from "./recorded.ts";

function content(kept: Uint8Array, fields: readonly string[] = [], more = 0): ReturnType<typeof contentOf> {
  return contentOf({ fields, body: { kept, bytes: kept.length + more, isCut: more > 0 } });
}
const coded = (coding: string): string[] => ["Content-Encoding", coding];
const typed = (type: string): string[] => ["content-type", type];

describe("the content of a body", () => {
  it("is text where each byte is valid in its charset", () => {
    expect(content(bytes("grün ✓")).text).toBe("grün ✓");
    expect(content(new Uint8Array([0x67, 0xfc]), typed("text/plain; charset=ISO-8859-1")).text).toBe("gü");
    expect(content(Buffer.from("hé", "utf16le"), typed('text/plain;charset="utf-16le"')).text).toBe("hé");
    expect(content(bytes("a"), typed("text/plain; charset=klingon")).text).toBe("a");
  });

  it.each([
    ["no UTF-8", new Uint8Array([0x67, 0xfc, 0x20])],
    ["a zero", bytes("a\0b")],
    ["an overlong form", new Uint8Array([0xc0, 0xaf])],
    ["a surrogate", new Uint8Array([0xed, 0xa0, 0x80])],
    ["an image", new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])],
  ])("is no text with %s", (_, kept) => {
    expect(content(kept).text).toBeUndefined();
    expect(Buffer.from(content(kept).bytes).equals(kept)).toBe(true);
  });

  it("is text where only the cut goes through a character", () => {
    const kept = bytes("aaa✓").subarray(0, 5);
    expect(content(kept, [], 10)).toMatchObject({ text: "aaa", isWhole: false });
    expect(content(kept).text).toBeUndefined();
  });

  it.each([
    ["gzip", gzipSync("hello")],
    ["X-GZIP", gzipSync("hello")],
    ["deflate", deflateSync("hello")],
    ["deflate", deflateRawSync("hello")],
    ["br", brotliCompressSync("hello")],
    ["gzip, br", brotliCompressSync(gzipSync("hello"))],
  ])("is shown without %s", (coding, kept) => {
    expect(content(kept, coded(coding))).toMatchObject({
      text: "hello",
      isWhole: true,
      coding: { names: coding.toLowerCase().split(", "), state: "decoded" },
    });
  });

  it("shows what can be decoded of an encoded body that is kept in part", () => {
    const text = Array.from({ length: 4_000 }, (_, at) => String(at * 7919)).join(" ");
    for (const [coding, whole] of [
      ["gzip", gzipSync(text)],
      ["br", brotliCompressSync(text)],
    ] as const) {
      const half = whole.subarray(0, whole.length / 2);
      const shown = content(half, coded(coding), 100);
      expect(shown).toMatchObject({ isWhole: false, coding: { state: "cut" } });
      expect(shown.text?.length).toBeGreaterThan(1_000);
      expect(text.startsWith(shown.text ?? "?")).toBe(true);
    }
  });

  it("shows the beginning of a bomb, and no more", () => {
    for (const [coding, bomb] of [
      ["gzip", gzipSync(Buffer.alloc(16 * 1024 ** 2))],
      ["br", brotliCompressSync(Buffer.alloc(16 * 1024 ** 2))],
      ["gzip, gzip", gzipSync(gzipSync(Buffer.alloc(16 * 1024 ** 2)))],
    ] as const) {
      const { bytes, coding: told, isWhole } = content(bomb, coded(coding));
      expect(bytes.length).toBeLessThanOrEqual(CONTENT.decodedBytes);
      expect(isWhole).toBe(false);
      expect(["cut", "broken"]).toContain(told?.state);
    }
  });

  it.each([
    ["zstd", "unknown"],
    ["__proto__", "unknown"],
    ["gzip,gzip,gzip,gzip", "unknown"],
    ["gzip", "broken"],
  ])("stays as it came where %s is %s", (coding, state) => {
    const kept = bytes("not encoded");
    expect(content(kept, coded(coding))).toMatchObject({
      text: "not encoded",
      isWhole: true,
      coding: { state },
    });
  });

  it("has no coding without a body, as in a response to HEAD", () => {
    expect(content(new Uint8Array(0), coded("gzip"))).toMatchObject({ text: "", coding: undefined });
  });
});
