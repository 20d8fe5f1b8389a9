import { spawn, type ChildProcess } from "node:child_process";
import { win32 } from "node:path";
import { must } from "../errors/must.ts";
import type { Clock } from "../runtime/clock.ts";
import type { OutputReader } from "./lines.ts";

/** How a child ended: `code` when it exited, `signal` when it was killed, `failure` when it never started. */
export interface Exit {
  readonly code?: number;
  readonly signal?: string;
  readonly failure?: Error;
}

/** An exit in words, for the detail of an error. */
export function exitDetail({ code, signal }: Exit): string {
  return code === undefined ? `ended by ${signal ?? "a signal"}` : `exit code ${code}`;
}

export interface Child {
  readonly pid: number | undefined;
  readonly exited: Promise<Exit>;
  /** Undefined while it runs. */
  exit(): Exit | undefined;
  /** Ends it, by force if need be; resolves when it is gone. Idempotent. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly stderr: OutputReader;
  /** Undefined: its standard output is thrown away. */
  readonly stdout?: OutputReader;
  /** Whether its own children are ended with it: for a program that may only be a wrapper of another. */
  readonly withDescendants?: boolean;
}

/** Time that a child has to follow SIGTERM. A provider sets a grace period of its program below it. */
const STOP_GRACE_MS = 2_000;
/** How long its output may stay open after it has ended. */
const LAST_WORDS_MS = 500;

/** Starts a program without a shell, without a window, and without letting it outlive this process's orderly end. */
export function startChild(options: ChildOptions): Child {
  const { file, args, env, cwd, clock, stderr, stdout, withDescendants = false } = options;
  const child = spawn(file, args, {
    env,
    cwd,
    stdio: ["ignore", stdout === undefined ? "ignore" : "pipe", "pipe"],
    shell: false,
    windowsHide: true,
    // A process group of its own on POSIX. On Windows that would be a console window.
    detached: withDescendants && process.platform !== "win32",
  });
  const end = withDescendants ? endGroup(child, env) : (signal: NodeJS.Signals) => void child.kill(signal);
  const outputs = [
    { stream: child.stderr, reader: stderr },
    { stream: child.stdout, reader: stdout },
  ];
  for (const { stream, reader } of outputs) {
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => reader?.read(chunk));
  }

  // The last resort when the process ends without stop(): only synchronous work is possible there.
  const killAtExit = (): void => end("SIGKILL");
  process.once("exit", killAtExit);

  let exit: Exit | undefined;
  let cancelLastWords = (): void => undefined;
  const exited = new Promise<Exit>((resolve) => {
    const settle = (how: Exit): void => {
      if (exit !== undefined) return;
      exit = how;
      cancelLastWords();
      process.removeListener("exit", killAtExit);
      for (const { reader } of outputs) reader?.end();
      resolve(how);
    };
    // "close" and not "exit": by then all that it wrote has been read.
    child.once("close", (code, signal) =>
      settle(code === null ? { signal: must(signal, "the signal that ended a program") } : { code }),
    );
    child.once("exit", () => {
      // A wrapper does not leave behind the processes that it has started.
      if (withDescendants) end("SIGKILL");
      // Nor may it hold stop() up by keeping the pipes open.
      cancelLastWords = clock.after(LAST_WORDS_MS, () => outputs.forEach(({ stream }) => stream?.destroy()));
    });
    child.once("error", (failure) => {
      if (child.pid === undefined) settle({ failure });
    });
  });

  return {
    pid: child.pid,
    exited,
    exit: () => exit,
    async stop() {
      if (exit !== undefined) return;
      // On Windows every signal ends the process at once.
      end("SIGTERM");
      const cancel = clock.after(STOP_GRACE_MS, () => end("SIGKILL"));
      await exited;
      cancel();
    },
  };
}

/** Ends a process with all that it has started: by its group, or on Windows by its tree. Never throws. */
function endGroup({ pid }: ChildProcess, env: ChildOptions["env"]): (signal: NodeJS.Signals) => void {
  if (pid === undefined) return () => undefined;
  if (process.platform !== "win32") {
    return (signal) => {
      try {
        process.kill(-pid, signal);
      } catch (error) {
        // Nobody of the group is left, or none that may be ended.
        if (!(error instanceof Error)) throw error;
      }
    };
  }
  const taskkill = win32.join(env["SystemRoot"] ?? String.raw`C:\Windows`, "System32", "taskkill.exe");
  return () => {
    const killer = spawn(taskkill, ["/pid", String(pid), "/t", "/f"], { stdio: "ignore", windowsHide: true });
    killer.once("error", () => undefined);
  };
}
