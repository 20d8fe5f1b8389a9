/** What generated files are made of: the program's own tables, loaded from its sources. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

let loading;

/** The exports of program.ts. Node 20 does not read TypeScript by itself. */
export function loadSources() {
  return (loading ??= load());
}

async function load() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ["scripts/program.ts"],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    external: ["bufferutil", "utf-8-validate"],
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    define: { "import.meta.url": JSON.stringify(import.meta.url) },
    logLevel: "error",
  });
  const module = { exports: {} };
  const evaluate = compileFunction(outputFiles[0].text, ["module", "exports", "require"]);
  evaluate(module, module.exports, createRequire(import.meta.url));
  return module.exports;
}
