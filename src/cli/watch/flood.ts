import type { Clock } from "../../runtime/clock.ts";
import type { WatchEvent } from "../../watch/protocol.ts";
import { safeName } from "../chat/terminal/safe-text.ts";

/** More than a person reads: the rest of so long a time becomes one line. */
const SHOWN = 60;
const TIME_MS = 5_000;

interface Run {
  /** The line for those that were not shown. */
  readonly more: (count: number) => string;
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
    const said = (count: number): string =>
      `${safeName(entry.fromName)} has said ${count} more in this time: the transcript has it.`;
    return this.#passes(`${tunnelId} ${entry.from}`, said);
  }

  /** The same for a connection that has begun or ended, and for a call of an MCP server. */
  passesTraffic(event: Extract<WatchEvent, { t: "connection" | "call" }>): boolean {
    const { t, tunnelId, serviceId, name } = event;
    const what = t === "call" ? "calls" : "connections began or ended";
    const told = (count: number): string =>
      `${safeName(name)}: ${count} more ${what} in this time. Type services for the counts.`;
    return this.#passes(`${tunnelId} ${t} ${serviceId}`, told);
  }

  #passes(key: string, more: Run["more"]): boolean {
    const run = this.#runs.get(key) ?? this.#begin(key, more);
    run.count += 1;
    return run.count <= SHOWN;
  }

  stop(): void {
    for (const { cancel } of this.#runs.values()) cancel();
    this.#runs.clear();
  }

  #begin(key: string, more: Run["more"]): Run {
    const run = { more, count: 0, cancel: this.#clock.after(TIME_MS, () => this.#over(key)) };
    this.#runs.set(key, run);
    return run;
  }

  #over(key: string): void {
    const run = this.#runs.get(key);
    this.#runs.delete(key);
    if (run === undefined || run.count <= SHOWN) return;
    this.#tell(run.more(run.count - SHOWN));
  }
}
