import type { Environment } from "../cli/io/environment.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ShutdownHook } from "./lifecycle.ts";
import type { OutputLoss } from "./output-loss.ts";

/** The outside world of a command. */
export interface Host {
  readonly args: readonly string[];
  readonly env: Environment;
  readonly version: string;
  readonly clock: Clock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Widths of the terminals that show them, or undefined where none does; 0 where it is unknown. */
  readonly columns: Readonly<Record<"out" | "err", () => number | undefined>>;
  readonly stdinIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** The user's home folder. */
  readonly home: string;
  /** The working directory. */
  readonly cwd: string;
  /** Absolute path of the running bundle; the other files of the package are found from here. */
  readonly bundle: string;
  /** Resolves when standard output can take no more, and then everything written to it is lost. */
  readonly outputLost: Promise<OutputLoss>;
  readonly onShutdown: (hook: ShutdownHook) => void;
  /** Ends the process at once, without teardown. */
  readonly exitNow: (code: number) => void;
}
