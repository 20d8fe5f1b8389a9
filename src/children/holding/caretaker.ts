import { spawn, type ChildProcess } from "node:child_process";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { plainEnvironment, type Variables } from "../environment.ts";
import { SHELL } from "../guard-script.ts";
import { processTable, type ProcessIdentity, type ProcessTable } from "../identity.ts";
import { careFile, writeCare, type Care, type HeldAddress } from "./care-record.ts";
import { CARETAKER_SCRIPT } from "./caretaker-script.ts";

export interface CaretakerOptions {
  /** The folder of the stay, this user's alone: all of it is removed when the time is over. */
  readonly stay: string;
  /** How long a stay is kept after the end of this process; 0 keeps none. */
  readonly keptMs: number;
  /** Descriptor of the listening socket to which a held child connects (Lease.descriptor); undefined once it is closed. */
  readonly listening?: () => number | undefined;
  readonly env: Variables;
  readonly clock: Clock;
  readonly platform?: string;
  readonly table?: ProcessTable;
}

/** One that was ended by somebody is replaced as often: a machine on which it cannot run goes without. */
const MAX_ENDS = 3;
const RESTART_MS = 200;

/**
 * Takes care of one stay for this process. It costs one idle shell; it works only once this process has ended, however it
 * was ended. Undefined where nothing is kept, and on Windows, where no program of the system could: the stay is swept by the
 * next start there, and its address is let go.
 */
export function startCaretaker(options: CaretakerOptions): Caretaker | undefined {
  const { keptMs, platform = process.platform } = options;
  if (keptMs <= 0 || platform === "win32") return undefined;
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
  #ends = 0;
  #address: HeldAddress | undefined;
  /** The address that the running script holds; null while there is none. */
  #running: HeldAddress | undefined | null = null;
  #isOver = false;
  /** The record of it, once there is one. */
  #file: string | undefined;
  /** Changes come one after the other, so that the last one stands. */
  #changing: Promise<void>;

  constructor(options: CaretakerOptions) {
    this.#options = options;
    this.#table = options.table ?? processTable(options.platform ?? process.platform, options.env);
    this.#changing = this.#renew();
  }

  hold(address: HeldAddress | undefined): Promise<void> {
    this.#address = address;
    return this.#change();
  }

  leave(): void {
    this.#isOver = true;
    this.#process?.stdin?.destroy();
    this.#process?.stdout?.destroy();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#changing;
    await this.#stop();
    if (this.#file !== undefined) await rm(this.#file, { force: true }).catch(() => undefined);
  }

  #change(): Promise<void> {
    this.#changing = this.#changing.then(() => this.#renew());
    return this.#changing;
  }

  /**
   * Another script in place of the one that runs: what one holds never changes, since not every shell closes a descriptor when it is
   * told to. Two at once could both remove the stay, so the first ends before.
   */
  async #renew(): Promise<void> {
    if (this.#isOver || this.#running === this.#address) return;
    try {
      await this.#stop();
      const start = await this.#table.startOf(process.pid);
      // Where nothing can be learned of processes, none can be known again.
      if (start === undefined) return;
      const self = { pid: process.pid, start };
      await this.#start(careFile(this.#options.stay, self));
      await this.#record(self);
    } catch (error) {
      // A full disk, or no process to be had: nothing can be taken over then, which is no reason for a tunnel to end.
      if (!(error instanceof Error)) throw error;
    }
  }

  /** Resolves when it holds what it is to hold, or cannot. */
  #start(file: string): Promise<void> {
    const { stay, keptMs, listening, env, platform = process.platform } = this.#options;
    this.#running = this.#address;
    const seconds = String(Math.ceil(keptMs / 1_000));
    const parameters = [stay, seconds, this.#address?.child.folder ?? "", file];
    const running = spawn(SHELL, ["-c", CARETAKER_SCRIPT, "tunnel-mcp-caretaker", ...parameters], {
      env: plainEnvironment(env, platform),
      // A folder that nobody removes, and that keeps no disk busy.
      cwd: "/",
      stdio: ["pipe", "pipe", "ignore", listening?.() ?? "ignore"],
      detached: true,
    });
    this.#process = running;
    running.unref();
    for (const stream of [running.stdin, running.stdout]) {
      stream?.on("error", () => undefined);
      // It never keeps this process alive.
      if (stream instanceof Socket) stream.unref();
    }
    for (const event of ["error", "exit"] as const) running.once(event, () => this.#ended(running));
    return new Promise((resolve) => {
      for (const event of ["error", "exit"] as const) running.once(event, () => resolve());
      running.stdout?.once("data", () => resolve());
    });
  }

  async #stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    this.#running = null;
    if (running?.pid === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => void running.once("exit", () => resolve()));
    // This process may have nothing else to wait for, and must not end before it has.
    running.ref();
    // It has no others in its group as long as this process runs.
    running.kill("SIGKILL");
    await exited;
  }

  /** Nobody here has ended it. */
  #ended(running: ChildProcess): void {
    if (this.#process !== running || this.#isOver) return;
    this.#process = undefined;
    this.#running = null;
    this.#ends += 1;
    if (this.#ends <= MAX_ENDS) this.#options.clock.after(RESTART_MS, () => void this.#change());
  }

  /** Says for a later process who takes care, and of what. */
  async #record(server: ProcessIdentity): Promise<void> {
    const pid = this.#process?.pid;
    if (pid === undefined || this.#isOver) return;
    const [world, start] = await Promise.all([this.#table.world(), this.#table.startOf(pid)]);
    if (start === undefined) return;
    const care: Omit<Care, "format" | "inode"> = {
      world,
      server,
      caretaker: { pid, start },
      // As the script holds it, and not as it is to hold it next.
      ...(this.#running === undefined || this.#running === null ? {} : { address: this.#running }),
    };
    await writeCare(this.#options.stay, care);
    this.#file = careFile(this.#options.stay, server);
  }
}
