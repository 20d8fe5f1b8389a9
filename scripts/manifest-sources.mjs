/** What the manifests are made of: package.json, and the tables of tools, settings and publication. */
import { readFile } from "node:fs/promises";
import { settingOf } from "./manifests.mjs";
import { environmentVariables, loadSources } from "./sources.mjs";

const SOURCES = `
  export { TOOLS } from "./src/mcp/tools/index.ts";
  export { PUBLISHED } from "./src/view/registration.ts";
  export { helpText } from "./src/cli/help.ts";
  export { readConfig } from "./src/cli/env.ts";
`;

export async function manifestSources() {
  const pkg = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const sources = await loadSources(SOURCES);
  const settings = environmentVariables(sources)
    .filter(({ form }) => form !== undefined) // the others are read by commands, not by the server
    .map(settingOf);
  // The types are read from prose, so the program itself has the last word on them.
  for (const { name, fallback, choices = [] } of settings) {
    for (const value of [fallback, ...choices]) sources.readConfig({ [name]: value });
  }
  return { pkg, settings, tools: sources.TOOLS, published: sources.PUBLISHED };
}
