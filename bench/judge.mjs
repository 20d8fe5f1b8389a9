/**
 * What a message costs before it leaves: how long its judgement takes, and how long the loop of the server is held by it. A message
 * has 64 KiB at most.
 *
 *   node bench/judge.mjs [--samples 50]
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { counts, isMain, print, withPrograms } from "./support.mjs";

const MAX_HOLD_MS = 20;
const run = promisify(execFile);

export async function measureJudge({ judge, scanning }, { samples }) {
  const { stdout } = await run(process.execPath, [judge, scanning, String(samples)]);
  const measured = JSON.parse(stdout);
  const longest = Math.max(...Object.values(measured).map(({ heldMs }) => heldMs.median));
  return { unit: "ms", measured, target: MAX_HOLD_MS, met: longest <= MAX_HOLD_MS };
}

if (isMain(import.meta.url)) {
  const options = counts({ samples: 50 });
  print(await withPrograms((programs) => measureJudge(programs, options)));
}
