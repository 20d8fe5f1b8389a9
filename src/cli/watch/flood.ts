import type { Clock } from "../../runtime/clock.ts";
import type { WatchEvent } from "../../watch/protocol.ts";
import { safeName } from "../chat/terminal/safe-text.ts";

/** More than a person reads: the rest of so long a time becomes one line. */
const SHOWN = 60;
const TIME_MS = 5_000;

interface Run {
  readonly name: string;
  readonly cancel: () => void;
  count: number;
}

/** A member that says very much does not push everything else off the screen. What this side says is always shown. */
export class Flood {
  readonly #clock: Clock;
  readonly #tell: (text: string) => void;
  readonly #runs = new Map<string, Run>();

  constructor(clock: Clock, tell: (text: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Whether it is shown. */
  passes({ tunnelId, isOwn, entry }: Extract<WatchEvent, { t: "entry" }>): boolean {
    if (isOwn || entry.kind === "system" || entry.kind === "notice") return true;
    const key = `${tunnelId} ${entry.from}`;
    const run = this.#runs.get(key) ?? this.#begin(key, entry.fromName);
    run.count += 1;
    return run.count <= SHOWN;
  }

  stop(): void {
    for (const { cancel } of this.#runs.values()) cancel();
    this.#runs.clear();
  }

  #begin(key: string, name: string): Run {
    const run = { name, count: 0, cancel: this.#clock.after(TIME_MS, () => this.#over(key)) };
    this.#runs.set(key, run);
    return run;
  }

  #over(key: string): void {
    const run = this.#runs.get(key);
    this.#runs.delete(key);
    if (run === undefined || run.count <= SHOWN) return;
    this.#tell(
      `${safeName(run.name)} has said ${run.count - SHOWN} more in this time: the transcript has it.`,
    );
  }
}
