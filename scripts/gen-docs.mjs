/**
 * Writes the parts of the documentation that the code decides: docs/TOOLS.md, docs/ERRORS.md, and the marked sections of
 * other pages. Each page or section has a module of its own in scripts/docs/.
 *
 *   node scripts/gen-docs.mjs            write
 *   node scripts/gen-docs.mjs --check    compare only; exits 1 when something differs
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as prettier from "prettier";
import { docPages, docSources } from "./docs/pages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");

async function formatted(file, content) {
  return prettier.format(content, { ...(await prettier.resolveConfig(file)), filepath: file });
}

async function main() {
  const stale = [];
  const pages = await docPages(await docSources(), (name) => readFile(path.join(root, name), "utf8"));
  for (const [name, content] of Object.entries(pages)) {
    const file = path.join(root, name);
    const next = await formatted(file, content);
    const current = await readFile(file, "utf8").catch(() => "");
    if (next === current) continue;
    stale.push(name);
    if (!check) await writeFile(file, next);
  }
  if (stale.length === 0) return console.log("the generated documentation is up to date");
  if (!check) return console.log(`written: ${stale.join(", ")}`);
  console.error(`out of date: ${stale.join(", ")}. Run \`npm run docs\` and commit the result.`);
  process.exitCode = 1;
}

await main();
