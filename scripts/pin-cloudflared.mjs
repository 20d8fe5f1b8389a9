/**
 * Pins a cloudflared release: downloads its assets, computes the SHA-256 of each asset and of the program in it, and
 * rewrites src/tunnel/cloudflared/release.ts. Needs the internet. Review the diff against the release notes before committing it.
 *
 *   node scripts/pin-cloudflared.mjs VERSION           rewrite
 *   node scripts/pin-cloudflared.mjs VERSION --check   compare only; exits 1 when something differs
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";
import { build } from "esbuild";
import * as prettier from "prettier";

const TARGET = new URL("../src/tunnel/cloudflared/release.ts", import.meta.url);
const ASSETS = {
  "linux-x64": "cloudflared-linux-amd64",
  "linux-arm64": "cloudflared-linux-arm64",
  "darwin-x64": "cloudflared-darwin-amd64.tgz",
  "darwin-arm64": "cloudflared-darwin-arm64.tgz",
  "win32-x64": "cloudflared-windows-amd64.exe",
};
const MAX_PROGRAM_BYTES = 256 * 1024 * 1024;

/** `current`, the text of release.ts, with its version and pins replaced. */
export async function renderRelease(current, version, pins) {
  const head = current.slice(0, current.indexOf("export const CLOUDFLARED_VERSION"));
  const data = `export const CLOUDFLARED_VERSION = ${JSON.stringify(version)};

export const PINS: Readonly<Record<string, Pin>> = ${JSON.stringify(pins, null, 2)};
`;
  const file = fileURLToPath(TARGET);
  return prettier.format(head + data, { ...(await prettier.resolveConfig(file)), filepath: file });
}

/** Both hashes of one asset, given its bytes; the archive reader is the one that users' machines run. */
export async function pinOf(asset, bytes) {
  const assetSha256 = sha256(bytes);
  if (!asset.endsWith(".tgz")) return { asset, assetSha256, binarySha256: assetSha256 };
  const { extractFile } = await load("../src/tunnel/cloudflared/archive.ts");
  const program = createHash("sha256");
  const archive = Readable.from([bytes]).pipe(createGunzip());
  for await (const chunk of extractFile(archive, "cloudflared", MAX_PROGRAM_BYTES)) program.update(chunk);
  return { asset, assetSha256, binarySha256: program.digest("hex") };
}

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A module of the sources; Node 20 does not read TypeScript by itself. */
async function load(path) {
  const entry = fileURLToPath(new URL(path, import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

async function main(version, check) {
  if (!/^\d{4}\.\d{1,2}\.\d{1,3}$/.test(version ?? ""))
    throw new Error("usage: pin-cloudflared.mjs VERSION [--check]");
  const { assetUrl } = await load("../src/tunnel/cloudflared/pins.ts");
  const pins = {};
  for (const [platform, asset] of Object.entries(ASSETS)) {
    const response = await fetch(assetUrl(version, asset));
    if (!response.ok) throw new Error(`${asset}: HTTP status ${response.status}`);
    pins[platform] = await pinOf(asset, Buffer.from(await response.arrayBuffer()));
    console.log(
      `${platform}\n  asset   ${pins[platform].assetSha256}\n  program ${pins[platform].binarySha256}`,
    );
  }
  const current = await readFile(TARGET, "utf8");
  const next = await renderRelease(current, version, pins);
  console.log(next === current ? "release.ts is up to date" : "release.ts differs");
  if (next === current) return;
  if (check) process.exitCode = 1;
  else await writeFile(TARGET, next);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv[2], process.argv.includes("--check"));
}
