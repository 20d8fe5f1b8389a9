import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const root = new URL("..", import.meta.url).pathname;
const folder = path.join(root, "docs/model");
const specification = readFileSync(path.join(root, "docs/PROTOCOL.md"), "utf8");
const textOf = (name: string): string => readFileSync(path.join(folder, name), "utf8");
const models = readdirSync(folder).filter((name) => /\.pvl?$/.test(name));

/** The handshake messages have names of the form of a rule. */
const MESSAGE = /^M[1-5]$/;
const RULE = /\b[A-Z][0-9]{1,2}\b/g;
const stated = new Set(
  Array.from(specification.matchAll(/^- \*\*([A-Z][0-9]{1,2})\*\* /gm), ([, rule]) => rule),
);

/** Rules in the comments of a model, or anywhere in the text of a page. */
function citedIn(name: string): string[] {
  const text = textOf(name);
  const comments = name.endsWith(".md")
    ? [text]
    : Array.from(text.matchAll(/\(\*[\s\S]*?\*\)/g), ([comment]) => comment);
  return comments.flatMap((comment) => comment.match(RULE) ?? []).filter((rule) => !MESSAGE.test(rule));
}

interface Run {
  line: string;
  model: string;
  options: string[];
  results: string[];
}

const runs: Run[] = textOf("expected")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [what = "", results = ""] = line.split(" : ");
    const [model = "", ...flags] = what.split(" ");
    return {
      line,
      model,
      options: flags.map((flag) => flag.replace(/^-D/, "")),
      results: results.split(" "),
    };
  });

/** The options that a model asks for. */
const conditionsOf = (model: string): Set<string> =>
  new Set(Array.from(textOf(`${model}.pv`).matchAll(/^#ifn?def (\w+)$/gm), ([, name]) => name ?? ""));

describe("the symbolic model in docs/model", () => {
  it.each([...models, "README.md"])("cites only rules that PROTOCOL has: %s", (name) => {
    const unknown = citedIn(name).filter((rule) => !stated.has(rule));
    expect(unknown).toEqual([]);
  });

  it("cites the rules it is about", () => {
    const cited = new Set(models.flatMap(citedIn));
    for (const rule of ["H13", "K3", "K6", "K8", "O2", "O3", "O5", "O6", "O10", "R2", "R6", "R7", "N1"])
      expect(cited, rule).toContain(rule);
  });

  it("expects a result of every model, and names only options that the model has", () => {
    expect(runs.length).toBeGreaterThan(50);
    expect(new Set(runs.map(({ model }) => `${model}.pv`))).toEqual(
      new Set(models.filter((name) => name.endsWith(".pv"))),
    );
    for (const { line, model, options, results } of runs) {
      const known = conditionsOf(model);
      expect(
        options.filter((option) => !known.has(option)),
        line,
      ).toEqual([]);
      for (const result of results) expect(["true", "false"], line).toContain(result);
    }
    expect(new Set(runs.map(({ line }) => line.split(" : ")[0])).size).toBe(runs.length);
  });

  it("uses every option in a run, so that no mutant and no leak goes untried", () => {
    for (const name of models.filter((one) => one.endsWith(".pv"))) {
      const model = name.replace(".pv", "");
      const used = new Set(runs.filter((run) => run.model === model).flatMap(({ options }) => options));
      expect(
        [...conditionsOf(model)].filter((option) => !used.has(option)),
        name,
      ).toEqual([]);
    }
  });

  it("closes every condition that it opens", () => {
    for (const name of models) {
      const words = Array.from(textOf(name).matchAll(/^#(\w+)/gm), ([, word]) => word ?? "");
      const count = (wanted: RegExp): number => words.filter((word) => wanted.test(word)).length;
      expect(count(/^ifn?def$/), name).toBe(count(/^endif$/));
      expect(words.filter((word) => !/^(?:ifdef|ifndef|else|endif)$/.test(word))).toEqual([]);
    }
  });
});
