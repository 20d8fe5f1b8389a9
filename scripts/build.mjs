/**
 * Bundles the program into dist/: no runtime dependencies, so that `npx` fetches one small package, and one file for each
 * moment at which something is needed.
 *
 *   node scripts/build.mjs [--quiet] [--into FOLDER] [--instead SOURCE=REPLACEMENT]
 *
 * An MCP client waits for the answer to `initialize`, and V8 compiles every byte of a file that it opens, used or not. So
 * what answers is one file, and what comes later, with the first tool call or at a terminal, has an entry each, loaded
 * by its `import()`; what several entries need lies in parts between them, once. CommonJS, because Node loads it faster; minified, for the same reason. Measured in
 * bench/startup.mjs, reasons in docs/DECISIONS.md. `--instead` puts another file in the place of a source, for benchmarks that
 * measure what a part costs.
 */
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, transform } from "esbuild";
import { thirdPartyNotices } from "./notices.mjs";
import { bundlePage, packPage } from "./page-bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: options } = parseArgs({
  options: { quiet: { type: "boolean" }, into: { type: "string" }, instead: { type: "string" } },
});
const dist = path.resolve(root, options.into ?? "dist");
const bundle = path.join(dist, "tunnel-mcp.cjs");

/** What is imported on demand, and the file it gets. */
const LATER = new Map([
  // Sockets, cryptography, tunnels: a client that only lists the tools never needs them.
  ["src/app/sessions.ts", "sessions"],
  // Public addresses for local services, and services of members: the same gateway and bridge, with the first call that needs one.
  ["src/app/reaching/reaching.ts", "reaching"],
  // Everything but the server; the demo brings an MCP client.
  ["src/app/commands.ts", "commands"],
  // The relay: a program of its own, for whoever runs one.
  ["src/app/relaying.ts", "relay"],
  // The client of a cluster's engine: for a relay that is one of many nodes.
  ["src/relay/cluster/nats/nats-engine.ts", "cluster"],
  // What asks a running server, and may run as long as it does.
  ["src/app/waking.ts", "waking"],
  // The page of a person, where a server opens it by itself.
  ["src/app/paging.ts", "paging"],
  // The thread that looks for secrets in what leaves, started with the first file; its rules are larger than they look.
  ["src/oversight/filter/worker.ts", "scanning"],
]);

/** The library for programs that expose themselves: nothing of the program comes with it but the parts it uses. */
const LIBRARY = { entry: "src/library/entry.ts", contract: "src/library/contract.ts", name: "expose" };

/** The texts of all errors, a tenth of each file: the one part that the first answer and everything later have in common. */
const ERRORS = { source: "src/errors/table.ts", file: "./errors.cjs" };

/** CommonJS: Node loads it faster, and its loader of ES modules costs an idle host 6 MB. */
const COMMON_JS = { format: "cjs", supported: { "dynamic-import": false } };

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

/** The metrics can carry traces of OpenTelemetry, half of whose API they would bring along; the relay has none. */
const noTraces = {
  name: "no-traces",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@opentelemetry\/api$/ }, ({ path: name }) => ({
      path: name,
      namespace: "no-traces",
    }));
    onLoad({ filter: /./, namespace: "no-traces" }, () => ({ contents: "module.exports = {};" }));
  },
};

/**
 * The engine's client brings keys and signatures of its own for a login that is not offered here, a transport for browsers, and a
 * benchmark: half of it.
 */
