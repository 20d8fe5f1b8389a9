import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ERRORS } from "../../src/errors/table.ts";

const src = fileURLToPath(new URL("../../src/", import.meta.url));

/** Code without comments of every file but the table itself, which names all codes. */
const sources = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((name) => name.split(path.sep).join("/"))
  .filter((name) => name.endsWith(".ts") && !/^errors\/(?:areas|table)/.test(name))
  .map((name) => readFileSync(path.join(src, name), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, ""))
  .join("\n");

/** Literals that become the code of an error: an argument, a branch of a choice, the value of a map, a fallback. */
const made = new Set(
  Array.from(
    sources.matchAll(/(?:\b(?:TunnelError|cannot)\(\s*|\?\?\s*|[?:]\s+)"([a-z]+(?:-[a-z]+)*)"/g),
    ([, code]) => code,
  ),
);
const thrown = new Set(Array.from(sources.matchAll(/\bTunnelError\(\s*"([^"]*)"/g), ([, code]) => code));

it("every code in the table is thrown or mapped to somewhere", () => {
  expect(Object.keys(ERRORS).filter((code) => !made.has(code))).toEqual([]);
});

it("every code that is thrown is in the table", () => {
  expect(thrown.size).toBeGreaterThan(60);
  expect([...thrown].filter((code) => !Object.hasOwn(ERRORS, code ?? ""))).toEqual([]);
});
