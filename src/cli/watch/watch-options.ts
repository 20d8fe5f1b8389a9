import type { Clock } from "../../runtime/clock.ts";
import type { TerminalInput } from "../chat/terminal/keyboard.ts";
import type { TerminalOutput } from "../chat/terminal/screen.ts";
import type { Environment } from "../io/environment.ts";
import type { KeptLook } from "../../watch/protocol.ts";
import type { Output } from "../io/output.ts";

export interface WatchOptions {
  readonly folders: readonly string[];
  readonly platform: string;
  readonly clock: Clock;
  readonly env: Environment;
  readonly version: string;
  readonly kept?: KeptLook;
  readonly output: Output;
  /** Streams every event as a line of JSON, and takes no decisions. */
  readonly isJson: boolean;
  readonly input: TerminalInput;
  readonly terminal: TerminalOutput;
  /** A terminal on both sides. */
  readonly isInteractive: boolean;
  readonly onShutdown: (hook: () => Promise<void>) => void;
}
