/**
 * Bundles the program into dist/: no runtime dependencies, so that `npx` fetches one small package, and one file for each
 * moment at which something is needed.
 *
 *   node scripts/build.mjs [--quiet] [--into FOLDER] [--instead SOURCE=REPLACEMENT]
 *
 * An MCP client waits for the answer to `initialize`, and V8 compiles every byte of a file that it opens, used or not. So
 * what answers is one file, and what comes later, with the first tool call or at a terminal, is another one each, loaded
 * by the `import()` of its entry. CommonJS, because Node loads it faster; minified, for the same reason. Measured in
 * bench/startup.mjs, reasons in docs/DECISIONS.md. `--instead` puts another file in the place of a source, for benchmarks that
 * measure what a part costs.
 */
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { thirdPartyNotices } from "./notices.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: options } = parseArgs({
  options: { quiet: { type: "boolean" }, into: { type: "string" }, instead: { type: "string" } },
});
const dist = path.resolve(root, options.into ?? "dist");
const bundle = path.join(dist, "tunnel-mcp.cjs");

/** What is imported on demand, and the file it gets. */
const LATER = new Map([
  // Sockets, cryptography, tunnels: a client that only lists the tools never needs them.
  ["src/app/sessions.ts", "./sessions.cjs"],
  // Public addresses for local services, and services of members: the same gateway and bridge, with the first call that needs one.
  ["src/app/reaching.ts", "./reaching.cjs"],
  // Everything but the server; the demo brings an MCP client.
  ["src/app/commands.ts", "./commands.cjs"],
  // What asks a running server, and may run as long as it does.
  ["src/app/waking.ts", "./waking.cjs"],
  // The thread that looks for secrets in what leaves, started with the first file; its rules are larger than they look.
  ["src/oversight/filter/worker.ts", "./scanning.cjs"],
]);

/** Parts that several of these files need, packed once: what is imported, its source, its file. */
const SHARED = [
  { imported: /^ws$/, source: "node_modules/ws/index.js", file: "./ws.cjs" },
  { imported: /^tweetnacl$/, source: "node_modules/tweetnacl/nacl-fast.js", file: "./tweetnacl.cjs" },
  // The texts of all errors: a tenth of each file.
  { imported: /\/table\.ts$/, source: "src/errors/table.ts", file: "./errors.cjs" },
];

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

/**
 * The proxy agent writes the proxy's URL, password included, to the log of `debug`, and brings a Kerberos login that needs a
 * native module. Neither is wanted here.
 */
const plainProxyAgent = {
  name: "plain-proxy-agent",
  setup({ onResolve, onLoad }) {
    const stands = new Map([
      ["debug", "export default () => () => undefined;"],
      ["proxy-agent-negotiate", "export const createNegotiateAuth = undefined;"],
    ]);
    onResolve({ filter: /^(?:debug|proxy-agent-negotiate)$/ }, ({ path: name }) => ({
      path: name,
      namespace: "plain-proxy-agent",
    }));
    onLoad({ filter: /./, namespace: "plain-proxy-agent" }, ({ path: name }) => ({
      contents: stands.get(name),
    }));
  },
};

/**
 * The second engine of the filter marks each of its rules in the timeline of the process, which keeps them for ever. It gets a
 * timeline that keeps nothing. (Its `debug`, which would write out what it scans, is replaced above.)
 */
const noTimeline = {
  name: "no-timeline",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@secretlint\/profiler$/ }, ({ path: name }) => ({
      path: name,
      namespace: "no-timeline",
    }));
    onLoad({ filter: /./, namespace: "no-timeline" }, () => ({
      contents: "export const secretLintProfiler = { mark() {} };",
    }));
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

/** Another file in the place of a source. A source that is not there any more must not pass for one that was replaced. */
function instead(source, replacement) {
  const replaced = path.join(root, source);
  return {
    name: "instead",
    async setup({ onLoad }) {
      await stat(replaced);
      onLoad({ filter: /\.ts$/ }, async ({ path: file }) =>
        file === replaced
          ? {
              contents: await readFile(path.join(root, replacement), "utf8"),
              loader: "js",
              resolveDir: path.dirname(path.join(root, replacement)),
            }
          : undefined,
      );
    },
  };
}

