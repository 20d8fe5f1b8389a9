/**
 * Checks what a user would install: the exact files, nothing to download besides, a program that starts.
 * Run it after a build.
 *
 *   node scripts/check-package.mjs
 */
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));

const EXPECTED_FILES = [
  ".claude-plugin/plugin.json",
  ".codex-plugin/plugin.json",
  ".cursor-plugin/plugin.json",
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "commands/anthropic-tunnel.md",
  "commands/handover.md",
  "commands/join.md",
  "commands/pair.md",
  "dist/THIRD-PARTY-NOTICES.txt",
  "dist/cluster.cjs",
  "dist/commands.cjs",
  "dist/errors.cjs",
  "dist/expose.cjs",
  "dist/expose.d.cts",
  "dist/expose.d.mts",
  "dist/expose.mjs",
  "dist/page.br",
  "dist/paging.cjs",
  "dist/relay.cjs",
  "dist/scanning.cjs",
  "dist/reaching.cjs",
  "dist/sessions.cjs",
  "dist/tunnel-mcp.cjs",
  "dist/waking.cjs",
  "gemini-extension.json",
  "mcp.json",
  "monitors/monitors.json",
  "package.json",
  "plugin.json",
  "skills/tunnel-etiquette/SKILL.md",
];

/** Shared by several of these files; the name follows from what is in it. */
const SHARED_PART = /^dist\/part-[A-Z0-9]{8}\.cjs$/;

/** `npx` fetches the packed size on first use; a slow line should not notice. */
const MAX_PACKED_BYTES = 880_000;
/** On the disk; each file is read only when it is needed. */
const MAX_UNPACKED_BYTES = 2.6 * 1024 * 1024;

/** All that a tab loads, each of its files gzipped. */
const MAX_PAGE_BYTES = 25_000;

/** Bytes of the page, as a tab would load it compressed. */
async function pageBytes() {
  const packed = await readFile(path.join(root, "dist/page.br"));
  const texts = JSON.parse(brotliDecompressSync(packed).toString("utf8"));
  return Object.values(texts).reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
}

/** The command that runs npm without a shell: on Windows `npm` is a batch file, so its script is run instead. */
function npmCommand() {
  if (process.platform !== "win32") return ["npm"];
  return [
    process.execPath,
    path.join(path.dirname(process.execPath), "node_modules", "npm", "bin", "npm-cli.js"),
  ];
}

/** What `npm pack` would publish. */
function packed() {
  const [command, ...args] = npmCommand();
  const options = { cwd: root, encoding: "utf8" };
  const result = spawnSync(command, [...args, "pack", "--dry-run", "--json"], options);
  if (result.status !== 0) throw new Error(`npm pack failed: ${result.stderr || result.error}`);
  return Object.values(JSON.parse(result.stdout))[0];
}

/** Everything that is wrong with the package, one sentence each. */
async function problems() {
  const manifest = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  const { files, size, unpackedSize } = packed();
  const names = files.map((file) => file.path).filter((name) => !SHARED_PART.test(name));
  const found = [
    ...EXPECTED_FILES.filter((name) => !names.includes(name)).map(
      (name) => `missing from the package: ${name}`,
    ),
    ...names
      .filter((name) => !EXPECTED_FILES.includes(name))
      .map((name) => `unexpected in the package: ${name}`),
  ];
  for (const key of ["dependencies", "optionalDependencies", "bundleDependencies"]) {
    if (Object.keys(manifest[key] ?? {}).length > 0)
      found.push(`package.json has ${key}: everything must be bundled`);
  }
  for (const script of ["preinstall", "install", "postinstall", "prepare"]) {
    if (manifest.scripts?.[script] !== undefined)
      found.push(`package.json runs a script at install: ${script}`);
  }
  for (const bin of Object.values(manifest.bin)) {
    const program = await readFile(path.join(root, bin), "utf8").catch(() => "");
    if (!program.startsWith("#!/usr/bin/env node\n")) found.push(`${bin} is missing or has no shebang`);
    const { status, stdout } = spawnSync(process.execPath, [path.join(root, bin), "--version"], {
      encoding: "utf8",
    });
    if (status !== 0 || stdout.trim() !== manifest.version)
      found.push(`${bin} --version does not say ${manifest.version}`);
  }
  if (size > MAX_PACKED_BYTES) found.push(`packed size ${size} is over ${MAX_PACKED_BYTES} bytes`);
  if (unpackedSize > MAX_UNPACKED_BYTES)
    found.push(`unpacked size ${unpackedSize} is over ${MAX_UNPACKED_BYTES} bytes`);
  const page = await pageBytes();
  if (page > MAX_PAGE_BYTES) found.push(`the page takes ${page} bytes gzipped, over ${MAX_PAGE_BYTES}`);
  if (found.length === 0)
    console.log(
      `package: ${names.length} files, ${size} bytes packed, ${unpackedSize} unpacked; page: ${page} gzipped`,
    );
  return found;
}

const found = await problems();
for (const problem of found) console.error(`package: ${problem}`);
process.exitCode = found.length === 0 ? 0 : 1;
