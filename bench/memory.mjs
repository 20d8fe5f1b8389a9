/**
 * Resident memory of an idle host, in MB of 10^6 bytes: a server process that has opened a direct tunnel, first alone and
 * then with one guest who does nothing. Read some seconds after the last call, without forcing a collection. The
 * baselines are a Node process that does nothing, and the bare SDK echo server after one call. (A cloudflared tunnel
 * adds a process of its own, which is not counted here.)
 *
 *   node bench/memory.mjs [--samples 5]
 */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import {
  connect,
  counts,
  isMain,
  pair,
  print,
  sleep,
  start,
  stop,
  summary,
  withPrograms,
} from "./support.mjs";

const TARGET_MB = 70;
const SETTLE_MS = 4_000;

export async function measureMemory(programs, { samples }) {
  if (process.platform === "win32") return { unit: "MB", skipped: "no way to read it on Windows" };
  const found = { alone: [], withGuest: [], node: [], sdk: [] };
  for (let round = 0; round < samples; round += 1) {
    const [alone, withGuest, node, sdk] = await Promise.all([
      hostAlone(programs),
      hostWithGuest(programs),
      bareNode(),
      bareSdk(programs),
    ]);
    found.alone.push(alone);
    found.withGuest.push(withGuest);
    found.node.push(node);
    found.sdk.push(sdk);
  }
  const measured = summary(found.withGuest);
  return {
    unit: "MB",
    measured: { what: "host with one guest", ...measured },
    alone: summary(found.alone),
    baseline: { what: "node that does nothing", ...summary(found.node) },
    bareSdk: summary(found.sdk),
    target: TARGET_MB,
    met: measured.median <= TARGET_MB,
  };
}

async function hostAlone({ server }) {
  const host = await connect(server);
  try {
    await host.call("tunnel_open", { goal: "measure" });
    return await settled(host.pid);
  } finally {
    await host.close();
  }
}

async function hostWithGuest({ server }) {
  const { host, guest } = await pair(server);
  try {
    return await settled(host.pid);
  } finally {
    await guest.close();
    await host.close();
  }
}

async function bareSdk({ echo }) {
  const server = await connect(echo);
  try {
    await server.call("echo", { text: "measure" });
    return await settled(server.pid);
  } finally {
    await server.close();
  }
}

async function bareNode() {
  const child = start(["-e", "process.stdin.resume()"]);
  try {
    return await settled(child.pid);
  } finally {
    await stop(child);
  }
}

async function settled(pid) {
  await sleep(SETTLE_MS);
  return ((await residentKiB(pid)) * 1024) / 1e6;
}

async function residentKiB(pid) {
  if (process.platform !== "linux") {
    return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" }));
  }
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

if (isMain(import.meta.url)) {
  const options = counts({ samples: 5 });
  print(await withPrograms((programs) => measureMemory(programs, options)));
}
