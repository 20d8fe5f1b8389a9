import * as fc from "fast-check";
import { expect, it } from "vitest";
import { boundsOf, shownChars } from "../../src/mcp/results/bounds.ts";
import { Fence } from "../../src/mcp/results/fence.ts";
import { fitted } from "../../src/mcp/results/fitted.ts";
import { failure } from "../../src/mcp/results/result.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { RESULT } from "../../src/protocol/base/limits.ts";
import { FENCE_MARKER } from "./room.ts";

const LIMIT = RESULT.minChars;
const BEGIN = `<<peer-text ${FENCE_MARKER}>>\n`;
const END = `\n<<end peer-text ${FENCE_MARKER}>>`;
const fence = new Fence(FENCE_MARKER);

const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const text = fc.tuple(words, fc.integer({ min: 1, max: 1_000 })).map(([unit, times]) => unit.repeat(times));
const peerText = text.map((one) => fence.wrap(one));
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    text,
    peerText,
    fc.integer(),
    fc.boolean(),
    tie("list"),
    tie("fields"),
  ),
  list: fc.array(tie("value"), { maxLength: 12 }),
  fields: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), tie("value"), { maxKeys: 5 }),
})).value;

function* textsIn(one: unknown): Generator<string> {
  if (typeof one === "string") yield one;
  else if (typeof one === "object" && one !== null)
    for (const inner of Object.values(one)) yield* textsIn(inner);
}

it("whatever a result holds, it fits, and no text of a peer lacks one of its marks", () => {
  let cut = 0;
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { maxKeys: 8 }), (payload) => {
      const shown = fitted(payload, LIMIT, fence);
      expect(shownChars(shown)).toBeLessThanOrEqual(LIMIT);
      if (shownChars(payload) <= LIMIT) expect(shown).toBe(payload);
      else cut += 1;
      for (const one of textsIn(shown)) {
        expect(one.includes(BEGIN.trim())).toBe(one.includes(END.trim()));
        if (one.includes(FENCE_MARKER))
          expect([one.startsWith(BEGIN), one.endsWith(END)]).toEqual([true, true]);
      }
    }),
    { numRuns: 300 },
  );
  expect(cut).toBeGreaterThan(10);
});

it("the longest list loses its last items and says how many, before any text is cut", () => {
  const items = Array.from({ length: 500 }, (_, index) => ({ id: index, text: "x".repeat(50) }));
  const shown = fitted({ short: [1, 2], items, itemsNotShown: 3, note: "n".repeat(2_000) }, LIMIT, fence);
  const kept = shown["items"] as unknown[];
  expect(kept).toEqual(items.slice(0, kept.length));
  expect(shown).toMatchObject({ short: [1, 2], itemsNotShown: 503 - kept.length, note: "n".repeat(2_000) });
  expect(shownChars(shown)).toBeGreaterThan(LIMIT - 200);
});

it("an error that quotes something endless is short, and says what to do", () => {
  const error = new TunnelError("input-invalid", { detail: "🦊".repeat(100_000) });
  const { structuredContent, content } = failure(error, fence, LIMIT, { unread: 0 });
  const [part] = content;
  expect(part?.type === "text" ? part.text.length : 0).toBeLessThanOrEqual(LIMIT);
  expect(structuredContent).toMatchObject({ error: { code: "input-invalid", next: error.next } });
  expect(JSON.stringify(structuredContent)).not.toMatch(/\\ud[89ab]/i);
});

it("the bounds of the parts leave room for all else, at every limit that can be set", () => {
  for (let limit = RESULT.minChars; limit <= RESULT.maxChars; limit += 1_000) {
    const { besideMessages, membersAside, members, lists, several } = boundsOf(limit);
    expect(membersAside).toBeGreaterThan(0);
    for (const sum of [besideMessages, members + lists, several]) expect(sum).toBeLessThan(limit * 0.75);
  }
});
