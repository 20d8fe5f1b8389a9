import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const docs = readdirSync(path.join(root, "docs")).map((name) => `docs/${name}`);
const docPages = docs.filter((name) => name.endsWith(".md"));
const skills = readdirSync(path.join(root, "skills")).map((name) => `skills/${name}/SKILL.md`);
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "bench/RESULTS.md",
  ...docPages,
  ...skills,
];

/** README.md is for a newcomer: everything that makes it longer than this belongs on a page in docs/. */
const MAX_README_BYTES = 14 * 1024;

function read(name: string): string {
  return readFileSync(path.join(root, name), "utf8");
}

interface Link {
  /** The file it leads to, relative to the repository. */
  readonly file: string;
  /** The heading or anchor in that file, without `#`; empty if it leads to the file. */
  readonly fragment: string;
}

function proseOf(name: string): string {
  return read(name).replace(/^```.*?^```$/gms, "");
}

/** The files and folders of the repository that a page names. `*` stands for any name, `NAME` for one to be filled in. */
function pathsIn(name: string): string[] {
  const named = read(name).match(/(?<![\w./-])(?:src|test|scripts|bench)\/[\w./*-]*[\w*/]/g) ?? [];
  return [...new Set(named)].filter((file) => !file.includes("NAME"));
}

/** Whether there is such a path; a page may leave out what follows the last `*`. */
function isThere(file: string): boolean {
  return existsSync(path.join(root, file.replace(/\*.*$/, "")));
}

/** Names of files without their folder, and of classes, types and tables, that a page has in code marks. */
function codeNamesIn(name: string): string[] {
  return [...read(name).matchAll(/`([\w-]+\.ts|[A-Z]\w*[a-z]\w*)(?:\.\w+)?`/g)].map(
    ([, named = ""]) => named,
  );
}

/** Links of a page that lead to files of the repository, the page itself included. Code blocks and web addresses are left out. */
function linksOf(name: string): Link[] {
  const targets = [...proseOf(name).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = "", fragment = ""] = target.split("#");
      return { file: file === "" ? name : path.posix.join(path.posix.dirname(name), file), fragment };
    });
}

/** The fragments that GitHub gives to the headings of a page: lower case, spaces as hyphens, without punctuation. */
function fragmentsOf(name: string): string[] {
  return [...proseOf(name).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The commands that a page tells a reader to run. */
function commandsIn(name: string): string {
  return [...read(name).matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join("\n");
}

describe("the documentation", () => {
  it("says what the code says where it is generated", () => {
    const script = path.join(root, "scripts", "gen-docs.mjs");
    const output = execFileSync(process.execPath, [script, "--check"], { encoding: "utf8", stdio: "pipe" });
    expect(output).toContain("up to date");
  });

  it.each(pages)("links from %s only to files that exist", (name) => {
    const missing = linksOf(name).filter(({ file }) => !existsSync(path.join(root, file)));
    expect(missing).toEqual([]);
  });

  it.each(pages)("links from %s only to headings that exist", (name) => {
    const toHeadings = linksOf(name).filter(({ file, fragment }) => fragment !== "" && file.endsWith(".md"));
    expect(toHeadings.filter(({ file, fragment }) => !fragmentsOf(file).includes(fragment))).toEqual([]);
  });

  it.each(["README.md", "CONTRIBUTING.md", ...docPages])("names in %s only files that exist", (name) => {
    expect(pathsIn(name).filter((file) => !isThere(file))).toEqual([]);
  });

  it("names in docs/ARCHITECTURE.md only classes and files that the code has", () => {
    const files = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const code = files.map((name) => read(`src/${name}`)).join("\n");
    const declared = new Set(
      [...code.matchAll(/^export (?:abstract )?(?:class|interface|type|const) (\w+)/gm)].map(
        ([, word]) => word,
      ),
    );
    const known = new Set([...declared, ...files.map((name) => path.basename(name))]);
    const named = codeNamesIn("docs/ARCHITECTURE.md");
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((word) => !known.has(word))).toEqual([]);
  });

  it("names files where a reader has to find them", () => {
    expect(pathsIn("CONTRIBUTING.md").length).toBeGreaterThan(20);
    expect(pathsIn("docs/ARCHITECTURE.md").length).toBeGreaterThan(20);
  });

  it("is linked from README.md, every page in docs/ exactly once", () => {
    const linked = linksOf("README.md").map(({ file }) => file);
    const inDocs = linked.filter((file) => file.startsWith("docs/") && file.endsWith(".md"));
    expect(inDocs.toSorted()).toEqual(docPages.toSorted());
  });

  it("has a README.md that a newcomer can read in one go", () => {
    expect(Buffer.byteLength(read("README.md"))).toBeLessThanOrEqual(MAX_README_BYTES);
    expect(linksOf("README.md")).toContainEqual({ file: "docs/session.svg", fragment: "" });
  });

  it("has the pages that everything else points to", () => {
    for (const name of ["ARCHITECTURE", "DECISIONS", "ERRORS", "PROTOCOL", "THREATS", "TOOLS"]) {
      expect(docs).toContain(`docs/${name}.md`);
    }
  });

  it("names for every claim about threats a test that exists", () => {
    const named = [...read("docs/THREATS.md").matchAll(/test\/[\w/-]+\.test\.ts/g)].map(([file]) => file);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it("names for what it says of exposing and of services titles that the tests have", () => {
    const page = read("docs/THREATS.md");
    const part = page.slice(page.indexOf("## Exposing"), page.indexOf("## Known attacks"));
    const cited = [...part.matchAll(/`(test\/[^`]+)` \((_.+?_)\)(?=;| +\|)/g)].flatMap(
      ([, file = "", titles = ""]) =>
        titles
          .slice(1, -1)
          .split("_, _")
          .map((title) => ({ file, title: title.replaceAll("\\*", "*") })),
    );
    expect(cited.length).toBeGreaterThan(80);
    expect(cited.filter(({ file, title }) => !read(file).includes(title))).toEqual([]);
  });

  it("names only settings that are on the page of settings", () => {
    const settings =
      read("docs/SETTINGS.md")
        .match(/^\| `TUNNEL_\w+`/gm)
        ?.map((row) => row.slice(3, -1)) ?? [];
    expect(settings.length).toBeGreaterThan(10);
    for (const name of ["README.md", ...docPages, ...skills]) {
      const named = read(name).match(/\bTUNNEL_[A-Z_]+/g) ?? [];
      expect(
        named.filter((setting) => !settings.includes(setting)),
        name,
      ).toEqual([]);
    }
  });

  it("helps with error codes that exist", () => {
    const symptoms = read("docs/TROUBLESHOOTING.md").match(/^\*\*`[^*]*/gm) ?? [];
    const codes = symptoms.flatMap((symptom) => symptom.match(/(?<=`)[a-z]+(?:-[a-z]+)+(?=`)/g) ?? []);
    expect(codes.length).toBeGreaterThan(10);
    const listed = read("docs/ERRORS.md");
    expect(codes.filter((code) => !listed.includes(`| \`${code}\` `))).toEqual([]);
  });

  it("names both commands that try it, and the one that sets it up", () => {
    const commands = commandsIn("README.md");
    expect(commands).toContain("npm ci && npm run demo");
    expect(commands).toContain("npm ci && npm test");
    expect(commands).toContain("npm run build && node dist/tunnel-mcp.cjs setup");
  });

  it.each(pages)("tells nobody in %s to start a stranger's package", (name) => {
    expect(commandsIn(name)).not.toMatch(/npx|npm (?:i|install)\b/);
  });
});
