/** What generated files are made of: the program's own tables, loaded from its sources. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The exports of a module whose TypeScript text is given. Node 20 does not read TypeScript by itself. */
export async function loadSources(contents) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root, sourcefile: "sources.ts", loader: "ts" },
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

/**
 * Every variable of the environment. Names and meanings are those of `--help`; the accepted form is that of the refusal
 * of a value that nothing accepts, and undefined where the server itself does not read the variable.
 */
export function environmentVariables({ helpText, readConfig }) {
  const named = [...helpText("0", "").matchAll(/^ {2}(TUNNEL_\w+) +(.+)$/gm)];
  const forms = acceptedForms(
    readConfig,
    named.map(([, name]) => name),
  );
  const variables = named.map(([, name, meaning]) => ({ name, meaning, form: forms.get(name) }));
  const unexplained = [...forms.keys()].filter((name) => !variables.some((one) => one.name === name));
  if (unexplained.length > 0) throw new Error(`--help does not mention ${unexplained.join(", ")}`);
  return variables;
}

function acceptedForms(readConfig, names) {
  const nonsense = Object.fromEntries(names.map((name) => [name, "\u0001"]));
  try {
    readConfig(nonsense);
  } catch (error) {
    const problems = String(error.detail).split("; ");
    return new Map(problems.map((problem) => problem.split(" must be ")));
  }
  throw new Error("nonsense in the environment was accepted");
}
