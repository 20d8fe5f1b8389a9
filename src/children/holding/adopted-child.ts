import { closeSync, constants, openSync, readFileSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { processIsRunning } from "../../runtime/processes.ts";
import { every, settled, wait } from "../../runtime/wait.ts";
import {
  GRACE_MS,
  LAST_WORDS_MS,
  type Child,
  type ChildHandover,
  type ChildOptions,
  type Exit,
} from "../child.ts";
import { exitOf, parseGuardLine } from "../guard-report.ts";
import { runs, type ProcessTable } from "../identity.ts";
import { lineReader } from "../lines.ts";
import { removeRecord } from "../records.ts";
import { sendSignal } from "../signals.ts";

/** Between two looks at whether the child and its guard are still there: the end of the output tells sooner. */
const LOOK_MS = 1_000;

/** A child that this process has not started, and what it needs to have it. */
export interface Adoption {
  readonly handover: ChildHandover;
  /** Open for writing as long as this process has the child (`lead` in guard-script.ts). */
  readonly lead: number;
  /** The record of it for a later start. */
  readonly record: string | undefined;
  readonly table: ProcessTable;
  readonly options: Pick<ChildOptions, "clock" | "stdout" | "stderr">;
}

/** A child of an earlier process under its own guard, read, watched and ended from here. */
export class AdoptedChild implements Child {
  readonly exited: Promise<Exit>;
  readonly #adoption: Adoption;
  readonly #outputs: readonly Socket[];
  readonly #stopLooking: () => void;
  #settle: (exit: Exit) => void = () => undefined;
  #exit: Exit | undefined;
  #isLeft = false;
  #isEnding = false;

  /** It goes on where it was stopped. */
  constructor(adoption: Adoption) {
    const { handover, options } = adoption;
    this.#adoption = adoption;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#outputs = [this.#open("out", options.stdout), this.#open("err", options.stderr)];
    this.#stopLooking = every(options.clock, LOOK_MS, () => this.#look());
    sendSignal(handover.child.pid, "SIGCONT");
  }

  exit(): Exit | undefined {
    return this.#exit;
  }

  handover(): ChildHandover | undefined {
    return this.#exit === undefined ? this.#adoption.handover : undefined;
  }

  async stop(): Promise<void> {
    if (this.#exit !== undefined || this.#isLeft) return;
    const { table, handover, options } = this.#adoption;
    const { child, guard } = handover;
    if (await runs(child, table)) {
      sendSignal(child.pid, "SIGTERM");
      sendSignal(child.pid, "SIGCONT");
    }
    for (const last of [child.pid, -guard.pid]) {
      if ((await wait(options.clock, GRACE_MS, { until: settled(this.exited) })) === "woken") return;
      // The group has this number as long as its guard or anybody whom the guard has started is there.
      if ((await runs(guard, table)) || (await runs(child, table))) sendSignal(last, "SIGKILL");
    }
    await this.exited;
  }

  leave(): void {
    if (this.#exit !== undefined || this.#isLeft) return;
    this.#isLeft = true;
    this.#stopLooking();
    closeSync(this.#adoption.lead);
    for (const output of this.#outputs) output.destroy();
  }

  #open(name: string, reader: ChildOptions["stdout"]): Socket {
    const fd = openSync(
      join(this.#adoption.handover.folder, name),
      constants.O_RDONLY | constants.O_NONBLOCK,
    );
    const output = new Socket({ fd, readable: true, writable: false });
    // Nobody waits for it: a process may end while it has a child that it leaves.
    output.unref();
    output.setEncoding("utf8").on("data", (chunk: string) => reader?.read(chunk));
    output.once("close", () => this.#outputEnded()).on("error", () => undefined);
    return output;
  }

  /** Both pipes end with the child and its guard, which alone write into them. */
  #outputEnded(): void {
    if (this.#exit !== undefined || this.#isLeft || this.#outputs.some((output) => !output.closed)) return;
    const { options, lead, record, handover } = this.#adoption;
    this.#stopLooking();
    this.#exit = this.#told();
    closeSync(lead);
    if (record !== undefined) removeRecord(record);
    rmSync(handover.folder, { recursive: true, force: true });
    options.stdout?.end();
    options.stderr.end();
    this.#settle(this.#exit);
  }

  /** What its guard says of the end. One that could not say it was killed, and the child after it. */
  #told(): Exit {
    const { folder } = this.#adoption.handover;
    let exit: Exit = { signal: "SIGKILL" };
    const reader = lineReader((text) => {
      const line = parseGuardLine(text);
      if (line.kind === "exit") exit = exitOf(line, { file: "", hasRemarked: true });
    });
    try {
      reader.read(readFileSync(join(folder, "exit"), "utf8"));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
    reader.end();
    return exit;
  }

  #look(): void {
    const { handover, options } = this.#adoption;
    if (this.#isEnding) return;
    if (!processIsRunning(handover.child.pid)) {
      // Descendants that hold its output open hold nobody up.
      this.#isEnding = true;
      options.clock.after(LAST_WORDS_MS, () => {
        for (const output of this.#outputs) output.destroy();
      });
    } else if (!processIsRunning(handover.guard.pid)) {
      // Its guard was killed: nobody would end it with this process.
      this.#isEnding = true;
      void this.stop();
    }
  }
}
