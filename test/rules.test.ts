import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import * as limits from "../src/protocol/base/limits.ts";

const root = new URL("..", import.meta.url).pathname;
const specification = readFileSync(path.join(root, "docs/PROTOCOL.md"), "utf8");
const oversight = readFileSync(path.join(root, "docs/OVERSIGHT.md"), "utf8");

function files(folder: string, ending: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => path.join(folder, name));
}

const RULE = /\b[A-Z][0-9]{1,2}\b/g;
/** The handshake messages have names of the same form. */
const MESSAGES = new Set(["M1", "M2", "M3", "M4", "M5"]);

const stated = Array.from(
  specification.matchAll(/^- \*\*([A-Z][0-9]{1,2})\*\* /gm),
  (match) => match[1] ?? "",
);

/** Rule ids in square brackets, which only a title or a table of titles has: `[R4] [D5] …`. */
function citedByTests(): Map<string, string> {
  const cited = new Map<string, string>();
  for (const file of files("test", ".test.ts"))
    for (const match of readFileSync(path.join(root, file), "utf8").matchAll(
      /(?<=["'`\s])\[([A-Z][0-9]{1,2})\](?=[ "'`])/g,
    ))
      cited.set(match[1] ?? "", file);
  return cited;
}

/** What a person decides has rules of its own, H and P, on a page of its own: here these letters are not those of the handshake. */
const OVERSIGHT_ROOMS = /^src\/(?:oversight|watch|cli\/watch)\//;
const isOfOversight = ({ file, rule }: Citation): boolean =>
  OVERSIGHT_ROOMS.test(file.replaceAll("\\", "/")) && /^[HP]/.test(rule);

interface Citation {
  readonly file: string;
  readonly rule: string;
}

/** Rule ids in comments of the source: in round brackets, alone or in a list. */
function citedBySource(): Citation[] {
  return files("src", ".ts").flatMap((file) => {
    const comments = readFileSync(path.join(root, file), "utf8").matchAll(/\/\/.*|\/\*[\s\S]*?\*\//g);
    return Array.from(comments).flatMap(([comment]) =>
      Array.from(comment.matchAll(/\b[A-Z][0-9]{1,2}\b/g), ([rule]) => ({ file, rule })),
    );
  });
}

describe("the rules of docs/PROTOCOL.md", () => {
  it("have numbers of their own, in every series from 1 without a gap", () => {
    expect(stated.length).toBeGreaterThan(60);
    expect(new Set(stated).size).toBe(stated.length);
    for (const series of new Set(stated.map((rule) => rule[0]))) {
      const numbers = stated.filter((rule) => rule[0] === series).map((rule) => Number(rule.slice(1)));
      expect(
        numbers.toSorted((a, b) => a - b),
        series,
      ).toEqual(numbers.map((_, index) => index + 1));
    }
    expect(stated.filter((rule) => MESSAGES.has(rule))).toEqual([]);
  });

  it("are each cited by the title of a test", () => {
    const cited = citedByTests();
    expect(stated.filter((rule) => !cited.has(rule))).toEqual([]);
  });

  it("are the only ones that tests cite", () => {
    const unknown = [...citedByTests()].filter(([rule]) => !stated.includes(rule));
    expect(unknown).toEqual([]);
  });

  it("are the only ones that comments of the source cite", () => {
    const known = new Set([...stated, ...MESSAGES, "C0"]);
    // A letter that begins no series is no rule: V8, for one.
    const series = new Set(stated.map((rule) => rule[0]));
    const cited = citedBySource().filter((one) => series.has(one.rule[0]) && !isOfOversight(one));
    expect(cited.length).toBeGreaterThan(40);
    expect(cited.filter(({ rule }) => !known.has(rule))).toEqual([]);
  });

  it("refer to each other by numbers that exist", () => {
    const known = new Set([...stated, ...MESSAGES]);
    const prose = specification.replaceAll(/```[\s\S]*?```/g, "").replaceAll(/`[^`]*`/g, "");
    const mentioned = Array.from(prose.matchAll(RULE), ([rule]) => rule);
    expect(mentioned.filter((rule) => !known.has(rule))).toEqual([]);
  });
});

describe("the rules of docs/OVERSIGHT.md", () => {
  /** Each row of its tables of rules and attacks: the number, what is said, and the tests. */
  const rows = Array.from(
    oversight.matchAll(/^\| ([HP][0-9]{1,2}) +\| (.+?) +\| (.+?) +\|$/gm),
    ([, rule = "", text = "", tests = ""]) => ({ rule, text, tests }),
  );
  const known = new Set(rows.map(({ rule }) => rule));

  it("have a number each, and are all of what this program has of them", () => {
    const numbers = Array.from({ length: 30 }, (_, index) => `H${index + 1}`);
    const attacks = Array.from({ length: 15 }, (_, index) => `P${index + 1}`);
    expect(rows.map(({ rule }) => rule)).toEqual([...numbers, ...attacks]);
    for (const { rule, text } of rows) expect(text.length, rule).toBeGreaterThan(25);
  });

  it("name tests that have the number in a title", () => {
    for (const { rule, tests } of rows) {
      const named = Array.from(tests.matchAll(/`(test\/[\w/-]+\.test\.ts)`/g), ([, file = ""]) => file);
      if (tests.startsWith("no test: [THREATS.md]")) {
        expect(readFileSync(path.join(root, "docs/THREATS.md"), "utf8"), rule).toContain(`(${rule})`);
        continue;
      }
      expect(named.length, rule).toBeGreaterThan(0);
      for (const file of named) {
        const titles = readFileSync(path.join(root, file), "utf8").matchAll(
          /\b(?:it|test|describe)(?:\.each)?\([^"'`]*["'`](.+)["'`]/g,
        );
        const cited = Array.from(titles).flatMap(([, title = ""]) => title.match(RULE) ?? []);
        expect(cited, `${rule} in ${file}`).toContain(rule);
      }
    }
  });

  it("are the only ones that comments of the rooms of oversight cite", () => {
    const cited = citedBySource().filter(isOfOversight);
    expect(cited.length).toBeGreaterThan(20);
    expect(cited.filter(({ rule }) => !known.has(rule))).toEqual([]);
  });

  it("refer to each other by numbers that exist", () => {
    const prose = oversight.replaceAll(/```[\s\S]*?```/g, "").replaceAll(/`[^`]*`/g, "");
    const mentioned = Array.from(prose.matchAll(/\b[HP][0-9]{1,2}\b/g), ([rule]) => rule);
    expect(mentioned.filter((rule) => !known.has(rule))).toEqual([]);
  });
});

describe("the limits of docs/PROTOCOL.md", () => {
  const table = new Map(
    Array.from(
      specification.matchAll(/^\| `([A-Z_]+)\.([A-Za-z]+)`\s*\| ([\d.]+)\s*\|/gm),
      ([, group, name, value]) => [`${group}.${name}`, Number(value)] as const,
    ),
  );

  it("[R3] equal those of the code, all of them and no others", () => {
    const { PRE_AUTH, RECORD, ROOM, CARD, LINK, RATE, STREAM, FILE, TREE, SERVICE, SIGN_OFF } = limits;
    const code = Object.entries({
      PRE_AUTH,
      RECORD,
      ROOM,
      CARD,
      LINK,
      RATE,
      STREAM,
      FILE,
      TREE,
      SERVICE,
      SIGN_OFF,
    }).flatMap(([group, values]) =>
      Object.entries(values).flatMap(([name, value]) =>
        typeof value === "number" ? [[`${group}.${name}`, value] as const] : [],
      ),
    );
    expect(Object.fromEntries(table)).toEqual(Object.fromEntries(code));
    const buckets = limits.RECORD_BUCKETS.map((bucket) => bucket.toLocaleString("en-US"));
    const rule = /\*\*R3\*\* [^.]*/.exec(specification.replaceAll(/\s+/g, " "))?.[0] ?? "";
    for (const bucket of buckets) expect(rule).toContain(bucket);
    expect(limits.RECORD_BUCKETS.at(-1)).toBe(RECORD.maxFrameBytes);
  });
});
