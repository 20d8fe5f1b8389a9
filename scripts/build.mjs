/**
 * Bundles the program into dist/: the server in one file without runtime dependencies, so that `npx` fetches one small
 * package and Node opens one file, and the commands for people at a terminal in a second one.
 *
 *   node scripts/build.mjs [--quiet]
 *
 * An MCP client waits for the answer to `initialize`, so start-up is what the shape is made for (measured in
 * bench/startup.mjs, reasons in docs/DECISIONS.md): CommonJS, because Node loads it faster; minified, because compiling
 * grows with every byte, used or not, which is also why the commands stay outside; and what the server needs only once a
 * tool is called is one function of the file, called by the first `import()` of it.
 */
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { thirdPartyNotices } from "./notices.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = path.join(root, "dist");
const bundle = path.join(dist, "tunnel-mcp.cjs");

/** Sockets, cryptography, tunnels: a client that only lists the tools never needs them. */
const ON_FIRST_CALL = "src/session/load.ts";
/** Everything but the server. */
const COMMANDS = "src/cli/commands.ts";
const COMMANDS_FILE = "./commands.cjs";

/** `import.meta.url` does not exist in CommonJS; this says the same. */
const OWN_URL = "__ownUrl";
const banner = `const ${OWN_URL} = require("node:url").pathToFileURL(__filename).href;`;

/** zod brings its error messages in fifty languages; the package speaks English. */
const englishOnly = {
  name: "english-only",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ importer, path: wanted }) => {
      if (!importer.includes(`${path.sep}zod${path.sep}`)) return undefined;
      const english = path.join(path.dirname(importer), path.dirname(wanted), "en.js");
      return { path: english, namespace: "english-only" };
    });
    onLoad({ filter: /./, namespace: "english-only" }, ({ path: file }) => ({
      contents: `export { default as en } from ${JSON.stringify(file)};`,
      resolveDir: path.dirname(file),
    }));
  },
};

/**
 * The SDK checks elicited forms and structured results with Ajv, 150 KiB that are evaluated at start-up. It ships a
 * smaller validator of its own for the same job (its default elsewhere), which is taken here, too.
 */
const smallValidator = {
  name: "small-validator",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/ajvProvider-/ }, ({ resolveDir }) => ({
      path: path.join(resolveDir, "validator"),
      namespace: "small-validator",
    }));
    onLoad({ filter: /./, namespace: "small-validator" }, async ({ path: stand }) => {
      const resolveDir = path.dirname(stand);
      const file = (await readdir(resolveDir)).find((name) => /^cfWorkerProvider-.*\.mjs$/.test(name));
      if (file === undefined) throw new Error("the MCP SDK has no small validator any more");
      // The letters are the SDK's own, minified export names; the build fails when they change.
      return { contents: `export { t as n } from "./${file}";`, resolveDir };
    });
  },
};

/** Node's own modules are required where a module needs them, and not all of them at the top of the file. */
const builtinsOnDemand = {
  name: "builtins-on-demand",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ kind, path: name }) =>
      kind === "import-statement" ? { path: name, namespace: "builtin" } : { path: name, external: true },
    );
    onLoad({ filter: /./, namespace: "builtin" }, ({ path: name }) => ({
      contents: `module.exports = require(${JSON.stringify(name)});`,
    }));
  },
};

/** What is behind the two dynamic imports: a function in this file, and another file. */
const units = (onFirstCall) => ({
  name: "units",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.ts$/ }, ({ kind, resolveDir, path: wanted }) => {
      if (kind !== "dynamic-import") return undefined;
      const file = path.relative(root, path.join(resolveDir, wanted)).split(path.sep).join("/");
      if (file === COMMANDS) return { path: COMMANDS_FILE, external: true };
      return file === ON_FIRST_CALL ? { path: file, namespace: "unit" } : undefined;
    });
    onLoad({ filter: /./, namespace: "unit" }, () => ({ contents: onFirstCall, loader: "js" }));
  },
});

/** The files of which at least one byte survived into the bundle, without the plugins' prefixes. */
function bundledFiles({ outputs }) {
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path.relative(root, path.resolve(root, file.replace(/^[a-z-]+:/, "")))] : [],
    ),
  );
}

async function main() {
  const quiet = process.argv.includes("--quiet");
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  const common = {
    absWorkingDir: root,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    minify: true,
    legalComments: "none", // their texts are in THIRD-PARTY-NOTICES.txt
    metafile: true,
    logLevel: "warning",
    define: { __VERSION__: JSON.stringify(version), "import.meta.url": OWN_URL },
    // Optional native helpers of `ws`; both exist only to be faster and would break the single file.
    external: ["bufferutil", "utf-8-validate"],
  };
  const plugins = [englishOnly, smallValidator, builtinsOnDemand];
  await mkdir(dist, { recursive: true });
  const [onFirstCall, commands] = await Promise.all([
    build({ ...common, entryPoints: [ON_FIRST_CALL], write: false, plugins }),
    build({
      ...common,
      entryPoints: [COMMANDS],
      outfile: path.join(dist, COMMANDS_FILE),
      banner: { js: banner },
      plugins,
    }),
  ]);
  const server = await build({
    ...common,
    entryPoints: ["src/main.ts"],
    outfile: bundle,
    banner: { js: `#!/usr/bin/env node\n${banner}` },
    plugins: [units(onFirstCall.outputFiles[0].text), ...plugins],
  });
  await chmod(bundle, 0o755);
  const files = new Set([onFirstCall, commands, server].flatMap(({ metafile }) => bundledFiles(metafile)));
  await writeFile(path.join(dist, "THIRD-PARTY-NOTICES.txt"), await thirdPartyNotices(root, [...files]));
  if (quiet) return;
  const { size } = await stat(bundle);
  console.log(`${path.relative(root, bundle)}  ${Math.round(size / 1024)} KiB  version ${version}`);
}

try {
  await main();
} catch (error) {
  // esbuild has printed its own diagnostics by now; a stale bundle must not pass for a fresh one.
  await rm(bundle, { force: true });
  console.error(`build failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
