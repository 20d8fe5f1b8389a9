/**
 * Resident memory of an idle host, in MB of 10^6 bytes: a server process that has opened a direct tunnel, first alone and
 * then with one guest who does nothing. Read some seconds after the last call, without forcing a collection. The
 * floors, read in the same round: a Node process that does nothing, a bare `ws` server with one client, and the bare SDK echo
 * server after one call. (A cloudflared tunnel adds a process of its own, which is not counted here.)
 *
 * Not a ratio, so no pairs: repeated samples, whose median has the interval of pairs.mjs, and the most that was seen.
 *
 *   node bench/memory.mjs [--samples 12]
 */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { WebSocket } from "ws";
import { interval, isAtMost, spread } from "./pairs.mjs";
import { connect, counts, isMain, pair, print, sleep, start, stop, withPrograms } from "./support.mjs";

const TARGET_MB = 68;
const SETTLE_MS = 4_000;

export async function measureMemory(programs, { samples }) {
  if (process.platform === "win32") return { unit: "MB", skipped: "no way to read it on Windows" };
  const found = { alone: [], withGuest: [], node: [], ws: [], sdk: [] };
  for (let round = 0; round < samples; round += 1) {
    const [alone, withGuest, node, ws, sdk] = await Promise.all([
      hostAlone(programs),
      hostWithGuest(programs),
      bareNode(),
      bareWs(programs),
      bareSdk(programs),
    ]);
    for (const [name, megabytes] of Object.entries({ alone, withGuest, node, ws, sdk }))
      found[name].push(megabytes);
  }
  const medianOf = interval(found.withGuest);
  return {
    unit: "MB",
    measured: { what: "host with one guest", ...spread(found.withGuest) },
    interval: medianOf,
    alone: spread(found.alone),
    baseline: { what: "bare ws server with one client", ...spread(found.ws) },
    bareNode: spread(found.node),
    bareSdk: spread(found.sdk),
    target: TARGET_MB,
    met: isAtMost(medianOf, TARGET_MB),
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

async function bareWs({ wsEcho }) {
  const child = start([wsEcho]);
  try {
    const port = await new Promise((resolve) => child.stdout.once("data", (chunk) => resolve(Number(chunk))));
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const megabytes = await settled(child.pid);
    socket.terminate();
    return megabytes;
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
  const options = counts({ samples: 12 });
  print(await withPrograms((programs) => measureMemory(programs, options)));
}
