import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const docs = readdirSync(path.join(root, "docs")).map((name) => `docs/${name}`);
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "bench/RESULTS.md",
  ...docs,
].filter((name) => name.endsWith(".md"));

function read(name: string): string {
  return readFileSync(path.join(root, name), "utf8");
}

/** Targets of the links of a page that lead to files, without code blocks, web addresses and fragments. */
function linkedFiles(name: string): string[] {
  const prose = read(name).replace(/^```.*?^```$/gms, "");
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target) && !target.startsWith("#"))
    .map((target) => path.join(path.dirname(name), target.replace(/#.*$/, "")));
}

describe("the documentation", () => {
  it("says what the code says where it is generated", () => {
    const script = path.join(root, "scripts", "gen-docs.mjs");
    const output = execFileSync(process.execPath, [script, "--check"], { encoding: "utf8", stdio: "pipe" });
    expect(output).toContain("up to date");
  });

  it.each(pages)("links from %s only to files that exist", (name) => {
    expect(linkedFiles(name).filter((target) => !existsSync(path.join(root, target)))).toEqual([]);
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

  it("names both set-up commands, and nowhere tells anybody to start a stranger's package", () => {
    const readme = read("README.md");
    expect(readme).toContain("npm ci && npm run demo");
    expect(readme).toContain("npm ci && npm test");
    const commands = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join("\n");
    expect(commands).toContain("node dist/tunnel-mcp.cjs setup");
    expect(commands).not.toMatch(/npx|npm (?:i|install)\b/);
  });
});
