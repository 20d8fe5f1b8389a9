/** The parts of the documentation that the code decides, as pages by their path in the repository. */
import { clientBlocks } from "./clients.mjs";
import { commandLine } from "./command-line.mjs";
import { errorsPage } from "./errors.mjs";
import { exampleResults } from "./example-results.mjs";
import { withSection } from "./markdown.mjs";
import { settingsTables } from "./settings.mjs";
import { toolsPage } from "./tools.mjs";
import { loadSources } from "../sources.mjs";

/** The program's own tables, from which every page is made. */
const SOURCES = `
  import * as z from "zod";
  export const jsonSchema = (schema) => z.toJSONSchema(schema, { io: "input" });
  export { TOOLS } from "./src/mcp/tools/index.ts";
  export { INSTRUCTIONS } from "./src/mcp/instructions.ts";
  export { Fence } from "./src/mcp/results/fence.ts";
  export { REGISTRATION } from "./src/view/registration.ts";
  export { AREAS } from "./src/errors/table.ts";
  export { wakeView } from "./src/view/wake.ts";
  export { serverCommand } from "./src/view/registration.ts";
  export { CLIENTS } from "./src/cli/setup/clients.ts";
  export { configText } from "./src/cli/setup/formats/formats.ts";
  export { describePlace } from "./src/cli/setup/places.ts";
  export { ownLine } from "./src/cli/setup/show.ts";
  export { commandsHelp } from "./src/cli/help.ts";
  export { allSettings, defaultConfig, defaultText, GROUPS, SETTINGS } from "./src/cli/settings.ts";
  export { LocalFiles } from "./src/session/files/local-files.ts";
  export { Sessions } from "./src/session/sessions.ts";
  export { PROVIDERS } from "./src/tunnel/registry/registry.ts";
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
  const settings = sources.allSettings(sources.SETTINGS);
  return {
    "docs/CLI.md": ["commands", commandLine(sources, settings)],
    "docs/CLIENTS.md": ["clients", clientBlocks(sources)],
    "docs/SETTINGS.md": ["settings", settingsTables(sources, settings)],
  };
}

/** The tables of which the pages are made. */
export function docSources() {
  return loadSources(SOURCES);
}

/** @param readPage gives the present text of a page, of which only a marked section is replaced */
export async function docPages(sources, readPage) {
  const pages = await wholePages(sources);
  for (const [file, [name, content]] of Object.entries(sections(sources)))
    pages[file] = withSection(await readPage(file), name, content, file);
  return pages;
}
