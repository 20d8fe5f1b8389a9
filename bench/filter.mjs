/**
 * The outbound filter on ordinary code: how fast both engines are together, how long the loop of the process that reads is held,
 * and how many files are blocked though there is no secret in them. The code is that of the development tools.
 *
 * The floor reads and hashes the same files and scans none: what it takes is what sharing them takes anyway, and how long its
 * loop is held is what the machine does by itself.
 *
 *   node bench/filter.mjs [--samples 3] [--megabytes 50]
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { counts, isMain, print, rounded, summary, withPrograms } from "./support.mjs";

const TARGET_MB_PER_SECOND = 8;
const MAX_HOLD_MS = 20;
const MAX_BLOCKED_PER_10_MB = 1;
const code = fileURLToPath(new URL("../node_modules", import.meta.url));
const run = promisify(execFile);

export async function measureFilter({ filter, scanning }, { samples, megabytes = 50 }) {
  const found = { filter: [], hash: [] };
  for (let round = 0; round < samples; round += 1)
    for (const how of round % 2 === 0 ? ["filter", "hash"] : ["hash", "filter"]) {
      const { stdout } = await run(process.execPath, [filter, scanning, code, String(megabytes), how]);
      found[how].push(JSON.parse(stdout));
    }
  const rate = (one) => one.megabytes / one.seconds;
  const measured = summary(found.filter.map(rate));
  const [{ blocked, megabytes: scanned, files }] = found.filter;
  const longestHoldMs = Math.min(...found.filter.map((one) => one.longestHoldMs));
  const blockedPer10Mb = (blocked.length / scanned) * 10;
  return {
    unit: "MB/s",
    measured: { what: "both engines, in their thread", ...measured },
    baseline: { what: "read and hashed only", ...summary(found.hash.map(rate)) },
    cpu: { mbPerSecond: rounded(Math.max(...found.filter.map((one) => one.megabytes / one.cpuSeconds))) },
    longestHoldMs: rounded(longestHoldMs),
    baselineHoldMs: rounded(Math.min(...found.hash.map((one) => one.longestHoldMs))),
    files,
    megabytes: rounded(scanned),
    blocked,
    target: TARGET_MB_PER_SECOND,
    met:
      measured.median >= TARGET_MB_PER_SECOND &&
      longestHoldMs <= MAX_HOLD_MS &&
      blockedPer10Mb <= MAX_BLOCKED_PER_10_MB,
  };
}

if (isMain(import.meta.url)) {
  const { samples, megabytes } = counts({ samples: 3, megabytes: 50 });
  print(await withPrograms((programs) => measureFilter(programs, { samples, megabytes })));
}
