/** What the benchmarks share: statistics, one private copy of the programs to measure, and clients to drive them. */
import { execFileSync, fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cp, readFile } from "node:fs/promises";
import { arch, cpus, loadavg, platform, release, tmpdir, totalmem } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Loopback only, and nothing of the user's own settings. */
export const SERVER_ENV = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TUNNEL_"))),
  TUNNEL_TRANSPORT: "direct",
  TUNNEL_NAME: "bench",
  // What is measured says more in a minute than agents say in a day.
  TUNNEL_BUDGETS: "off",
  // bench/restarts.mjs measures what keeping costs.
  TUNNEL_KEEP_MINUTES: "0",
};

/** By the name under which a benchmark finds it: its source in this folder. */
const PROGRAMS = {
  echo: "echo-server",
  wsEcho: "ws-echo",
  session: "session-side",
  raw: "raw-side",
  bareBurst: "bare-burst",
  bareDoor: "bare-door",
  strangers: "strangers-side",
  files: "files-side",
  folders: "folders-side",
  hostile: "hostile-side",
  filter: "filter-side",
  judge: "judge-side",
  gateway: "gateway-side",
  services: "services-side",
  relay: "relay-side",
  cluster: "cluster-side",
  bridge: "bridge-side",
  page: "page-side",
};

/**
 * Builds the program, and the baselines in the same way, and hands over copies in a folder of their own: another build
 * in the middle of a run must not change what is measured. Everything is gone when `work` has settled.
 */
export async function withPrograms(work) {
  buildProgram();
  return await withFolder(tmpdir(), async (folder) => {
    const server = path.join(folder, "tunnel-mcp.cjs");
    await cp(path.join(root, "dist"), folder, { recursive: true });
    const scanning = path.join(folder, "scanning.cjs");
    const bundled = async ([name, source]) => [
      name,
      await bundle(`${source}.mjs`, path.join(folder, `${source}.cjs`)),
    ];
    const programs = Object.fromEntries(await Promise.all(Object.entries(PROGRAMS).map(bundled)));
    return await work({ ...programs, server, scanning });
  });
}

function buildProgram(...options) {
  const script = path.join(root, "scripts", "build.mjs");
  execFileSync(process.execPath, [script, "--quiet", ...options], { stdio: "inherit" });
}

/** The program once more, without its outbound filter. There is no setting for that, so it is left out of the build. */
export async function withoutFilter(work) {
  return await withFolder(tmpdir(), async (folder) => {
    const instead = "src/oversight/filter/filter.ts=bench/no-filter.mjs";
    buildProgram("--into", folder, "--instead", instead);
    return await work(path.join(folder, "tunnel-mcp.cjs"));
  });
}

/** A new folder in `parent`, gone when `work` has settled, or when the benchmark is stopped with Ctrl-C. */
export async function withFolder(parent, work) {
  const folder = mkdtempSync(path.join(parent, "tunnel-mcp-bench-"));
  // A process that is about to notice the end may still write here.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  const stopped = () => process.exit(130);
  process.once("exit", remove).once("SIGINT", stopped).once("SIGTERM", stopped);
  try {
    return await work(folder);
  } finally {
    process.off("exit", remove).off("SIGINT", stopped).off("SIGTERM", stopped);
    remove();
  }
}

async function bundle(source, outfile) {
  await build({
    entryPoints: [path.join(root, "bench", source)],
    outfile,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    minify: process.env.BENCH_CPU_PROF === undefined,
    external: ["bufferutil", "utf-8-validate", "./sessions.cjs"],
    // As the program itself is built: `import.meta.url` does not exist in CommonJS.
    banner: { js: 'const __ownUrl = require("node:url").pathToFileURL(__filename).href;' },
    define: { "import.meta.url": "__ownUrl" },
    logLevel: "error",
  });
  return outfile;
}

/** An MCP client of the SDK on a server process of its own, in the folder `cwd`. */
export async function connect(program, { cwd, name = "bench", env = {} } = {}) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [...profiling(), program],
    env: { ...SERVER_ENV, TUNNEL_NAME: name, ...env },
    cwd,
  });
  const client = new Client({ name: "tunnel-mcp-bench", version: "0" });
  await client.connect(transport);
  return {
    pid: transport.pid,
    async call(tool, args, options) {
      const result = await client.callTool({ name: tool, arguments: args }, options);
      if (result.isError === true) throw new Error(`${tool} failed: ${JSON.stringify(result.content)}`);
      return result.structuredContent;
    },
    tools: () => client.listTools(),
    close: () => client.close(),
  };
}

