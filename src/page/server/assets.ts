import { readFile } from "node:fs/promises";
import { brotliDecompressSync } from "node:zlib";
import * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";

/** The file of the page beside the program. */
export const PAGE_FILE = "page.br";

/** The files of the page by their path. */
export type Assets = ReadonlyMap<string, { readonly type: string; readonly text: string }>;

const TYPES = {
  "/": "text/html; charset=utf-8",
  "/page.js": "text/javascript; charset=utf-8",
  "/page.css": "text/css; charset=utf-8",
  "/icon.svg": "image/svg+xml",
  "/icon-waiting.svg": "image/svg+xml",
} as const;

const assetsSchema = z.strictObject({
  "/": z.string(),
  "/page.js": z.string(),
  "/page.css": z.string(),
  "/icon.svg": z.string(),
  "/icon-waiting.svg": z.string(),
});

function assetsOf(texts: z.infer<typeof assetsSchema>): Assets {
  const of = (path: keyof typeof TYPES) => [path, { type: TYPES[path], text: texts[path] }] as const;
  return new Map([of("/"), of("/page.js"), of("/page.css"), of("/icon.svg"), of("/icon-waiting.svg")]);
}

/** The page as the build has packed it: one compressed file of JSON beside the program. @throws {TunnelError} page-missing */
export async function readAssets(file: string): Promise<Assets> {
  try {
    const packed = await readFile(file);
    return assetsOf(assetsSchema.parse(JSON.parse(brotliDecompressSync(packed).toString("utf8"))));
  } catch (cause) {
    throw new TunnelError("page-missing", { cause });
  }
}
