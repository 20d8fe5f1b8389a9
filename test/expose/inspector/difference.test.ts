import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeptResponse } from "../../../src/expose/inspector/exchange.ts";
import { DIFFERENCE } from "../../../src/expose/inspector/limits.ts";
import { differenceOf, type BodyDifference } from "../../../src/expose/inspector/replay/difference.ts";
import type { RawFields } from "../../../src/expose/message.ts";
import { bytes } from "./recorded.ts";

interface Given {
  readonly status?: number;
  readonly fields?: RawFields;
  readonly body?: string | Uint8Array;
  /** Bytes that came behind those that are kept. */
  readonly more?: number;
}

function response({ status = 200, fields = [], body = "", more = 0 }: Given): KeptResponse {
  const kept = typeof body === "string" ? bytes(body) : body;
  return {
    status,
    reason: "",
    headMs: 1,
    fields,
    areFieldsCut: false,
    trailers: [],
    body: { kept, bytes: kept.length + more, isCut: more > 0 },
  };
}

const between = (before: Given, after: Given): ReturnType<typeof differenceOf> =>
  differenceOf(response(before), response(after));
const bodies = (before: string | Uint8Array, after: string | Uint8Array): BodyDifference =>
  between({ body: before }, { body: after }).body;
const json = (before: unknown, after: unknown): unknown => {
  const difference = bodies(JSON.stringify(before), JSON.stringify(after));
  expect(difference.kind).toBe("json");
  return difference.kind === "json" ? difference.changes : undefined;
};

describe("the difference of two responses", () => {
  it("is none where only fields differ that differ each time", () => {
    const difference = between(
      { fields: ["Date", "Mon", "X-Request-Id", "1"], body: "a" },
      { fields: ["date", "Tue", "Server-Timing", "db"], body: "a" },
    );
    expect(difference).toMatchObject({ isSame: true, body: { kind: "same", isPartial: false } });
    expect(difference.fields.map(({ change, isNoise }) => [change, isNoise])).toEqual([
      ["changed", true],
      ["removed", true],
      ["added", true],
    ]);
  });

  it("tells status and fields, added, removed and changed, each line of its own", () => {
    const difference = between(
      { status: 500, fields: ["Set-Cookie", "a=1", "set-cookie", "b=2", "X-Old", "1"] },
      { status: 200, fields: ["Set-Cookie", "a=1", "Set-Cookie", "b=3", "X-New", "1"] },
    );
    expect(difference).toEqual({
      isSame: false,
      status: { before: 500, after: 200 },
      fields: [
        {
          change: "changed",
          name: "Set-Cookie",
          before: ["a=1", "b=2"],
          after: ["a=1", "b=3"],
          isNoise: false,
        },
        { change: "removed", name: "X-Old", before: ["1"], after: [], isNoise: false },
        { change: "added", name: "X-New", before: [], after: ["1"], isNoise: false },
      ],
      body: { kind: "same", isPartial: false },
    });
  });

  it("has nothing before where the service gave no response then", () => {
    expect(differenceOf(undefined, response({ body: "ok" }))).toMatchObject({
      isSame: false,
      status: { before: undefined, after: 200 },
      body: { kind: "bytes", before: { bytes: 0 }, after: { bytes: 2 } },
    });
  });

  it("is of the content, whatever its encoding", () => {
    const difference = between(
      { fields: ["Content-Encoding", "gzip"], body: gzipSync('{"a":1}') },
      { body: '{"a":2}' },
    );
    expect(difference.body).toEqual({
      kind: "json",
      changes: [{ pointer: "/a", before: "1", after: "2" }],
      more: false,
    });
  });

  it("never takes two beginnings for the whole", () => {
    expect(between({ body: "same", more: 1 }, { body: "same", more: 1 }).body).toEqual({
      kind: "same",
      isPartial: true,
    });
    expect(between({ body: "same", more: 1 }, { body: "same", more: 2 }).body).not.toMatchObject({
      kind: "same",
    });
    expect(between({ body: '{"a":1}', more: 1 }, { body: '{"a":2}', more: 1 }).body).toMatchObject({
      kind: "text",
      isPartial: true,
    });
  });

  it("tells sizes and hashes of bytes", () => {
    expect(bodies(new Uint8Array([0, 1]), new Uint8Array([0, 1, 2]))).toEqual({
      kind: "bytes",
      isPartial: false,
      before: { bytes: 2, sha256: "b413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2" },
      after: { bytes: 3, sha256: "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc" },
    });
  });
});

