import type { Clock } from "../runtime/clock.ts";
import { TunnelError } from "../errors/tunnel-error.ts";

/** The longest teardown; after it the process ends all the same. */
const BACKSTOP_MS = 5_000;
/** Between two looks at the parent process. */
const PARENT_POLL_MS = 3_000;

/** Teardown. `code`: the exit code, which tells the cause where that is a signal. */
export type ShutdownHook = (code: number) => Promise<void>;

interface LifecycleOptions {
  readonly clock: Clock;
  /** Ends the process now; does not return in the real program. */
  readonly exit: (code: number) => void;
  /** One line for the operator, without secrets. */
  readonly log: (line: string) => void;
}

/** The end of the process. Runs every hook once, however many causes arrive, and never hangs. */
interface Lifecycle {
  /** Registers teardown. Hooks run one after the other, the last registered first. */
  readonly onShutdown: (hook: ShutdownHook) => void;
  /** Runs the hooks, then exits. The first caller's exit code wins; a failed or late teardown makes it 1. */
  readonly shutdown: (code: number) => Promise<void>;
}

export function createLifecycle({ clock, exit, log }: LifecycleOptions): Lifecycle {
  const hooks: ShutdownHook[] = [];
  let ending: Promise<void> | undefined;

  async function end(code: number): Promise<void> {
    const cancelBackstop = clock.after(BACKSTOP_MS, () => {
      log(`teardown took longer than ${BACKSTOP_MS / 1000} s; exiting without it`);
      exit(1);
    });
    let exitCode = code;
    for (const hook of hooks.toReversed()) {
      try {
        await hook(code);
      } catch (error) {
        log(`teardown failed: ${describeSafely(error)}`);
        exitCode = 1;
      }
    }
    cancelBackstop();
    exit(exitCode);
  }

  return {
    onShutdown: (hook) => void hooks.push(hook),
    shutdown: (code) => (ending ??= end(code)),
  };
}

/** The parts of `process` that end a program. */
interface ProcessEvents {
  readonly ppid: number;
  on(event: string, listener: (cause: unknown) => void): unknown;
}

// SIGBREAK is Ctrl-Break on Windows, where SIGHUP stands for the console being closed and SIGTERM never arrives.
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1, SIGBREAK: 21 } as const;

/**
 * Turns signals and stray errors into one shutdown. A server that is told to stop has done its job, so its code is 0;
 * an interrupted command reports the signal the way shells do (128 + number).
 */
export function endOnSignals(
  events: ProcessEvents,
  lifecycle: Lifecycle,
  { isServer, exit, log }: { isServer: boolean; exit: (code: number) => void; log: (line: string) => void },
): void {
  let signalled = false;
  for (const [signal, number] of Object.entries(SIGNALS)) {
    const code = isServer ? 0 : 128 + number;
    events.on(signal, () => {
      if (signalled) return exit(code); // a second signal: the user does not want to wait for the teardown
      signalled = true;
      void lifecycle.shutdown(code);
    });
  }
  // One failed background promise must not end a conversation that others rely on.
  events.on("unhandledRejection", (cause) => log(`unhandled rejection: ${describeSafely(cause)}`));
  // After an uncaught exception the state of the process is unknown, so it ends.
  events.on("uncaughtException", (cause) => {
    log(`uncaught exception: ${describeSafely(cause)}`);
    void lifecycle.shutdown(1);
  });
}

/**
 * Ends a server whose parent has died while another process holds stdin open. Windows keeps reporting the old parent, so
 * that there `isRunning` must tell; without it the end of stdin is the only sign.
 */
export function endWithParent(
  events: ProcessEvents,
  lifecycle: Lifecycle,
  clock: Clock,
  isRunning: (pid: number) => boolean = () => true,
): void {
  const parent = events.ppid;
  const poll = (): void => {
    clock.after(PARENT_POLL_MS, () => {
      if (events.ppid === parent && isRunning(parent)) poll();
      else void lifecycle.shutdown(0);
    });
  };
  poll();
}

/**
 * A thrown value as one block for a log. The message of a foreign error may quote a link or a peer's words, so it shows
 * only the name, the code and the stack.
 */
export function describeSafely(thrown: unknown): string {
  if (thrown instanceof TunnelError && thrown.cause === undefined) return `${thrown.code}: ${thrown.message}`;
  const inner = thrown instanceof TunnelError ? thrown.cause : thrown;
  const prefix = thrown instanceof TunnelError ? `${thrown.code}, caused by ` : "";
  if (!(inner instanceof Error)) return `${prefix}a thrown ${typeof inner}`;
  const code = "code" in inner && typeof inner.code === "string" ? ` ${inner.code}` : "";
  const frames = (inner.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return [`${prefix}${inner.name}${code}`, ...frames].join("\n");
}
