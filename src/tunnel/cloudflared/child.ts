import { spawn } from "node:child_process";
import type { Clock } from "../../runtime/clock.ts";
import { LineSplitter } from "./log.ts";

/** How a child ended: `code` when it exited, `signal` when it was killed, `failure` when it never started. */
export interface Exit {
  readonly code?: number;
  readonly signal?: string;
  readonly failure?: Error;
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
  /** Every line of its standard error. */
  readonly onLine: (line: string) => void;
}

/** How long a child may take to follow SIGTERM. cloudflared's own grace period is set to half of it. */
const STOP_GRACE_MS = 2_000;
/** How long its output may stay open after it has ended. */
const LAST_WORDS_MS = 500;

/** Starts a program without a shell, without a window, and without letting it outlive this process's orderly end. */
export function startChild({ file, args, env, cwd, clock, onLine }: ChildOptions): Child {
  const child = spawn(file, args, {
    env,
    cwd,
    stdio: ["ignore", "ignore", "pipe"],
    shell: false,
    windowsHide: true,
  });
  const splitter = new LineSplitter();
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (chunk: string) => splitter.push(chunk).forEach(onLine));

  // The last resort when the process ends without stop(): only synchronous work is possible there.
  const killAtExit = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", killAtExit);

  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    const settle = (how: Exit): void => {
      if (exit !== undefined) return;
      exit = how;
      process.removeListener("exit", killAtExit);
      onLine(splitter.flush());
      resolve(how);
    };
    // "close" and not "exit": by then all that it wrote has been read.
    child.once("close", (code, signal) => settle(code === null ? { signal: signal ?? "unknown" } : { code }));
    // A wrapper script may leave a child of its own that keeps the pipe open: that must not hold stop() up.
    child.once("exit", () => clock.after(LAST_WORDS_MS, () => child.stderr.destroy()));
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
      child.kill("SIGTERM");
      const cancel = clock.after(STOP_GRACE_MS, () => child.kill("SIGKILL"));
      await exited;
      cancel();
    },
  };
}
