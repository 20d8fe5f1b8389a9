import { spawn, type ChildProcess } from "node:child_process";
import type { Child, ChildOptions } from "./child.ts";
import { startDirect, type DirectChild } from "./direct-child.ts";
import { plainEnvironment, systemProgram, type Variables } from "./environment.ts";
import { removeRecord, writeRecord } from "./records.ts";

/**
 * The guard on Windows: the command interpreter with a fixed line. It waits for a line on its standard input, to which nobody
 * writes; when the server has gone, however it was ended, the wait is over, and the child is ended with all that it has started.
 * The number is digits that Node gave us, and stands in a variable.
 */
export const WATCH_LINE = `set /p tunnel_gone= & "%SystemRoot%\\System32\\taskkill.exe" /pid %tunnel_child% /t /f`;

type Spawn = (
  file: string,
  args: readonly string[],
  options: {
    readonly env: Record<string, string>;
    readonly stdio: ["pipe", "ignore", "ignore"];
    readonly windowsHide: boolean;
    readonly windowsVerbatimArguments: boolean;
  },
) => ChildProcess;

/** One that was ended itself is replaced as often: a machine on which it cannot run goes without. */
const MAX_WATCHERS = 3;

/**
 * Watches a child on behalf of this process until the returned function is called. On Windows the server stays the parent of
 * its child: a guard between them would be a second Node (45 MB), and no program of the system hands a status on.
 */
export function watchFor(pid: number, env: Variables, start: Spawn = spawn): () => void {
  let watcher: ChildProcess | undefined;
  let isOver = false;
  let left = MAX_WATCHERS;
  const watch = (): void => {
    if (isOver || left === 0) return;
    left -= 1;
    const one = start(systemProgram(env, "cmd.exe"), ["/d", "/v:off", "/s", "/c", `"${WATCH_LINE}"`], {
      env: { ...plainEnvironment(env, "win32"), tunnel_child: String(pid) },
      stdio: ["pipe", "ignore", "ignore"],
      windowsHide: true,
      windowsVerbatimArguments: true,
    });
    watcher = one;
    one.stdin?.on("error", () => undefined);
    one.once("error", () => undefined);
    one.once("exit", watch);
  };
  watch();
  return () => {
    isOver = true;
    // Before its input is closed, which is what it waits for.
    watcher?.kill("SIGKILL");
  };
}

/** A child of this process with a watcher beside it and a record for the next start. */
export function startWatched(options: ChildOptions): Child {
  const startedAt = Date.now();
  const child = startDirect(options);
  const { pid } = child;
  if (pid === undefined) return child;
  const stopWatching = watchFor(pid, options.env);
  const recorded = record(child, startedAt, options);
  void forgetAtEnd(child, recorded, stopWatching);
  return child;
}

async function forgetAtEnd(
  child: Child,
  recorded: Promise<string | undefined>,
  stopWatching: () => void,
): Promise<void> {
  await child.exited;
  stopWatching();
  const file = await recorded;
  if (file !== undefined) removeRecord(file);
}

/** The starts by our own clock: asking the system for them takes Windows half a second. */
function record(
  { pid = 0 }: DirectChild,
  startedAt: number,
  { recordFolders }: ChildOptions,
): Promise<string | undefined> {
  const server = { pid: process.pid, start: String(Math.round(performance.timeOrigin)) };
  const child = { pid, start: String(startedAt) };
  return writeRecord(recordFolders, { world: "", server, child }, "win32");
}
