/** What the manifests are made of: package.json, and the tables of tools, settings and publication. */
import { readFile } from "node:fs/promises";
import { loadSources } from "./sources.mjs";

export async function manifestSources() {
  const pkg = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const { TOOLS: tools, PUBLISHED: published, SETTINGS } = await loadSources();
  return { pkg, settings: Object.values(SETTINGS), tools, published };
}
