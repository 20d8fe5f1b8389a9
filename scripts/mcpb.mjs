/**
 * Packs dist/tunnel-mcp.mcpb, the bundle that Claude Desktop installs with a click. The same sources give the same bytes,
 * so that a checksum can be published and checked. Run it after a build.
 *
 *   node scripts/mcpb.mjs
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { manifestSources } from "./manifest-sources.mjs";
import { bundleManifest } from "./manifests.mjs";
import { packageFiles } from "./package-files.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = path.join(root, "dist", "tunnel-mcp.mcpb");
/** The first moment that a zip archive can name: the time of packing is nobody's business. */
const MTIME = new Date(1980, 0, 1);
/** Of the npm package's files, those of no use inside a client that reads manifest.json. */
const LEFT_OUT =
  /^(?:\.|commands|monitors|mcp\.json|plugin\.json|server\.json|gemini-extension\.json|SECURITY\.md)/;

const sources = await manifestSources();
const manifest = `${JSON.stringify(bundleManifest(sources), null, 2)}\n`;
const names = await packageFiles(root, [
  "LICENSE",
  ...sources.pkg.files.filter((name) => !LEFT_OUT.test(name)),
]);
const contents = await Promise.all(names.map((name) => readFile(path.join(root, name))));
const archive = zipSync(
  {
    "manifest.json": Buffer.from(manifest),
    ...Object.fromEntries(names.map((name, at) => [name, contents[at]])),
  },
  { level: 9, mtime: MTIME },
);
await writeFile(target, archive);
console.log(`${path.relative(root, target)} ${Math.round(archive.length / 1024)} KiB`);
console.log(`sha256 ${createHash("sha256").update(archive).digest("hex")}`);
