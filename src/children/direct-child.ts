import { spawn, type ChildProcess } from "node:child_process";
import { must } from "../errors/must.ts";
import { GRACE_MS, LAST_WORDS_MS, type Child, type ChildOptions, type Exit } from "./child.ts";
import { plainEnvironment, systemProgram } from "./environment.ts";
import { atExit, sendSignal } from "./signals.ts";
import { feed } from "./feed.ts";

/** A child of this very process. */
export interface DirectChild extends Child {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
}

/** Starts a program as a child of this process: without a shell, without a window, and without outliving an orderly end. */
export function startDirect(options: ChildOptions): DirectChild {
  const { file, args, env, cwd, clock, stdin, stderr, stdout, withDescendants = false } = options;
  const child = spawn(file, args, {
    env,
    cwd,
    stdio: [stdin === undefined ? "ignore" : "pipe", stdout === undefined ? "ignore" : "pipe", "pipe"],
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

  if (stdin !== undefined && child.stdin !== null) feed(stdin, child.stdin);

  const forgetExit = atExit(() => end("SIGKILL"));

  let exit: Exit | undefined;
  let cancelLastWords = (): void => undefined;
  const exited = new Promise<Exit>((resolve) => {
    const settle = (how: Exit): void => {
      if (exit !== undefined) return;
      exit = how;
      cancelLastWords();
      forgetExit();
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
      const cancel = clock.after(GRACE_MS, () => end("SIGKILL"));
      await exited;
      cancel();
    },
  };
}

/** Ends a process with all that it has started: by its group, or on Windows by its tree. Never throws. */
function endGroup({ pid }: ChildProcess, env: ChildOptions["env"]): (signal: NodeJS.Signals) => void {
  if (pid === undefined) return () => undefined;
  if (process.platform !== "win32") return (signal) => sendSignal(-pid, signal);
  return () => {
    const killer = spawn(systemProgram(env, "taskkill.exe"), ["/pid", String(pid), "/t", "/f"], {
      env: plainEnvironment(env, "win32"),
      stdio: "ignore",
      windowsHide: true,
    });
    killer.once("error", () => undefined);
  };
}
