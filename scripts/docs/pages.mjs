/** The parts of the documentation that the code decides, as pages by their path in the repository. */
import { readFile } from "node:fs/promises";
import { clientBlocks } from "./clients.mjs";
import { commandLine } from "./command-line.mjs";
import { errorsPage } from "./errors.mjs";
import { exampleResults } from "./example-results.mjs";
import { withSection } from "./markdown.mjs";
import { settingsTables } from "./settings.mjs";
import { toolsPage } from "./tools.mjs";
import { loadSources } from "../sources.mjs";

const ownVersion = async () =>
  JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")).version;

/** Pages that are generated as a whole: their text by file. */
async function wholePages(sources) {
  return {
    "docs/TOOLS.md": toolsPage(sources, await exampleResults(sources)),
    "docs/ERRORS.md": errorsPage(sources),
    "docs/openapi.json": JSON.stringify(sources.openApi(await ownVersion())),
  };
}

/** Sections of pages that are written by hand otherwise: one for each file, by the name in its marks. */
function sections(sources) {
  const settings = sources.allSettings(sources.SETTINGS);
  return {
    "docs/CLI.md": ["commands", commandLine(sources, settings)],
    "docs/CLIENTS.md": ["clients", clientBlocks(sources)],
    "docs/SETTINGS.md": ["settings", settingsTables(sources, settings)],
  };
}

/** The tables of which the pages are made. */
export function docSources() {
  return loadSources();
}

/** @param readPage gives the present text of a page, of which only a marked section is replaced */
export async function docPages(sources, readPage) {
  const pages = await wholePages(sources);
  for (const [file, [name, content]] of Object.entries(sections(sources)))
    pages[file] = withSection(await readPage(file), name, content, file);
  return pages;
}
