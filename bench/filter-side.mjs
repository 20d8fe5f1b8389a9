/**
 * One pass of the outbound filter over ordinary code, as one JSON line.
 *
 *   node filter-side.cjs SCRIPT FOLDER MEGABYTES filter|hash
 *
 * `hash` is the floor: the same files, read and hashed in the same pieces, and not scanned.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { OutboundFilter } from "../src/oversight/filter/filter.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { watchLoop } from "./loop.mjs";

const [script, folder, megabytes, how] = process.argv.slice(2);
const PIECE = 1024 * 1024;

/** The sources in a folder, by name, until they are so many bytes. */
function sources(limit) {
  const found = [];
  let bytes = 0;
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && /\.(?:[cm]?[jt]sx?|json|md|ya?ml|map|css|html|txt)$/.test(entry.name),
    )
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  for (const name of names) {
    if (bytes >= limit) break;
    const content = readFileSync(name);
    bytes += content.length;
    found.push({ name, content });
  }
  return { files: found, bytes };
}

async function verdictOf(filter, content) {
  const scan = filter.openContent("file", content.length);
  for (let at = 0; at < content.length; at += PIECE) await scan.write(content.subarray(at, at + PIECE));
  return await scan.end();
}

async function hashed(content) {
  const hash = createHash("sha256");
  for (let at = 0; at < content.length; at += PIECE) {
    hash.update(content.subarray(at, at + PIECE));
    await new Promise((resolve) => setImmediate(resolve));
  }
  hash.digest("hex");
  return { kind: "clear" };
}

async function main() {
  const { files, bytes } = sources(Number(megabytes) * 1e6);
  const filter = new OutboundFilter(systemClock, pathToFileURL(script));
  if (how === "filter") await verdictOf(filter, Buffer.from("warm"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const stop = watchLoop();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const blocked = [];
  for (const { name, content } of files) {
    const { kind } = how === "filter" ? await verdictOf(filter, content) : await hashed(content);
    if (kind === "found") blocked.push(path.relative(folder, name));
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const longestHoldMs = stop();
  await filter.close();
  console.log(
    JSON.stringify({
      megabytes: bytes / 1e6,
      files: files.length,
      seconds,
      cpuSeconds: (user + system) / 1e6,
      longestHoldMs,
      blocked,
    }),
  );
}

void main();
