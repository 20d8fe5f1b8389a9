import { readFileSync, readdirSync } from "node:fs";
import { Chance } from "../../support/random.ts";

/** Conversations of agents, as lists of [speaker, text]: those of an ordinary day, and those that go nowhere. */
export type Line = readonly [speaker: string, text: string];

const docs = new URL("../../../docs/", import.meta.url);

const alternating = (texts: readonly string[], speakers: readonly string[]): Line[] =>
  texts.map((text, at) => [speakers[at % speakers.length] ?? "a", text]);

/** The sentences of this project's own pages, said in turn. The table of errors is left out: its steps do repeat themselves. */
export function prose(): Line[] {
  const text = readdirSync(docs)
    .filter((name) => name.endsWith(".md") && name !== "ERRORS.md")
    .map((name) => readFileSync(new URL(name, docs), "utf8"))
    .join("\n");
  const sentences = text
    .split(/(?<=[.:])\s+|\n+/)
    .map((one) => one.trim())
    .filter((one) => one.length > 20);
  return alternating(sentences, ["a", "b"]);
}

/** A request with a path or a number, and a short answer, hundreds of times. */
export function tickets(seed: number, rounds = 400): Line[] {
  const chance = new Chance(seed);
  const verbs = ["Please rename", "Check", "Run the test for", "Is there a type for", "Delete", "Look at"];
  const parts = ["user", "order", "cart", "price", "login", "mail", "index", "cache", "queue", "date"];
  const answers = ["Done.", "Yes.", "No.", "It fails.", "It passes.", "Renamed.", "Gone.", "Fine."];
  return Array.from({ length: rounds }, (): Line[] => {
    const path = `src/${chance.pick(parts)}/${chance.pick(parts)}-${chance.below(400)}.ts`;
    return [
      ["a", `${chance.pick(verbs)} ${path}`],
      ["b", chance.pick(answers)],
    ];
  }).flat();
}

/** A long job: one side reports each step, the other says that it has read it. */
export function progress(rounds = 300): Line[] {
  return Array.from({ length: rounds }, (_, at): Line[] => [
    ["a", `${at + 1} of ${rounds} migrated, ${at % 7} with a warning`],
    ["b", "ok, go on"],
  ]).flat();
}

/** A game by moves of two letters. */
export function moves(seed: number, rounds = 60): Line[] {
  const chance = new Chance(seed);
  return Array.from({ length: rounds }, (_, at): Line => {
    const square = `${chance.pick(["a", "b", "c", "d", "e", "f", "g", "h"])}${1 + chance.below(8)}`;
    return [at % 2 === 0 ? "a" : "b", `${chance.pick(["", "N", "B", "R", "Q", "K"])}${square}`];
  });
}

/** Politeness without an end, in many words. */
export function thanks(seed: number, rounds = 200): Line[] {
  const chance = new Chance(seed);
  const openings = ["Thank you", "Great", "Perfect", "Understood", "Sounds good", "Wonderful", "Agreed"];
  const middles = [
    "I am here if you need anything",
    "let me know",
    "happy to help",
    "all is clear on my side",
  ];
  const ends = ["have a good day", "talk soon", "until then", "as always", "any time", ""];
  return Array.from({ length: rounds }, (_, at): Line => [
    at % 2 === 0 ? "a" : "b",
    `${chance.pick(openings)}, ${chance.pick(middles)}, ${chance.pick(ends)}!`,
  ]);
}

/** Both wait for each other. */
export function standoff(rounds = 100): Line[] {
  return Array.from({ length: rounds }, (_, at): Line =>
    at % 2 === 0
      ? ["a", "Waiting for your review of the branch."]
      : ["b", "Waiting for your fix before the review."],
  );
}

/** The same error is reported, the same fix is claimed. */
export function samefix(rounds = 100): Line[] {
  return Array.from({ length: rounds }, (_, at): Line =>
    at % 2 === 0
      ? ["a", "The test still fails in src/cart/price.ts line 41: expected 3, got 4. Please fix it."]
      : ["b", "I have fixed src/cart/price.ts line 41. Please run the test again."],
  );
}

/** Three who pass a sentence on: no two of them talk to each other twice in a row. */
export function triangle(rounds = 100): Line[] {
  const texts = [
    "Can you take this one?",
    "That is better known to the third.",
    "I pass it back to the first.",
  ];
  return Array.from({ length: rounds }, (_, at): Line => [
    ["a", "b", "c"][at % 3] ?? "a",
    texts[at % 3] ?? "",
  ]);
}
