import { describe, expect, test } from "vitest";
import { FORMS, positives } from "./corpus.ts";
import { outcomeOf } from "./scanning.ts";

describe("the secrets of the corpus", () => {
  test("H20: at least 95 of 100 are found, and nine of ten of each form", async () => {
    const corpus = positives("recall", 30);
    expect(corpus.length).toBeGreaterThanOrEqual(200);
    const missed = new Map<string, number>();
    for (const { form, text } of corpus)
      if ((await outcomeOf(text)).kind !== "found") missed.set(form, (missed.get(form) ?? 0) + 1);
    const misses = [...missed.values()].reduce((total, count) => total + count, 0);
    expect(1 - misses / corpus.length, JSON.stringify([...missed])).toBeGreaterThanOrEqual(0.95);
    expect([...missed].filter(([, count]) => count > 3)).toEqual([]);
    expect(FORMS.length).toBeGreaterThanOrEqual(40);
  });
});