/**
 * An MCP client of a few lines on a server process of its own: where thousands of calls are written at once, the one of the SDK
 * would be half of what is measured.
 */
export function lineClient(program) {
  const child = start([...profiling(), program]);
  const waiting = new Map();
  let [last, rest] = [0, ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const { id, result, error } = JSON.parse(line);
      waiting.get(id)?.({ result, error });
      waiting.delete(id);
    }
  });
  const write = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  async function request(method, params) {
    last += 1;
    const id = last;
    const answer = new Promise((resolve) => waiting.set(id, resolve));
    write({ id, method, params });
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }
  return {
    pid: child.pid,
    async initialize() {
      const clientInfo = { name: "tunnel-mcp-bench", version: "0" };
      await request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
      write({ method: "notifications/initialized" });
    },
    async call(name, args = {}) {
      const { isError, content, structuredContent } = await request("tools/call", { name, arguments: args });
      if (isError === true) throw new Error(`${name} failed: ${JSON.stringify(content)}`);
      return structuredContent;
    },
    async close() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.stdin.end();
      await gone;
    },
  };
}

/** Processor time of a process so far, in ms. */
export function processorMs(pid) {
  if (platform() !== "linux") return Number.NaN;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** A host with an open tunnel and one guest in it. */
export async function pair(server) {
  const host = await connect(server);
  const guest = await connect(server);
  const { joinLink } = await host.call("tunnel_open", { goal: "measure" });
  await guest.call("tunnel_join", { joinLink });
  return { host, guest, joinLink };
}

/** A process of `session-side`, `raw-side` or another program that is driven by commands. */
export function side(program) {
  const child = fork(program, { env: SERVER_ENV, execArgv: profiling() });
  const waiting = new Map();
  let last = 0;
  child.on("message", ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`${path.basename(program)}: ${error}`));
  });
  child.on("exit", (code) => {
    for (const { reject } of waiting.values())
      reject(new Error(`${path.basename(program)} ended with ${code}`));
  });
  return {
    pid: child.pid,
    call(name, args = {}) {
      last += 1;
      const id = last;
      const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
      child.send({ id, name, args });
      return answer;
    },
    close: () => end(child),
  };
}

/** `BENCH_CPU_PROF=folder` writes a processor profile of every such process there. */
function profiling() {
  const folder = process.env.BENCH_CPU_PROF;
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  if (child.connected) child.disconnect();
  await gone;
}

/** Runs `work` with processes of `programs`, all gone when it has settled. */
export async function withSides(programs, work) {
  const sides = programs.map(side);
  try {
    return await work(...sides);
  } finally {
    await Promise.all(sides.map((one) => one.close()));
  }
}

/** The clock of side.mjs. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

export function start(args, env = SERVER_ENV) {
  return spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], env });
}

/** Ends a process and resolves when it is gone. */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return {
    median: rounded(at(0.5)),
    min: rounded(sorted[0]),
    p90: rounded(at(0.9)),
    p95: rounded(at(0.95)),
    samples: sorted.length,
  };
}

export function rounded(value) {
  return Math.round(value * 100) / 100;
}

export const sleep = (ms) => new Promise((resolve) => void setTimeout(resolve, ms));

export async function machine() {
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    /** What else was running: processes that wanted a core during the last minute, ours included. */
    load: rounded(loadavg()[0]),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    program: version,
    date: new Date().toISOString(),
  };
}

/** Counts from the command line, e.g. `--samples 11`, and `texts`; anything else is refused. */
export function counts(defaults, texts = {}) {
  const options = Object.fromEntries(
    Object.keys({ ...defaults, ...texts }).map((name) => [name, { type: "string" }]),
  );
  const { values } = parseArgs({ options });
  const read = Object.entries(defaults).map(([name, fallback]) => {
    const count = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isInteger(count) || count < 1) throw new Error(`--${name} must be a whole number from 1`);
    return [name, count];
  });
  const kept = Object.entries(texts).map(([name, fallback]) => [name, values[name] ?? fallback]);
  return Object.fromEntries([...read, ...kept]);
}

/** Whether a module is what Node was started with. */
export function isMain(url) {
  return process.argv[1] === fileURLToPath(url);
}

export function print(result) {
  console.log(JSON.stringify(result, null, 2));
}
