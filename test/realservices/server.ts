import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { LocalServers } from "../support/local-servers.ts";
import { until } from "../support/processes.ts";

/** The user under whom a server runs: not root, where that can be chosen. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

function idOf(user: string, flag: "-u" | "-g"): number {
  return Number(spawnSync("id", [flag, user], { encoding: "utf8" }).stdout);
}

/** `undefined` for whoever runs the tests. */
export function unprivileged(user: string): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return { uid: idOf(user, "-u"), gid: idOf(user, "-g") };
}

const cleanups: (() => unknown)[] = [];

/** For `afterAll`: nothing runs, and nothing is left on the disk. */
export async function stopServers(): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}

/** A new folder of this user. */
export function folderOf(user?: User): string {
  const folder = mkdtempSync(path.join(tmpdir(), "tunnel-real-"));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a server in the foreground, and waits until it takes connections. @param argsFor its arguments with a free port */
export async function serve(
  file: string,
  argsFor: (port: number) => readonly string[],
  options: SpawnOptions = {},
): Promise<number> {
  const port = await new LocalServers().freePort();
  const child: ChildProcess = spawn(file, argsFor(port), { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
  const exited = once(child, "exit");
  cleanups.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
    await exited;
  });
  await until(
    `${path.basename(file)} listens`,
    async () => {
      if (child.exitCode !== null) throw new Error(`${file} has ended: ${said.slice(-1_000)}`);
      return listens(port);
    },
    30_000,
  );
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a client to its end. The tunnel runs in this process, so nothing here may block it. */
export async function run(
  file: string,
  args: readonly string[],
  { input, env }: { readonly input?: string | Buffer; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  const chunks: { readonly out: Buffer[]; readonly err: Buffer[] } = { out: [], err: [] };
  child.stdout.on("data", (chunk: Buffer) => chunks.out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.err.push(chunk));
  child.stdin.on("error", () => undefined).end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: String(Buffer.concat(chunks.out)), err: String(Buffer.concat(chunks.err)) };
}
