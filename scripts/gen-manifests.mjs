/**
 * Writes the manifests of plugins, extensions and registries from package.json and the program's own tables.
 *
 *   node scripts/gen-manifests.mjs                 write
 *   node scripts/gen-manifests.mjs --check         compare only; exits 1 when something differs
 *   node scripts/gen-manifests.mjs --preview URL   print what they will be once the package is published from URL
 *   ... --into FOLDER                              another place than the repository
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as prettier from "prettier";
import { manifestSources } from "./manifest-sources.mjs";
import { manifestFiles, withRegistryName } from "./manifests.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

async function formatted(file, value) {
  const config = await prettier.resolveConfig(path.join(root, file));
  return prettier.format(JSON.stringify(value), { ...config, filepath: path.join(root, file) });
}

/** The files that differ from what they should be; unless only compared, they are written. */
async function bringUpToDate(folder, wanted, check) {
  const stale = [];
  for (const [name, value] of Object.entries(wanted)) {
    const file = path.join(folder, name);
    const current = await readFile(file, "utf8").catch(() => undefined);
    const next = await formatted(name, value);
    if (next === current) continue;
    stale.push(name);
    if (check) continue;
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, next);
  }
  return stale;
}

async function main() {
  const { values } = parseArgs({
    options: { check: { type: "boolean" }, preview: { type: "string" }, into: { type: "string" } },
  });
  const sources = await manifestSources();
  if (values.preview !== undefined) {
    sources.published = true;
    sources.pkg.repository = values.preview;
  }
  const wanted = {
    ...manifestFiles(sources),
    "package.json": withRegistryName(sources.pkg),
  };
  if (values.preview !== undefined) return console.log(JSON.stringify(wanted, null, 2));
  const stale = await bringUpToDate(values.into ?? root, wanted, values.check ?? false);
  if (stale.length === 0) return console.log("the manifests are up to date");
  if (!values.check) return console.log(`written: ${stale.join(", ")}`);
  console.error(`out of date: ${stale.join(", ")}. Run \`npm run manifests\` and commit the result.`);
  process.exitCode = 1;
}

await main();
