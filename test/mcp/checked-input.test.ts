import { describe, expect, it } from "vitest";
import { CheckedInput, type Refusal } from "../../src/mcp/checked-input.ts";

/** The lines that the SDK would parse, and the answers given in its place, for bytes that come in pieces of a size. */
function read(bytes: Buffer, size: number): { values: unknown[]; refusals: Refusal[] } {
  const refusals: Refusal[] = [];
  const input = new CheckedInput((refusal) => void refusals.push(refusal));
  const passed: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) passed.push(input.take(bytes.subarray(at, at + size)));
  const values = Buffer.concat(passed)
    .toString("utf8")
    .split("\n")
    .flatMap((line): unknown[] => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  return { values, refusals };
}

const call = (id: unknown, text: string) => JSON.stringify({ jsonrpc: "2.0", id, method: "m", text }) + "\n";
const SIZES = [1, 2, 3, 5, 1_000];
const message = "Parse error: this line is not UTF-8, so nothing of it was carried out. Send it in UTF-8.";

describe("the input of the server", () => {
  it.each(SIZES)("passes UTF-8 on as it is, in pieces of %i bytes", (size) => {
    const lines = [call(1, "aé€😀"), call(2, "👩‍💻\ufffd"), call(3, "z")];
    const { values, refusals } = read(Buffer.from(lines.join("")), size);
    expect(values).toEqual(lines.map((line): unknown => JSON.parse(line)));
    expect(refusals).toEqual([]);
  });

  it.each(SIZES)("loses a byte order mark at its beginning, in pieces of %i bytes", (size) => {
    const { values, refusals } = read(Buffer.from(`\ufeff${call(1, "\ufeffa")}`), size);
    expect(values).toEqual([JSON.parse(call(1, "\ufeffa"))]);
    expect(refusals).toEqual([]);
  });

  it.each(SIZES)(
    "answers a request that is not UTF-8 by its id, and reads on, in pieces of %i bytes",
    (size) => {
      const bytes = Buffer.concat([
        Buffer.from(call(1, "before")),
        Buffer.from(call("a", "caf\u00e9"), "latin1"),
        Buffer.from([0xff, 10]),
        Buffer.from(call(2, "after é")),
      ]);
      const { values, refusals } = read(bytes, size);
      expect(values).toEqual([JSON.parse(call(1, "before")), JSON.parse(call(2, "after é"))]);
      expect(refusals).toEqual([
        { jsonrpc: "2.0", id: "a", error: { code: -32_700, message } },
        { jsonrpc: "2.0", id: null, error: { code: -32_700, message } },
      ]);
    },
  );

  it("takes a character that is cut off by the end of its line for what it is", () => {
    const bytes = Buffer.concat([
      Buffer.from('{"id":7,"text":"'),
      Buffer.from([0xe2, 0x82]),
      Buffer.from('"}\n'),
    ]);
    for (const size of SIZES) {
      const { values, refusals } = read(bytes, size);
      expect([values, refusals.map(({ id }) => id)]).toEqual([[], [7]]);
    }
  });
});
