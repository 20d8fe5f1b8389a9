/**
 * Writes the test vectors in test/vectors, all but noise.json, which is published by others. The same code always
 * makes the same bytes, and the tests compare.
 *
 *   node scripts/gen-vectors.mjs [--check]
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = path.join(root, "test", "vectors");

/** Bundled beside node_modules, so that what stays external is found. */
async function load() {
  const scratch = await mkdtemp(path.join(root, "node_modules", ".gen-vectors-"));
  try {
    const outfile = path.join(scratch, "vectors.mjs");
    const entryPoints = [path.join(root, "test", "support", "vectors.ts")];
    await build({
      entryPoints,
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

const { makeVectors } = await load();
const stale = [];
for (const [name, content] of Object.entries(makeVectors())) {
  const file = path.join(folder, name);
  if (process.argv.includes("--check")) {
    if ((await readFile(file, "utf8").catch(() => "")) !== content) stale.push(name);
  } else {
    await writeFile(file, content);
  }
}
if (stale.length > 0) {
  console.error(`not what the code makes: ${stale.join(", ")} (run node scripts/gen-vectors.mjs)`);
  process.exitCode = 1;
}
