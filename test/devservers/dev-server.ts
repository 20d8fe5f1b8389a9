import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { LocalServers } from "../support/local-servers.ts";

const CACHE = path.join(tmpdir(), "tunnel-mcp-devservers");
const START_MS = 90_000;

/** A project of a framework, with the framework from npm in it. */
export interface Project {
  readonly folder: string;
  /** Writes a file of the project, as an editor does. */
  write(name: string, text: string): void;
}

/**
 * Installs packages without their scripts, into a folder that the next run finds again, and makes a project of it.
 * @param packages with their exact versions
 * @param leavings what an earlier run may have left there
 */
export function project(
  name: string,
  packages: readonly string[],
  files: Readonly<Record<string, string>>,
  leavings: readonly string[] = [],
): Project {
  const folder = path.join(CACHE, name);
  const stamp = path.join(folder, "installed.txt");
  const wanted = packages.join("\n");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
    const [command, ...args] = npmCommand();
    const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--loglevel=error"];
    const { status, stderr } = spawnSync(
      command,
      [...args, "install", "--prefix", folder, ...quiet, ...packages],
      {
        encoding: "utf8",
        timeout: 240_000,
      },
    );
    if (status !== 0) throw new Error(`npm cannot install ${name}: ${stderr}`);
    writeFileSync(stamp, wanted);
  }
  for (const left of leavings) rmSync(path.join(folder, left), { recursive: true, force: true });
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  for (const [file, text] of Object.entries(files)) write(file, text);
  return { folder, write };
}

/** On Windows `npm` is a batch file, which only a shell could run, so its script is run instead. */
function npmCommand(): [string, ...string[]] {
  if (process.platform !== "win32") return ["npm"];
  const script = path.join(path.dirname(process.execPath), "node_modules", "npm", "bin", "npm-cli.js");
  return [process.execPath, script];
}

/** A program that listens, with all that it has started. */
export interface Running {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a script with Node, and waits until it listens. `{port}` in its arguments is a free one. */
export async function start(folder: string, script: string, args: readonly string[] = []): Promise<Running> {
  const port = await new LocalServers().freePort();
  const filled = args.map((arg) => arg.replace("{port}", String(port)));
  const { NODE_ENV: _, VITEST: __, ...env } = process.env;
  const child = spawn(process.execPath, [path.join(folder, script), ...filled], {
    cwd: folder,
    env: { ...env, PORT: String(port), NEXT_TELEMETRY_DISABLED: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that all of it can be ended.
    detached: process.platform !== "win32",
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  const giveUpAt = Date.now() + START_MS;
  while (!(await listens(port))) {
    if (child.exitCode !== null || Date.now() > giveUpAt) {
      await stop(child);
      throw new Error(`${script} does not listen: ${said.slice(-2_000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { port, stop: () => stop(child) };
}

/** On either family: many listen on what `localhost` means first. */
async function listens(port: number): Promise<boolean> {
  const tries = ["127.0.0.1", "::1"].map(
    (host) =>
      new Promise<boolean>((resolve) => {
        const socket = connect({ port, host });
        socket.once("connect", () => resolve(true));
        socket.once("error", () => resolve(false));
        socket.once("connect", () => socket.destroy());
      }),
  );
  return (await Promise.all(tries)).includes(true);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  if (process.platform === "win32") spawnSync("taskkill", ["/T", "/F", "/PID", String(child.pid)]);
  else process.kill(-child.pid, "SIGKILL");
  await ended;
}
