/**
 * Bundles the program into dist/tunnel-mcp.cjs: one file without runtime dependencies, so that `npx` fetches one small
 * package and Node opens one file.
 *
 *   node scripts/build.mjs [--quiet]
 *
 * An MCP client waits for the answer to `initialize`, so start-up is what the shape of the file is made for (measured in
 * bench/startup.mjs, reasons in docs/DECISIONS.md): CommonJS, because Node loads it faster; minified, because compiling
 * grows with every byte; and in two units, because what is only needed later must cost nothing before. The second unit
 * is one function of the file, called by the first `import()` of a module in LATER.
 */
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { thirdPartyNotices } from "./notices.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bundle = path.join(root, "dist", "tunnel-mcp.cjs");
const notices = path.join(root, "dist", "THIRD-PARTY-NOTICES.txt");

/** What a client that only lists the tools never needs: sockets, cryptography, tunnels, and the other commands. */
const LATER = ["src/cli/commands.ts", "src/session/load.ts"];

/** `import.meta.url` does not exist in CommonJS; this says the same. */
const OWN_URL = "__ownUrl";
const banner = `#!/usr/bin/env node\nconst ${OWN_URL} = require("node:url").pathToFileURL(__filename).href;`;

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

/** Puts the second unit in the place of every module in LATER. */
const laterUnit = (contents) => ({
  name: "later-unit",
  setup({ onResolve, onLoad }) {
    const later = LATER.map((file) => path.join(root, file));
    onResolve({ filter: /\.ts$/ }, ({ kind, resolveDir, path: wanted }) => {
      const isLater = kind === "dynamic-import" && later.includes(path.join(resolveDir, wanted));
      return isLater ? { path: "later", namespace: "later-unit" } : undefined;
    });
    onLoad({ filter: /./, namespace: "later-unit" }, () => ({ contents, loader: "js" }));
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
  const later = await build({
    ...common,
    stdin: {
      contents: LATER.map((file) => `export * from "./${file}";`).join("\n"),
      resolveDir: root,
      sourcefile: "later.ts",
    },
    write: false,
    plugins,
  });
  await mkdir(path.dirname(bundle), { recursive: true });
  const { metafile } = await build({
    ...common,
    entryPoints: ["src/main.ts"],
    outfile: bundle,
    banner: { js: banner },
    plugins: [laterUnit(later.outputFiles[0].text), ...plugins],
  });
  await chmod(bundle, 0o755);
  const files = [...new Set([...bundledFiles(metafile), ...bundledFiles(later.metafile)])];
  await writeFile(notices, await thirdPartyNotices(root, files));
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
