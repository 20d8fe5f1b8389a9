import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { exitDetail, type Child, type Exit } from "../../children/child.ts";
import type { HeldAddress } from "../../children/holding/care-record.ts";
import type { TakenAddress } from "../../children/holding/relieve.ts";
import { lineReader } from "../../children/lines.ts";
import { startChild } from "../../children/start.ts";
import { commandFor } from "./command.ts";
import type { BinaryEnvironment } from "./environment.ts";
import { parseLogLine, type LogEvent } from "./log.ts";

/** Told by the log of a running cloudflared so far. */
export interface RunFacts {
  readonly url: string | undefined;
  readonly metricsPort: number | undefined;
  readonly dialFailed: boolean;
  readonly fault: ErrorCode | undefined;
}

/** One process of cloudflared with its private directory. */
export interface Run {
  facts(): RunFacts;
  readonly exited: Promise<Exit>;
  exit(): Exit | undefined;
  /** Calls when the log tells of a connection to the edge that was lost or made; the returned function unsubscribes. */
  onEdgeChange(listener: () => void): () => void;
  /** Ends the process and removes its directory. Idempotent. */
  stop(): Promise<void>;
  /** How a later process finds it, without the facts; undefined where it ends with this one. */
  handover(): Omit<HeldAddress, "facts"> | undefined;
  /** Lets go of the process, which whoever holds it has from now on. */
  leave(): void;
}

export type Protocol = "auto" | "http2";

export interface RunOptions {
  readonly binary: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly environment: BinaryEnvironment;
  readonly clock: Clock;
  /** See TunnelRequest.stay. */
  readonly stay?: string | undefined;
}

/** @throws {TunnelError} temp-unusable */
function privateDirectory({ environment, stay }: RunOptions): string {
  try {
    return mkdtempSync(join(stay ?? environment.tempDirectory, "tunnel-mcp-"));
  } catch (cause) {
    throw new TunnelError("temp-unusable", { cause });
  }
}

/**
 * Starts a Quick Tunnel to a local port. It gets an empty config file, since one in the user's home could replace
 * `--url` with services of its own and a missing one makes it search; and a private working directory.
 */
export function startRun(options: RunOptions): Run {
  const { environment, clock, stay } = options;
  const directory = privateDirectory(options);
  const removeDirectory = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  // That of a stay is removed with the stay.
  if (stay === undefined) process.once("exit", removeDirectory);
  const remember = new Memory();
  let child: Child;
  try {
    const config = join(directory, "config.yml");
    writeFileSync(config, "", { mode: 0o600 });
    const { file, prefix } = commandFor(options.binary);
    child = startChild({
      file,
      args: [...prefix, ...argumentsFor(config, options)],
      env: environment.childEnv,
      recordFolders: environment.recordFolders,
      cwd: directory,
      clock,
      held: stay === undefined ? undefined : { stay, folder: directory },
      stderr: lineReader((line) => remember.note(parseLogLine(line))),
    });
  } catch (error) {
    process.removeListener("exit", removeDirectory);
    removeDirectory();
    throw error;
  }
  return runOf(child, remember, options.port, () => {
    process.removeListener("exit", removeDirectory);
    removeDirectory();
  });
}

/** A process of an earlier server that goes on. Its directory is removed with the stay. */
export function adoptRun(
  taken: TakenAddress,
  { url, metricsPort }: Pick<RunFacts, "url" | "metricsPort">,
  clock: Clock,
): Run {
  const remember = new Memory();
  remember.facts = { ...remember.facts, url, metricsPort };
  const child = taken.adopt({ clock, stderr: lineReader((line) => remember.note(parseLogLine(line))) });
  return runOf(child, remember, taken.port, () => undefined);
}

function runOf(child: Child, remember: Memory, port: number, onStopped: () => void): Run {
  return {
    facts: () => remember.facts,
    exited: child.exited,
    exit: () => child.exit(),
    onEdgeChange(listener) {
      remember.edgeListeners.add(listener);
      return () => remember.edgeListeners.delete(listener);
    },
    async stop() {
      await child.stop();
      onStopped();
    },
    handover() {
      const found = child.handover?.();
      return found === undefined ? undefined : { port, child: found };
    },
    leave: () => child.leave?.(),
  };
}

function argumentsFor(config: string, { protocol, port }: RunOptions): string[] {
  const options = {
    "--config": config,
    "--output": "json",
    "--metrics": "127.0.0.1:0",
    "--protocol": protocol,
    "--grace-period": "1s",
    // Its waits between tries after a loss: 10 s at most, 320 s by default. It goes on for ever with any number.
    "--retries": "0",
    "--url": `http://127.0.0.1:${port}`,
  };
  // Without --no-autoupdate it would replace the very file whose hash was checked.
  return ["tunnel", ...Object.entries(options).flat(), "--no-autoupdate", "--management-diagnostics=false"];
}

class Memory {
  facts: RunFacts = { url: undefined, metricsPort: undefined, dialFailed: false, fault: undefined };
  readonly edgeListeners = new Set<() => void>();

  note(event: LogEvent): void {
    switch (event.kind) {
      case "url":
        this.facts = { ...this.facts, url: this.facts.url ?? event.url };
        return;
      case "metrics":
        this.facts = { ...this.facts, metricsPort: this.facts.metricsPort ?? event.port };
        return;
      case "dial-failed":
        this.facts = { ...this.facts, dialFailed: true };
        return;
      case "fault":
        this.facts = { ...this.facts, fault: this.facts.fault ?? event.code };
        return;
      case "registered":
        this.facts = { ...this.facts, dialFailed: false };
        return this.#edgeChanged();
      case "lost":
        return this.#edgeChanged();
      case "other":
        return;
    }
  }

  #edgeChanged(): void {
    for (const listener of this.edgeListeners) listener();
  }
}

/** Why a process that should be running is not, judged by its log and its exit. */
export function exitError(exit: Exit, facts: RunFacts, wasReady: boolean): TunnelError {
  if (exit.failure !== undefined) {
    return new TunnelError("cloudflared-missing", { detail: "it could not be started", cause: exit.failure });
  }
  const detail = exitDetail(exit);
  if (facts.fault !== undefined && !wasReady) return new TunnelError(facts.fault, { detail });
  if (facts.dialFailed && !wasReady) return new TunnelError("cloudflared-blocked", { detail });
  // It prints its usage and exits 0 when it does not know a flag; a tunnel never ends by itself with 0.
  if (exit.code === 0 && !wasReady) return new TunnelError("cloudflared-config", { detail });
  return new TunnelError("cloudflared-exited", { detail });
}
