/**
 * Bundles src/main.ts into dist/tunnel-mcp.js: one ESM file without runtime dependencies, so that `npx` fetches one
 * small package and Node opens one file. Modules reached only through `import()` are evaluated when first used.
 *
 *   node scripts/build.mjs [--quiet]
 */
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { thirdPartyNotices } from "./notices.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bundle = path.join(root, "dist", "tunnel-mcp.js");
const notices = path.join(root, "dist", "THIRD-PARTY-NOTICES.txt");

// Bundled CommonJS packages still call `require` for Node's own modules, which an ES module does not have.
const banner = [
  "#!/usr/bin/env node",
  'import { createRequire as __createRequire } from "node:module";',
  "const require = __createRequire(import.meta.url);",
].join("\n");

// TEMPORARY, until src/mcp exists: bundle the rest all the same, so that its tests can run.
const unbuilt = existsSync(path.join(root, "src/mcp/serve.ts")) ? [] : ["../mcp/serve.ts"];
if (unbuilt.length > 0)
  console.error("build: src/mcp/serve.ts does not exist yet; the server part is missing");

/** The files of which at least one byte survived into the bundle. */
function bundledFiles(metafile) {
  return Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
}

async function main() {
  const quiet = process.argv.includes("--quiet");
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  await mkdir(path.dirname(bundle), { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["src/main.ts"],
    outfile: bundle,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none", // their texts are in THIRD-PARTY-NOTICES.txt
    metafile: true,
    logLevel: "warning",
    banner: { js: banner },
    define: { __VERSION__: JSON.stringify(version) },
    // Optional native helpers of `ws`; both exist only to be faster and would break the single file.
    external: ["bufferutil", "utf-8-validate", ...unbuilt],
  });
  await chmod(bundle, 0o755);
  await writeFile(notices, await thirdPartyNotices(root, bundledFiles(metafile)));
  if (!quiet) {
    const { size } = await stat(bundle);
    console.log(`dist/tunnel-mcp.js  ${(size / 1024).toFixed(0)} KiB  version ${version}`);
  }
}

try {
  await main();
} catch (error) {
  // esbuild has printed its own diagnostics by now; a stale bundle must not pass for a fresh one.
  await rm(bundle, { force: true });
  console.error(`build failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