const slimEngine = {
  name: "slim-engine",
  setup({ onResolve, onLoad }) {
    const isOfEngine = ({ importer }) => importer.includes(`${path.sep}@nats-io${path.sep}`);
    onResolve({ filter: /^@nats-io\/nkeys$|^\.\/(?:bench|ws_transport|nkeys)$/ }, (args) =>
      isOfEngine(args) ? { path: args.path, namespace: "slim-engine" } : undefined,
    );
    onLoad({ filter: /./, namespace: "slim-engine" }, () => ({ contents: "module.exports = {};" }));
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

/** In the file that answers: leaves what is loaded on demand to Node. */
const laterFiles = {
  name: "later-files",
  setup({ onResolve }) {
    onResolve({ filter: /\.ts$/ }, ({ kind, resolveDir, path: wanted }) => {
      if (kind !== "dynamic-import") return undefined;
      const source = path.relative(root, path.join(resolveDir, wanted)).split(path.sep).join("/");
      // The registry names the providers. Tunnels are opened by the sessions alone, which bring their code.
      const name = source.startsWith("src/tunnel/") ? "sessions" : LATER.get(source);
      return name === undefined ? undefined : { path: `./${name}.cjs`, external: true };
    });
  },
};

/** Leaves the texts of the errors to their own file. */
const errorTexts = {
  name: "error-texts",
  setup({ onResolve }) {
    onResolve({ filter: /\/table\.ts$/ }, ({ resolveDir, path: wanted }) =>
      path.join(resolveDir, wanted) === path.join(root, ERRORS.source)
        ? { path: ERRORS.file, external: true }
        : undefined,
    );
  },
};

/** In one step: whoever starts the program during a build gets the old file or the new one, never half of one. */
async function replace(file, contents) {
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, contents, { mode: file === bundle ? 0o755 : 0o644 });
  await rename(temporary, file);
}

/**
 * The library for `import`, and its types for both module systems: the contract holds types alone, so its text is a declaration as
 * it stands.
 */
async function writeLibraryFaces() {
  const wrapper = `import library from "./${LIBRARY.name}.cjs";\nexport const { expose } = library;\n`;
  await replace(path.join(dist, "expose.mjs"), wrapper);
  const contract = await readFile(path.join(root, LIBRARY.contract), "utf8");
  const types = `${contract}\nexport declare const expose: Expose;\n`;
  for (const file of ["expose.d.mts", "expose.d.cts"]) await replace(path.join(dist, file), types);
}

/** Files of earlier builds, which nothing loads any more, and which the package would bring along. */
async function removeOldFiles(current) {
  for (const name of await readdir(dist)) {
    const file = path.join(dist, name);
    if (name.endsWith(".cjs") && !current.has(file)) await rm(file, { force: true });
  }
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
    platform: "node",
    target: "node20",
    minify: true,
    legalComments: "none", // their texts are in THIRD-PARTY-NOTICES.txt
    metafile: true,
    write: false,
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
    noTraces,
    slimEngine,
    englishOnly,
    smallValidator,
    builtinsOnDemand,
    ...(options.instead === undefined ? [] : [instead(...options.instead.split("="))]),
  ];
  const single = (entry, file, head, ...more) =>
    build({
      ...common,
      ...COMMON_JS,
      entryPoints: [entry],
      outfile: path.join(dist, file),
      banner: { js: head },
      plugins: [...more, ...plugins],
    });
  await mkdir(dist, { recursive: true });
  const [answering, errors, later, page] = await Promise.all([
    single("src/main.ts", "tunnel-mcp.cjs", `#!/usr/bin/env node\n${banner}`, laterFiles, errorTexts),
    single(ERRORS.source, ERRORS.file, ""),
    build({
      ...common,
      entryPoints: Object.fromEntries(
        [...LATER, [LIBRARY.entry, LIBRARY.name]].map(([source, name]) => [name, source]),
      ),
      // Only ES modules are split; each becomes CommonJS after that.
      format: "esm",
      splitting: true,
      outdir: dist,
      chunkNames: "part-[hash]",
      outExtension: { ".js": ".cjs" },
      plugins: [errorTexts, ...plugins],
    }),
    bundlePage(),
  ]);
  const built = [answering, errors, later, page];
  const written = new Map();
  for (const { outputFiles } of [answering, errors])
    for (const { path: file, contents } of outputFiles) written.set(file, contents);
  for (const { path: file, text } of later.outputFiles) {
    const { code } = await transform(text, {
      ...COMMON_JS,
      minify: true,
      target: "node20",
      platform: "node",
    });
    written.set(file, code.includes(OWN_URL) ? `${banner}${code}` : code);
  }
  written.set(path.join(dist, "page.br"), packPage(page.texts));
  for (const [file, contents] of written) await replace(file, contents);
  await writeLibraryFaces();
  await removeOldFiles(new Set(written.keys()));
  const files = new Set(built.flatMap(({ metafile }) => bundledFiles(metafile)));
  await replace(path.join(dist, "THIRD-PARTY-NOTICES.txt"), await thirdPartyNotices(root, [...files]));
  if (options.quiet) return;
  for (const file of written.keys()) {
    const { size } = await stat(file);
    console.log(`${path.join("dist", path.basename(file)).padEnd(24)} ${Math.round(size / 1024)} KiB`);
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