/** The only file in which tunnels are opened. The others name the providers and never load their code. */
const OPENS_TUNNELS = "./sessions.cjs";

/** Leaves the imports on demand to be resolved by Node, among the files in dist/. */
const laterFiles = {
  name: "later-files",
  setup({ onResolve, initialOptions }) {
    const opens = path.basename(initialOptions.outfile) === path.basename(OPENS_TUNNELS);
    onResolve({ filter: /\.ts$/ }, ({ kind, resolveDir, path: wanted }) => {
      if (kind !== "dynamic-import") return undefined;
      const source = path.relative(root, path.join(resolveDir, wanted)).split(path.sep).join("/");
      const isProvider = source.startsWith("src/tunnel/");
      const file = isProvider && !opens ? OPENS_TUNNELS : LATER.get(source);
      return file === undefined ? undefined : { path: file, external: true };
    });
  },
};

/** Leaves what is shared to its own file, except in that file. */
const sharedFiles = {
  name: "shared-files",
  setup({ onResolve, initialOptions }) {
    for (const { imported, source, file } of SHARED) {
      if (path.basename(initialOptions.outfile) === path.basename(file)) continue;
      onResolve({ filter: imported }, ({ resolveDir, path: wanted }) => {
        const isPackage = source.startsWith("node_modules/");
        const isMeant = isPackage || path.join(resolveDir, wanted) === path.join(root, source);
        return isMeant ? { path: file, external: true } : undefined;
      });
    }
  },
};

/** In one step: whoever starts the program during a build gets the old file or the new one, never half of one. */
async function replace(file, contents) {
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, contents, { mode: file === bundle ? 0o755 : 0o644 });
  await rename(temporary, file);
}

/** The files of which at least one byte survived into the bundle, without the plugins' prefixes. */
function bundledFiles({ outputs }) {
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path.relative(root, path.resolve(root, file.replace(/^[a-z-]+:/, "")))] : [],
    ),
  );
}

async function main() {
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  const common = {
    absWorkingDir: root,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    minify: true,
    // Node's loader of ES modules costs an idle host 6 MB, and these files are CommonJS.
    supported: { "dynamic-import": false },
    legalComments: "none", // their texts are in THIRD-PARTY-NOTICES.txt
    metafile: true,
    logLevel: "warning",
    // Its CommonJS half finds its own files by a `require` that a bundler cannot see.
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    define: { __VERSION__: JSON.stringify(version), "import.meta.url": OWN_URL },
    // Optional native helpers of `ws`; both exist only to be faster and would break the single file.
    external: ["bufferutil", "utf-8-validate"],
  };
  const plugins = [
    plainProxyAgent,
    noTimeline,
    laterFiles,
    sharedFiles,
    englishOnly,
    smallValidator,
    builtinsOnDemand,
  ];
  if (options.instead !== undefined) plugins.push(instead(...options.instead.split("=")));
  const bundled = (entry, file, head) =>
    build({
      ...common,
      entryPoints: [entry],
      outfile: path.join(dist, file),
      banner: { js: head },
      plugins,
      write: false,
    });
  await mkdir(dist, { recursive: true });
  const built = await Promise.all([
    bundled("src/main.ts", "tunnel-mcp.cjs", `#!/usr/bin/env node\n${banner}`),
    ...[...LATER].map(([entry, file]) => bundled(entry, file, banner)),
    ...SHARED.map(({ source, file }) => bundled(source, file, banner)),
  ]);
  for (const { outputFiles } of built) {
    for (const { path: file, contents } of outputFiles) await replace(file, contents);
  }
  const files = new Set(built.flatMap(({ metafile }) => bundledFiles(metafile)));
  await replace(path.join(dist, "THIRD-PARTY-NOTICES.txt"), await thirdPartyNotices(root, [...files]));
  if (options.quiet) return;
  for (const file of ["tunnel-mcp.cjs", ...LATER.values(), ...SHARED.map(({ file }) => file)]) {
    const { size } = await stat(path.join(dist, file));
    console.log(`${path.join("dist", file).padEnd(22)} ${Math.round(size / 1024)} KiB`);
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
