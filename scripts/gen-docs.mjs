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
import { clientBlocks } from "./docs/clients.mjs";
import { commandLine } from "./docs/command-line.mjs";
import { errorsPage } from "./docs/errors.mjs";
import { exampleResults } from "./docs/example-results.mjs";
import { withSection } from "./docs/markdown.mjs";
import { settingsTable } from "./docs/settings.mjs";
import { toolsPage } from "./docs/tools.mjs";
import { loadSources } from "./sources.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");

/** The program's own tables, from which every page is made. */
const SOURCES = `
  import * as z from "zod";
  export const jsonSchema = (schema) => z.toJSONSchema(schema, { io: "input" });
  export { TOOLS } from "./src/mcp/tools/index.ts";
  export { INSTRUCTIONS } from "./src/mcp/instructions.ts";
  export { Fence } from "./src/mcp/fence.ts";
  export { REGISTRATION } from "./src/mcp/registration.ts";
  export { AREAS } from "./src/errors/table.ts";
  export { wakeView } from "./src/mcp/wake-view.ts";
  export { serverCommand } from "./src/mcp/registration.ts";
  export { CLIENTS } from "./src/cli/setup/clients.ts";
  export { configText } from "./src/cli/setup/formats/formats.ts";
  export { describePlace } from "./src/cli/setup/places.ts";
  export { ownLine } from "./src/cli/setup/show.ts";
  export { helpText } from "./src/cli/help.ts";
  export { readConfig } from "./src/cli/env.ts";
  export { LocalFiles } from "./src/session/files/local-files.ts";
  export { Sessions } from "./src/session/sessions.ts";
  export { nodePrimitives } from "./src/runtime/primitives.ts";
`;

/** Pages that are generated as a whole: their text by file. */
async function wholePages(sources) {
  return {
    "docs/TOOLS.md": toolsPage(sources, await exampleResults(sources)),
    "docs/ERRORS.md": errorsPage(sources),
  };
}

/** Sections of pages that are written by hand otherwise: one for each file, by the name in its marks. */
function sections(sources) {
  return {
    "docs/CLI.md": ["commands", commandLine(sources)],
    "docs/CLIENTS.md": ["clients", clientBlocks(sources)],
    "docs/SETTINGS.md": ["settings", settingsTable(sources)],
  };
}

async function generated() {
  const sources = await loadSources(SOURCES);
  const pages = await wholePages(sources);
  for (const [file, [name, content]] of Object.entries(sections(sources))) {
    const page = await readFile(path.join(root, file), "utf8");
    pages[file] = withSection(page, name, content, file);
  }
  return pages;
}

async function formatted(file, content) {
  return prettier.format(content, { ...(await prettier.resolveConfig(file)), filepath: file });
}

async function main() {
  const stale = [];
  for (const [name, content] of Object.entries(await generated())) {
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
