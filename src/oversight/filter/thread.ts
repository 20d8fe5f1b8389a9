import { Worker } from "node:worker_threads";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { Outcome } from "./content-scanner.ts";
import type { FromThread, ToThread } from "./thread-messages.ts";
import type { Outbound } from "./verdict.ts";

/** Bytes that may be on their way to the thread; whoever reads faster waits. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Without a word of the thread. The slowest block known takes less than a second. */
const SILENCE_MS = 30_000;
/** The thread costs some megabytes, and starts in less than a tenth of a second. */
const IDLE_MS = 20_000;
const MAX_HEAP_MB = 192;

type State =
  { readonly is: "open" } | { readonly is: "done"; readonly outcome: Outcome } | { readonly is: "failed" };

/** One scan in the thread. */
export class ThreadScan {
  readonly #send: (message: ToThread, transfer: readonly ArrayBuffer[]) => void;
  readonly #clock: Clock;
  readonly #number: number;
  readonly #silent: () => void;
  #waitingBytes = 0;
  #state: State = { is: "open" };
  #wake: () => void = () => undefined;

  constructor(
    number: number,
    options: {
      readonly clock: Clock;
      readonly send: (message: ToThread, transfer: readonly ArrayBuffer[]) => void;
      /** The thread does not answer any more. */
      readonly silent: () => void;
    },
  ) {
    this.#number = number;
    this.#clock = options.clock;
    this.#send = options.send;
    this.#silent = options.silent;
  }

  /**
   * Resolves when more may come. The bytes are copied.
   * @throws {TunnelError} scan-failed
   */
  async write(bytes: Uint8Array): Promise<void> {
    const copy = new Uint8Array(bytes);
    this.#waitingBytes += copy.length;
    this.#send({ t: "bytes", scan: this.#number, bytes: copy }, [copy.buffer]);
    await this.#until(() => this.#waitingBytes <= MAX_WAITING_BYTES);
  }

  /** @throws {TunnelError} scan-failed */
  async end(): Promise<Outcome> {
    this.#send({ t: "end", scan: this.#number }, []);
    await this.#until(() => this.#state.is === "done");
    if (this.#state.is !== "done") throw new TunnelError("scan-failed");
    return this.#state.outcome;
  }

  /** Nobody waits for it any more. */
  drop(): void {
    this.#send({ t: "drop", scan: this.#number }, []);
  }

  heard(message: FromThread): void {
    if (message.t === "taken") this.#waitingBytes -= message.bytes;
    else if (message.t === "outcome") this.#state = { is: "done", outcome: message.outcome };
    else this.#state = { is: "failed" };
    this.#wake();
  }

  fail(): void {
    if (this.#state.is === "open") this.#state = { is: "failed" };
    this.#wake();
  }

  /** Each word of the thread gives it time anew. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#state.is === "failed") throw new TunnelError("scan-failed");
      const how = await wait(this.#clock, SILENCE_MS, {
        until: (wake) => {
          this.#wake = wake;
          return () => (this.#wake = () => undefined);
        },
      });
      if (how !== "woken") this.#silent();
    }
  }
}

/** The thread that scans, as long as there is something to scan. */
export class ScanThread {
  readonly #clock: Clock;
  readonly #script: URL;
  readonly #scans = new Map<number, ThreadScan>();
  #worker: Worker | undefined;
  #next = 1;
  #cancelIdle: () => void = () => undefined;

  /** @param script the bundle of `worker.ts` */
  constructor(clock: Clock, script: URL) {
    this.#clock = clock;
    this.#script = script;
  }

  /** Whether a thread is there now. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  open(where: Outbound, before: string): ThreadScan {
    this.#cancelIdle();
    const worker = this.#running();
    const number = this.#next;
    this.#next += 1;
    const scan = new ThreadScan(number, {
      clock: this.#clock,
      send: (message, transfer) => {
        if (message.t === "drop") this.#forget(number);
        worker.postMessage(message, transfer);
      },
      silent: () => void this.#stop(worker),
    });
    this.#scans.set(number, scan);
    worker.postMessage({ t: "open", scan: number, where, before } satisfies ToThread, []);
    return scan;
  }

  async close(): Promise<void> {
    this.#cancelIdle();
    await this.#stop(this.#worker);
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    // Without the environment and the streams of this process: what it handles are secrets.
    const worker = new Worker(this.#script, {
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    worker.unref();
    worker.on("message", (message: FromThread) => {
      this.#scans.get(message.scan)?.heard(message);
      if (message.t !== "taken") this.#forget(message.scan);
    });
    // The error itself is dropped: its words may hold what was scanned.
    worker.on("error", () => this.#lost(worker));
    worker.on("exit", () => this.#lost(worker));
    this.#worker = worker;
    return worker;
  }

  #forget(scan: number): void {
    this.#scans.delete(scan);
    if (this.#scans.size > 0) return;
    this.#cancelIdle();
    this.#cancelIdle = this.#clock.after(IDLE_MS, () => void this.#stop(this.#worker));
  }

  async #stop(worker: Worker | undefined): Promise<void> {
    this.#lost(worker);
    await worker?.terminate();
  }

  /** No scan that went on in it has an outcome. */
  #lost(worker: Worker | undefined): void {
    if (worker === undefined || worker !== this.#worker) return;
    this.#worker = undefined;
    for (const scan of this.#scans.values()) scan.fail();
    this.#scans.clear();
  }
}
