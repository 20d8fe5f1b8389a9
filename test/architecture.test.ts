import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../src/", import.meta.url));

/**
 * Who may import from whom. Down only: main → cli → mcp → control → session → transport, tunnel → net → runtime → protocol. An
 * arrow that no import needs any more fails as well, so this table is always the truth.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  main: ["cli", "runtime"],
  // The doctor and the demo look at parts one by one, so the command line knows more rooms than the server does.
  cli: ["control", "mcp", "net", "protocol", "runtime", "session", "tunnel"],
  mcp: ["control", "protocol", "runtime", "session"],
  control: ["protocol", "runtime", "session"],
  session: ["net", "protocol", "runtime", "transport", "tunnel"],
  transport: ["net", "protocol", "runtime"],
  tunnel: ["net", "protocol", "runtime"],
  net: ["protocol", "runtime"],
  runtime: ["protocol"],
  protocol: [],
};
const ORDER = [
  "main",
  "cli",
  "mcp",
  "control",
  "session",
  "tunnel",
  "transport",
  "net",
  "runtime",
  "protocol",
];

/** Packages that the pure core may use: schemas, and a list of words. */
const CORE_PACKAGES = ["@scure/bip39/wordlists/english.js", "zod/mini"];

const MAX_LINES = 300;
/** Files that are longer, and why. */
const LONGER: Readonly<Record<string, string>> = {
  "protocol/errors.ts": "a table of every error, one entry after the other",
  "protocol/member.ts": "one state machine; its transitions share private state that must not be copied",
  "protocol/room.ts": "one state machine; its transitions share private state that must not be copied",
};

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.split(path.sep).join("/"));

const textOf = (file: string): string => readFileSync(path.join(src, file), "utf8");
const houseOf = (file: string): string =>
  file.includes("/") ? file.slice(0, file.indexOf("/")) : file.slice(0, -3);
/** Source without comments, roughly: enough to look for words of the language. */
const codeOf = (file: string): string => textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");

function importsOf(file: string): string[] {
  const found = codeOf(file).matchAll(/\b(?:from|import)(?:\s+|\s*\(\s*)(?<!Array\.from\s*\(\s*)"([^"]+)"/g);
  return Array.from(found, ([, specifier]) => specifier ?? "");
}

/** Every arrow between two houses with a file that draws it. */
function drawn(): Map<string, string> {
  const arrows = new Map<string, string>();
  for (const file of files)
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith(".")) continue;
      const target = path.posix.join(path.posix.dirname(file), specifier);
      if (houseOf(target) !== houseOf(file)) arrows.set(`${houseOf(file)} → ${houseOf(target)}`, file);
    }
  return arrows;
}

describe("architecture", () => {
  const declared = Object.entries(ARROWS).flatMap(([from, targets]) =>
    targets.map((to) => `${from} → ${to}`),
  );

  it("draws no arrow that is not in the table", () => {
    const undeclared = [...drawn()].filter(([arrow]) => !declared.includes(arrow));
    expect(undeclared).toEqual([]);
  });

  it("has no arrow in the table that nothing draws", () => {
    const arrows = drawn();
    expect(declared.filter((arrow) => !arrows.has(arrow))).toEqual([]);
  });

  it("points down only, and every room of the house is in the table", () => {
    for (const [from, targets] of Object.entries(ARROWS))
      for (const to of targets)
        expect(ORDER.indexOf(to), `${from} → ${to}`).toBeGreaterThan(ORDER.indexOf(from));
    expect(new Set(files.map(houseOf))).toEqual(new Set(Object.keys(ARROWS)));
    expect(Object.keys(ARROWS).toSorted()).toEqual(ORDER.toSorted());
  });

  it("keeps the core pure: of packages it knows only schemas and a list of words", () => {
    const used = files
      .filter((file) => houseOf(file) === "protocol")
      .flatMap(importsOf)
      .filter((specifier) => !specifier.startsWith("."));
    expect([...new Set(used)].toSorted()).toEqual(CORE_PACKAGES);
  });

  it("keeps files short, but for those with a reason", () => {
    const long = files.filter((file) => textOf(file).split("\n").length - 1 > MAX_LINES);
    expect(long.toSorted()).toEqual(Object.keys(LONGER).toSorted());
  });

  it("has no `any` in it", () => {
    const untyped = files.filter((file) => /(?:[:<,|&(]|\bas)\s*any\b(?!\s*[a-z])/.test(codeOf(file)));
    expect(untyped).toEqual([]);
  });

  it("writes to the console in the command line only: stdout belongs to the protocol of the client", () => {
    expect(files.filter((file) => houseOf(file) !== "cli" && /\bconsole\./.test(codeOf(file)))).toEqual([]);
  });

  it("reads the environment in the command line and the entry only", () => {
    const readers = files.filter((file) => /\bprocess\.env\b/.test(codeOf(file)));
    expect(readers.filter((file) => !["cli", "main"].includes(houseOf(file)))).toEqual([]);
  });
});