describe("the difference of two JSON bodies", () => {
  it.each([
    [{ a: 1, b: 2 }, { b: 2, a: "1" }, [{ pointer: "/a", before: "1", after: '"1"' }]],
    [{ a: {} }, {}, [{ pointer: "/a", before: "{}", after: undefined }]],
    [{}, { "a/b~c": null }, [{ pointer: "/a~1b~0c", before: undefined, after: "null" }]],
    [[1, 2, 3], [1, 9, 2, 3], [{ pointer: "/1", before: undefined, after: "9" }]],
    [[1, 2, 3], [1, 3], [{ pointer: "/1", before: "2", after: undefined }]],
    [[{ id: 1, n: "a" }], [{ id: 1, n: "b" }], [{ pointer: "/0/n", before: '"a"', after: '"b"' }]],
    [1, [1], [{ pointer: "", before: "1", after: "[1]" }]],
    [null, false, [{ pointer: "", before: "null", after: "false" }]],
    [{ "": 1 }, { "": 2 }, [{ pointer: "/", before: "1", after: "2" }]],
  ])("%j → %j", (before, after, changes) => {
    expect(json(before, after)).toEqual(changes);
  });

  it("takes the names of prototypes for names", () => {
    expect(
      bodies('{"__proto__":{"a":1},"constructor":1}', '{"__proto__":{"a":2},"toString":1}'),
    ).toMatchObject({
      changes: [
        { pointer: "/__proto__/a", before: "1", after: "2" },
        { pointer: "/constructor", before: "1", after: undefined },
        { pointer: "/toString", before: undefined, after: "1" },
      ],
    });
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("sees numbers that differ where a reader rounds", () => {
    expect(
      bodies('{"id":1234567890123456789,"x":"1234567890123456789"}', '{"id":1234567890123456780,"x":"1"}'),
    ).toMatchObject({
      kind: "json",
      changes: [
        { pointer: "/id", before: '"1234567890123456789"', after: '"1234567890123456780"' },
        { pointer: "/x" },
      ],
    });
  });

  it("shows the lines where the values are the same and the text is not", () => {
    expect(bodies('{"a":1}\n', '{\n"a":1}\n')).toMatchObject({ kind: "text" });
  });

  it("is bounded in changes and in the length of a value", () => {
    const many = (value: number): unknown =>
      Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [at, value]));
    const difference = bodies(JSON.stringify(many(1)), JSON.stringify(many(2)));
    expect(difference).toMatchObject({ kind: "json", more: true });
    if (difference.kind === "json") expect(difference.changes).toHaveLength(DIFFERENCE.jsonChanges);
    const [change] = json({ a: "x".repeat(5_000) }, { a: "😀".repeat(300) }) as [
      { before: string; after: string },
    ];
    expect(change.before.length).toBeLessThanOrEqual(DIFFERENCE.valueChars + 1);
    expect(change.after).toMatch(/^"(?:😀)+…$/u);
  });

  it("withstands what is nested a million times", () => {
    const deep = (end: string): string => `${"[".repeat(120_000)}${end}${"]".repeat(120_000)}`;
    expect(bodies(deep("1"), deep("2"))).toMatchObject({ kind: "text" });
    const objects = (end: string): string => `${'{"a":'.repeat(40_000)}${end}${"}".repeat(40_000)}`;
    expect(bodies(objects("1"), objects("2"))).toMatchObject({ kind: "text" });
    const packed = (end: string): Given => ({
      fields: ["content-encoding", "gzip"],
      body: gzipSync(`${"[".repeat(500_000)}${end}${"]".repeat(500_000)}`),
    });
    expect(between(packed("1"), packed("2")).body).toMatchObject({ kind: "bytes" });
  });

  it("finds no change in a value that is written in another way, and one in any other", () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (one, other) => {
        expect(bodies(one, one).kind).toBe("same");
        const difference = bodies(one, other);
        const isSameValue = JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));
        if (!isSameValue && difference.kind === "json") expect(difference.changes.length).toBeGreaterThan(0);
        if (one !== other) expect(difference.kind).not.toBe("same");
      }),
      { numRuns: 200 },
    );
  });
});

describe("the difference of two texts", () => {
  it("is told by lines, with some around", () => {
    const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`);
    const difference = bodies(lines.join("\n"), lines.with(10, "changed").join("\n"));
    expect(difference).toEqual({
      kind: "text",
      isPartial: false,
      more: false,
      lines: [
        "@@ -8,7 +8,7 @@",
        " line 7",
        " line 8",
        " line 9",
        "-line 10",
        "+changed",
        " line 11",
        " line 12",
        " line 13",
      ],
    });
  });

  it("is bounded in lines, in their length and in time", () => {
    const random = (seed: number): string =>
      Array.from({ length: 20_000 }, (_, at) => `${(at * seed) % 9973} x`).join("\n");
    const started = performance.now();
    expect(bodies(random(7), random(11))).toMatchObject({ kind: expect.stringMatching(/^(?:bytes|text)$/) });
    expect(performance.now() - started).toBeLessThan(3_000);
    const long = bodies(`${"a\n".repeat(300)}end`, `${"b\n".repeat(300)}${"z".repeat(9_000)}`);
    expect(long).toMatchObject({ kind: "text", more: true });
    if (long.kind === "text") {
      expect(long.lines).toHaveLength(DIFFERENCE.lines);
      for (const line of long.lines) expect(line.length).toBeLessThanOrEqual(DIFFERENCE.lineChars + 1);
    }
  });
});
