import { spawn, type ChildProcess } from "node:child_process";
import { constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { Duplex, PassThrough } from "node:stream";
import { must } from "../errors/must.ts";
import { tempDirectory } from "../runtime/places.ts";
import { wait } from "../runtime/wait.ts";
import {
  GRACE_MS,
  LAST_WORDS_MS,
  type Child,
  type ChildHandover,
  type ChildOptions,
  type Exit,
} from "./child.ts";
import { startDirect } from "./direct-child.ts";
import { feed } from "./feed.ts";
import { exitOf, parseGuardLine, type GuardLine } from "./guard-report.ts";
import { GUARD_SCRIPT, SHELL, type GuardScope } from "./guard-script.ts";
import { runs, type ProcessIdentity, type ProcessTable } from "./identity.ts";
import { lineReader } from "./lines.ts";
import { removeRecord, writeRecord } from "./records.ts";
import { atExit, sendSignal } from "./signals.ts";

/** Between two looks at a child whose guard was killed. */
const LOOK_MS = 50;
/** Time for the last lines of a guard that has ended. */
const LAST_LINES_MS = 200;

/**
 * Starts a program under a guard, which ends it when this process is killed (guard-script.ts). Where the guard itself cannot
 * run (no shell, no named pipes) the program is started without one: a tunnel without a guard is better than none.
 */
export function startGuarded(options: ChildOptions, table: ProcessTable): Child {
  // Some shells would take it for an option of `exec`.
  if (options.file.startsWith("-")) return startDirect(options);
  let directory: string;
  try {
    directory = mkdtempSync(join(options.held?.folder ?? tempDirectory(), "tunnel-mcp-"));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return startDirect(options);
  }
  try {
    return new GuardedChild(options, table, directory);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

class GuardedChild implements Child {
  readonly exited: Promise<Exit>;
  readonly #options: ChildOptions;
  readonly #table: ProcessTable;
  readonly #scope: GuardScope;
  /** Holds the named pipes until both ends have opened them, and as long as a child runs that may be held. */
  readonly #directory: string;
  readonly #guard: ChildProcess;
  readonly #report: Duplex;
  readonly #forgetExit: () => void;
  #settle: (exit: Exit) => void = () => undefined;
  #exit: Exit | undefined;
  #child: ProcessIdentity | undefined;
  #handover: ChildHandover | undefined;
  #outputs: readonly Socket[] = [];
  #record: string | undefined;
  #hasBegun = false;
  #hasRemarked = false;
  #isStopping = false;
  #isGuardGone = false;
  #isOver = false;
  #reported: Exit | undefined;
  #direct: Child | undefined;
  #cancelLastWords = (): void => undefined;

  constructor(options: ChildOptions, table: ProcessTable, directory: string) {
    const { file, args, env, cwd, stdin, withDescendants = false } = options;
    this.#options = options;
    this.#table = table;
    this.#directory = directory;
    this.#scope = withDescendants ? "group" : "alone";
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const parameters = [directory, String(Math.ceil(GRACE_MS / 1_000)), this.#scope];
    this.#guard = spawn(SHELL, ["-c", GUARD_SCRIPT, "tunnel-mcp-guard", ...parameters, file, ...args], {
      env,
      cwd,
      stdio: ["pipe", stdin === undefined ? "ignore" : "pipe", "ignore", "pipe"],
      shell: false,
      // A process group of its own, which the guard may signal as a whole.
      detached: true,
    });
    this.#forgetExit = atExit(() => this.#abandon());
    this.#report = duplex(this.#guard, 3);
    const lines = lineReader((line) => this.#read(parseGuardLine(line)));
    this.#report.setEncoding("utf8").on("data", (chunk: string) => lines.read(chunk));
    // The other end may be killed at any moment.
    for (const stream of [this.#report, this.#guard.stdin]) stream?.on("error", () => undefined);
    this.#guard.once("error", () => void this.#guardEnded());
    this.#guard.once("exit", () => void this.#guardEnded());
  }

  exit(): Exit | undefined {
    return this.#direct?.exit() ?? this.#exit;
  }

  async stop(): Promise<void> {
    if (this.#exit !== undefined) return;
    if (this.#direct !== undefined) return this.#direct.stop();
    const { clock } = this.#options;
    this.#isStopping = true;
    if (this.#hasBegun) this.#signal("SIGTERM");
    else this.#report.end();
    // One that was suspended can neither follow nor tell.
    this.#signalGroup("SIGCONT");
    // The child alone: its guard tells how it ended, and ends what is left of the group.
    const cancelKill = clock.after(GRACE_MS, () => this.#signalChild("SIGKILL"));
    const cancelAll = clock.after(2 * GRACE_MS, () => this.#signalGroup("SIGKILL"));
    await this.exited;
    cancelKill();
    cancelAll();
  }

  handover(): ChildHandover | undefined {
    return this.#exit === undefined ? this.#handover : undefined;
  }

  leave(): void {
    if (this.#isOver || this.#handover === undefined) return;
    this.#isOver = true;
    this.#forgetExit();
    // Its guard sees the end of this before the other descriptors are closed, and by then a caretaker holds the child or nobody does.
    this.#guard.stdin?.destroy();
    this.#guard.stdout?.destroy();
    this.#report.destroy();
    for (const output of this.#outputs) output.destroy();
    this.#guard.removeAllListeners("exit").unref();
  }

  #read(line: GuardLine): void {
    switch (line.kind) {
      case "pid":
        if (this.#child === undefined) void this.#begin(line.pid);
        return;
      case "exit":
        // One that was never told to start has not ended: see #guardEnded.
        if (!this.#hasBegun) return;
        this.#hasEnded(exitOf(line, { file: this.#options.file, hasRemarked: this.#hasRemarked }));
        return;
      case "remark":
        this.#hasRemarked ||= this.#hasBegun;
    }
  }

  /** The child waits in its guard until its output is read and its record is written, and is then told to start. */
  async #begin(pid: number): Promise<void> {
    const { stdout, stderr, recordFolders } = this.#options;
    this.#child = { pid, start: "" };
    try {
      this.#outputs = [this.#open("out", stdout), this.#open("err", stderr)];
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // The guard ends without a line, and the child is started without it.
      return void this.#report.end();
    }
    if (this.#options.held === undefined) this.#removeDirectory();
    this.#child = { pid, start: (await this.#table.startOf(pid)) ?? "" };
    const record = await this.#recordOf(this.#child);
    if (record !== undefined) this.#record = await writeRecord(recordFolders, record, process.platform);
    if (this.#options.held !== undefined && this.#record !== undefined && record !== undefined)
      this.#handover = { folder: this.#directory, guard: record.guard, child: record.child };
    if (this.#isOver) return this.#forget();
    if (this.#isStopping || this.#isGuardGone) return;
    this.#hasBegun = true;
    this.#report.write("start\n");
    const { stdin } = this.#options;
    if (stdin !== undefined) feed(stdin, duplex(this.#guard, 1).resume());
  }

  #open(name: string, reader: ChildOptions["stdout"]): Socket {
    const fd = openSync(join(this.#directory, name), constants.O_RDONLY | constants.O_NONBLOCK);
    const output = new Socket({ fd, readable: true, writable: false });
    output.setEncoding("utf8").on("data", (chunk: string) => reader?.read(chunk));
    output.once("close", () => this.#settleIfOver()).on("error", () => undefined);
    return output;
  }

  /** Undefined where the system says too little of a process to know it again. */
  async #recordOf(child: ProcessIdentity) {
    const [world, server, guard] = await Promise.all([
      this.#table.world(),
      this.#table.startOf(process.pid),
      this.#table.startOf(must(this.#guard.pid, "the number of a guard that has spoken")),
    ]);
    if (child.start === "" || server === undefined || guard === undefined) return undefined;
    return {
      world,
      server: { pid: process.pid, start: server },
      guard: { pid: this.#guard.pid ?? 0, start: guard },
      child,
      ...(this.#options.held === undefined ? {} : { stay: this.#options.held.stay }),
    };
  }

  /** The guard has ended, or could not be started. */
  async #guardEnded(): Promise<void> {
    if (this.#isGuardGone) return;
    this.#isGuardGone = true;
    // A child that still waits to be started has nobody to wait for.
    if (!this.#hasBegun) this.#report.end();
    if (this.#guard.pid !== undefined && !this.#report.closed)
      await wait(this.#options.clock, LAST_LINES_MS, { until: (wake) => onClose(this.#report, wake) });
    if (this.#reported !== undefined) return this.#settleIfOver();
    if (this.#hasBegun) return this.#endOrphan();
    // It was stopped before its program was started.
    if (this.#isStopping) return this.#hasEnded({ signal: "SIGTERM" });
    this.#goWithout();
  }

  /** The guard was killed, so nobody will tell how the child ends: it is ended here. */
  async #endOrphan(): Promise<void> {
    const { clock } = this.#options;
    const child = must(this.#child, "a child that was started");
    const kill = clock.now() + GRACE_MS;
    const isThere = (): Promise<boolean> => runs(child, this.#table);
    let signal: NodeJS.Signals = "SIGTERM";
    if (await isThere()) this.#signal(signal);
    while (await isThere()) {
      if (clock.now() >= kill) this.#signal((signal = "SIGKILL"));
      await wait(clock, LOOK_MS);
    }
    // The watcher, and what the child may have started.
    this.#signalGroup("SIGKILL");
    this.#hasEnded({ signal });
  }

  #goWithout(): void {
    this.#forget();
    const direct = startDirect(this.#options);
    this.#direct = direct;
    void direct.exited.then(this.#settle);
  }

  /** Its output may come later than the word of its end, but descendants that hold it open hold nobody up. */
  #hasEnded(exit: Exit): void {
    this.#reported = exit;
    this.#cancelLastWords = this.#options.clock.after(LAST_WORDS_MS, () => {
      for (const output of this.#outputs) output.destroy();
      if (!this.#isGuardGone) this.#signalGroup("SIGKILL");
    });
    this.#settleIfOver();
  }

  #settleIfOver(): void {
    if (this.#exit !== undefined || this.#reported === undefined || !this.#isGuardGone) return;
    if (this.#outputs.some((output) => !output.closed)) return;
    this.#exit = this.#reported;
    this.#forget();
    this.#options.stdout?.end();
    this.#options.stderr.end();
    this.#settle(this.#exit);
  }

  /** Takes back everything that would outlive the child. */
  #forget(): void {
    this.#isOver = true;
    this.#cancelLastWords();
    this.#forgetExit();
    this.#removeDirectory();
    this.#guard.stdin?.destroy();
    this.#guard.stdout?.destroy();
    this.#report.destroy();
    if (this.#record !== undefined) removeRecord(this.#record);
    this.#record = undefined;
  }

  /** The last resort when the process ends without stop(): only synchronous work is possible there. */
  #abandon(): void {
    if (this.#handover !== undefined) return this.leave();
    if (this.#hasBegun) this.#signal("SIGKILL");
    this.#signalGroup("SIGKILL");
    this.#forget();
  }

  #removeDirectory(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#scope === "group") this.#signalGroup(signal);
    else this.#signalChild(signal);
  }

  #signalChild(signal: NodeJS.Signals): void {
    if (this.#child !== undefined) sendSignal(this.#child.pid, signal);
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#guard.pid !== undefined) sendSignal(-this.#guard.pid, signal);
  }
}

/** A descriptor of the guard that goes both ways. There is none where a new process had no descriptors left, which `error` then tells. */
function duplex(guard: { readonly stdio?: readonly unknown[] }, descriptor: 1 | 3): Duplex {
  const stream = guard.stdio?.[descriptor];
  return stream instanceof Duplex ? stream : new PassThrough();
}

function onClose(stream: Duplex, wake: () => void): () => void {
  stream.once("close", wake);
  return () => void stream.removeListener("close", wake);
}
