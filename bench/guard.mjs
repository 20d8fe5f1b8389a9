/**
 * The guard of a child program: what it costs in memory while all is well, and how long a silent child outlives a server that
 * is killed. A server opens a tunnel by a command that prints an address and stays; its own memory and that of a Node process
 * which does nothing stand beside it, as what a guard in Node would cost. Linux only, which tells shared pages from private ones.
 *
 *   node bench/guard.mjs [--samples 10]
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import {
  counts,
  isMain,
  now,
  print,
  SERVER_ENV,
  sleep,
  start,
  stop,
  summary,
  withPrograms,
} from "./support.mjs";

const COMMAND = ["/bin/sh", "-c", "echo https://a.example; exec sleep 600"];
const SETTLE_MS = 500;

export async function measureGuard({ server }, { samples }) {
  if (process.platform !== "linux") return { skipped: "shared memory is told apart on Linux only" };
  const found = { resident: [], shared: [], killedMs: [], node: [] };
  for (let round = 0; round < samples; round += 1) {
    const host = await open(server);
    const idle = start(["-e", "setInterval(() => {}, 1e6)"]);
    await sleep(SETTLE_MS);
    const { guards, child } = family(host.pid);
    found.resident.push(sum(guards, "Rss"));
    found.shared.push(sum(guards, "Pss"));
    found.node.push(sum([idle.pid], "Rss"));
    await stop(idle);
    const killed = now();
    process.kill(host.pid, "SIGKILL");
    while (isRunning(child)) await sleep(1);
    found.killedMs.push(now() - killed);
    await host.close();
  }
  const [resident, shared, killedMs, node] = Object.values(found).map(summary);
  return {
    resident: { unit: "KB", ...resident },
    sharedDivided: { unit: "KB", ...shared },
    fromKillToEnd: { unit: "ms", ...killedMs },
    baseline: { what: "an idle Node process, resident", unit: "KB", ...node },
  };
}

async function open(program) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [program],
    env: {
      ...SERVER_ENV,
      TUNNEL_TRANSPORT: "exec",
      TUNNEL_COMMAND: JSON.stringify(COMMAND),
      TUNNEL_SKIP_REACHABILITY_CHECK: "1",
    },
  });
  const client = new Client({ name: "tunnel-mcp-bench", version: "0" });
  await client.connect(transport);
  await client.callTool({ name: "tunnel_open", arguments: { goal: "measure" } });
  return { pid: transport.pid, close: () => client.close() };
}

/** The child and the processes of its guard, by who is whose parent. */
function family(server) {
  const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, name]) => ({ pid: Number(pid), parent: Number(parent), name }));
  const guard = rows.find(({ parent, name }) => parent === server && name !== "ps").pid;
  const inner = rows.filter(({ parent }) => parent === guard);
  const child = inner.find(({ name }) => name === "sleep").pid;
  return { child, guards: [guard, ...inner.map(({ pid }) => pid).filter((pid) => pid !== child)] };
}

function sum(pids, field) {
  const line = new RegExp(`^${field}:\\s+(\\d+)`, "m");
  return pids.reduce(
    (total, pid) => total + Number(line.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]),
    0,
  );
}

/** A zombie has ended. */
function isRunning(pid) {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    return line[line.lastIndexOf(")") + 2] !== "Z";
  } catch {
    return false;
  }
}

if (isMain(import.meta.url)) {
  const { samples } = counts({ samples: 10 });
  print(await withPrograms((programs) => measureGuard(programs, { samples })));
}
