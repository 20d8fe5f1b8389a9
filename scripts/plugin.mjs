/**
 * Puts the plugin together as an npm package would bring it: the files of package.json and nothing else, in dist/plugin/.
 * A clone is no plugin by itself, since what is built is not in git, and a client copies the whole folder that it is
 * given, node_modules included. Run it after a build.
 *
 *   node scripts/plugin.mjs [FOLDER]
 */
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { packageFiles } from "./package-files.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** npm packs these in any case. */
const ALWAYS = ["package.json", "README.md", "LICENSE"];

const target = path.resolve(process.argv[2] ?? path.join(root, "dist", "plugin"));
const { files } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
await rm(target, { recursive: true, force: true });
for (const name of await packageFiles(root, [...ALWAYS, ...files])) {
  await mkdir(path.dirname(path.join(target, name)), { recursive: true });
  await cp(path.join(root, name), path.join(target, name));
}
console.log(`plugin: ${target}`);
