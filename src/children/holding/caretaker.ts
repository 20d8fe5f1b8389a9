import { spawn, type ChildProcess } from "node:child_process";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { wait, settled } from "../../runtime/wait.ts";
import { plainEnvironment, type Variables } from "../environment.ts";
import { SHELL } from "../guard-script.ts";
import { processTable, type ProcessIdentity, type ProcessTable } from "../identity.ts";
import { sendSignal } from "../signals.ts";
import { careFile, writeCare, type Care, type HeldAddress } from "./care-record.ts";
import { CARETAKER_SCRIPT } from "./caretaker-script.ts";

export interface CaretakerOptions {
  /** The folder of the stay, this user's alone: all of it is removed when the time is over. */
  readonly stay: string;
  /** How long a stay is kept after the end of this process; 0 keeps none. */
  readonly keptMs: number;
  /** Descriptor of the listening socket to which a held child connects (Lease.descriptor). */
  readonly listening?: number | undefined;
  readonly env: Variables;
  readonly clock: Clock;
  readonly platform?: string;
  readonly table?: ProcessTable;
}

/** One that was ended by somebody is replaced as often: a machine on which it cannot run goes without. */
const MAX_STARTS = 4;
const RESTART_MS = 200;
const END_MS = 1_000;

/**
 * Takes care of one stay for this process. It costs one idle shell; it works only once this process has ended, however it
 * was ended. Undefined where nothing is kept, and on Windows, where no program of the system could: the stay is swept by the
 * next start there, and its address is let go.
 */
export function startCaretaker(options: CaretakerOptions): Caretaker | undefined {
  const { keptMs, stay, platform = process.platform } = options;
  // A line break would end the line in which the script is told of it.
  if (keptMs <= 0 || platform === "win32" || stay.includes("\n")) return undefined;
  return new RunningCaretaker(options);
}

/** All methods may be called at any time, and none rejects. */
export interface Caretaker {
  /**
   * Holds this address from now on, and none that it held before; undefined holds none. Resolves when that is so, also for a
   * `kill -9` of this process right afterwards.
   */
  hold(address: HeldAddress | undefined): Promise<void>;
  /** This process is about to end, and the stay is kept. Synchronous. */
  leave(): void;
  /** The stay is over, or this process removes it itself: nothing is held or removed. Resolves when the port is not held any more. */
  end(): Promise<void>;
}

class RunningCaretaker implements Caretaker {
  readonly #options: CaretakerOptions;
  readonly #table: ProcessTable;
  #process: ChildProcess | undefined;
  /** Those who wait for an answer, in order. */
  #asked: (() => void)[] = [];
  #starts = 0;
  #address: HeldAddress | undefined;
  #isOver = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: CaretakerOptions) {
    this.#options = options;
    this.#table = options.table ?? processTable(options.platform ?? process.platform, options.env);
    this.#start();
    void this.#record();
  }

  async hold(address: HeldAddress | undefined): Promise<void> {
    if (this.#isOver) return;
    this.#address = address;
    await this.#tell();
    await this.#record();
  }

  leave(): void {
    this.#isOver = true;
    this.#process?.stdin?.destroy();
    this.#process?.stdout?.destroy();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    const { clock, stay } = this.#options;
    const running = this.#process;
    if (running?.pid !== undefined && running.exitCode === null && running.signalCode === null) {
      const exited = new Promise<void>((resolve) => void running.once("exit", () => resolve()));
      running.stdin?.end("end\n");
      if ((await wait(clock, END_MS, { until: settled(exited) })) === "timeout")
        sendSignal(-running.pid, "SIGKILL");
    }
    await this.#writing;
    const self = await this.#self();
    if (self !== undefined) await rm(careFile(stay, self), { force: true }).catch(() => undefined);
  }

  #start(): void {
    const { stay, keptMs, listening, env, platform = process.platform } = this.#options;
    this.#starts += 1;
    const seconds = String(Math.ceil(keptMs / 1_000));
    const running = spawn(SHELL, ["-c", CARETAKER_SCRIPT, "tunnel-mcp-caretaker", stay, seconds], {
      env: plainEnvironment(env, platform),
      // A folder that nobody removes, and that keeps no disk busy.
      cwd: "/",
      stdio: ["pipe", "pipe", "ignore", listening ?? "ignore"],
      detached: true,
    });
    this.#process = running;
    running.unref();
    for (const stream of [running.stdin, running.stdout]) {
      stream?.on("error", () => undefined);
      // It never keeps this process alive.
      if (stream instanceof Socket) stream.unref();
    }
    running.stdout?.setEncoding("utf8").on("data", (text: string) => {
      for (const each of text) if (each === "\n") this.#asked.shift()?.();
    });
    running.once("error", () => this.#ended(running));
    running.once("exit", () => this.#ended(running));
    if (this.#address !== undefined) void this.#tell();
  }

  #ended(running: ChildProcess): void {
    if (this.#process !== running) return;
    this.#process = undefined;
    for (const answer of this.#asked.splice(0)) answer();
    if (this.#isOver || this.#starts >= MAX_STARTS) return;
    this.#options.clock.after(RESTART_MS, () => {
      if (this.#isOver) return;
      this.#start();
      void this.#record();
    });
  }

  #tell(): Promise<void> {
    const stdin = this.#process?.stdin;
    if (stdin === undefined || stdin === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#asked.push(resolve);
      stdin.write(this.#address === undefined ? "free\n" : `hold ${this.#address.child.folder}\n`);
    });
  }

  /** Says for a later process who takes care, and of what. One after the other, so that the last one stands. */
  #record(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const pid = this.#process?.pid;
    if (pid === undefined || this.#isOver) return;
    const [world, server, start] = await Promise.all([
      this.#table.world(),
      this.#self(),
      this.#table.startOf(pid),
    ]);
    if (server === undefined || start === undefined) return;
    const care: Omit<Care, "format" | "inode"> = {
      world,
      server,
      caretaker: { pid, start },
      ...(this.#address === undefined ? {} : { address: this.#address }),
    };
    // A full disk, say: the address cannot be taken over then, which is no reason for a tunnel to end.
    await writeCare(this.#options.stay, care).catch(() => undefined);
  }

  async #self(): Promise<ProcessIdentity | undefined> {
    const start = await this.#table.startOf(process.pid);
    return start === undefined ? undefined : { pid: process.pid, start };
  }
}
