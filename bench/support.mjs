/** What the benchmarks share: statistics, one private copy of the programs to measure, and clients to drive them. */
import { execFileSync, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { arch, cpus, platform, release, tmpdir, totalmem } from "node:os";
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
};

/**
 * Builds the program, and the baselines in the same way, and hands over copies in a folder of their own: another build
 * in the middle of a run must not change what is measured. Everything is gone when `work` has settled.
 */
export async function withPrograms(work) {
  execFileSync(process.execPath, [path.join(root, "scripts", "build.mjs"), "--quiet"], { stdio: "inherit" });
  const folder = await mkdtemp(path.join(tmpdir(), "tunnel-mcp-bench-"));
  try {
    const server = path.join(folder, "tunnel-mcp.cjs");
    await cp(path.join(root, "dist"), folder, { recursive: true });
    const echo = path.join(folder, "echo-server.cjs");
    const wsEcho = path.join(folder, "ws-echo.cjs");
    await bundle("echo-server.mjs", echo);
    await bundle("ws-echo.mjs", wsEcho);
    return await work({ server, echo, wsEcho });
  } finally {
    await rm(folder, { recursive: true, force: true });
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
    minify: true,
    external: ["bufferutil", "utf-8-validate"],
    logLevel: "error",
  });
}

/** An MCP client of the SDK on a server process of its own. */
export async function connect(program) {
  const transport = new StdioClientTransport({ command: process.execPath, args: [program], env: SERVER_ENV });
  const client = new Client({ name: "tunnel-mcp-bench", version: "0" });
  await client.connect(transport);
  return {
    pid: transport.pid,
    async call(name, args) {
      const result = await client.callTool({ name, arguments: args });
      if (result.isError === true) throw new Error(`${name} failed: ${JSON.stringify(result.content)}`);
      return result.structuredContent;
    },
    close: () => client.close(),
  };
}

/** A host with an open tunnel and one guest in it. */
export async function pair(server) {
  const host = await connect(server);
  const guest = await connect(server);
  const { joinLink } = await host.call("tunnel_open", { goal: "measure" });
  await guest.call("tunnel_join", { joinLink });
  return { host, guest };
}

export function start(args) {
  return spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], env: SERVER_ENV });
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
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    program: version,
    date: new Date().toISOString(),
  };
}

/** Counts from the command line, e.g. `--samples 11`; anything else is refused. */
export function counts(defaults) {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: "string" }]));
  const { values } = parseArgs({ options });
  const read = Object.entries(defaults).map(([name, fallback]) => {
    const count = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isInteger(count) || count < 1) throw new Error(`--${name} must be a whole number from 1`);
    return [name, count];
  });
  return Object.fromEntries(read);
}

/** Whether a module is what Node was started with. */
export function isMain(url) {
  return process.argv[1] === fileURLToPath(url);
}

export function print(result) {
  console.log(JSON.stringify(result, null, 2));
}
