/**
 * Makes the page of a person from src/page/browser and src/page/shell: one script and one style, for a policy that runs nothing else.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A browser brings what the core of the protocol, which knows no platform, has written itself. */
const ofBrowser = {
  name: "of-browser",
  setup({ onResolve }) {
    onResolve({ filter: /\/base\/utf8\.ts$/ }, () => ({
      path: path.join(root, "src/page/browser/deciding/utf8.ts"),
    }));
  },
};

/** @returns the texts of the page by their path, and what went into them */
export async function bundlePage() {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { page: "src/page/browser/main.tsx", style: "src/page/shell/page.css" },
    bundle: true,
    format: "iife",
    platform: "browser",
    target: ["es2022"],
    // Calls of `h`, which take less than those of the automatic runtime that the types are checked with.
    tsconfigRaw: { compilerOptions: { strict: true } },
    jsx: "transform",
    jsxFactory: "h",
    jsxFragment: "Fragment",
    inject: ["scripts/page-jsx.mjs"],
    plugins: [ofBrowser],
    minify: true,
    legalComments: "none",
    outdir: "/page",
    write: false,
    metafile: true,
    logLevel: "warning",
  });
  const of = (end) => outputFiles.find((file) => file.path.endsWith(end))?.text ?? "";
  const read = (name) => readFile(path.join(root, "src/page/shell", name), "utf8");
  const icon = await read("icon.svg");
  return {
    metafile,
    texts: {
      "/": (await read("shell.html")).replace(/\n\s*/g, "\n"),
      "/page.js": of("page.js"),
      "/page.css": of("style.css"),
      "/icon.svg": icon,
      // The same with a dot: somebody is waited for.
      "/icon-waiting.svg": icon.replace("</svg>", '<circle cx="24" cy="8" r="7" fill="#c7621a"/></svg>'),
    },
  };
}

/** In one compressed file, which the package holds as it is. */
export function packPage(texts) {
  return brotliCompressSync(JSON.stringify(texts), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 },
  });
}
