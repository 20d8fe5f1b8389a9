import type { Clock } from "../../runtime/clock.ts";
import type { RequestView } from "../../view/expose/exposure-requests.ts";

/** A page of a dev server loads so many modules and more; what comes beyond it in the time is one line. */
const SHOWN = 60;
const TIME_MS = 3_000;

interface Run {
  readonly cancel: () => void;
  count: number;
  /** The number of those not shown, by the first digit of the status; 0 for none. */
  readonly hidden: Map<number, number>;
}

/** Very many requests at once do not make a terminal useless. */
export class RequestFlood {
  readonly #clock: Clock;
  readonly #tell: (name: string, text: string) => void;
  readonly #runs = new Map<string, Run>();

  /** @param tell gets the line for those that were not shown */
  constructor(clock: Clock, tell: (name: string, text: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Whether a request of the exposure of this name is shown. */
  passes(name: string, { status }: Pick<RequestView, "status">): boolean {
    const run = this.#runs.get(name) ?? this.#begin(name);
    run.count += 1;
    if (run.count <= SHOWN) return true;
    const digit = Math.floor((status ?? 0) / 100);
    run.hidden.set(digit, (run.hidden.get(digit) ?? 0) + 1);
    return false;
  }

  /** Tells of those that were not shown so far, and ends. */
  stop(): void {
    for (const [name, run] of this.#runs) {
      run.cancel();
      this.#over(name);
    }
  }

  #begin(name: string): Run {
    const cancel = this.#clock.after(TIME_MS, () => this.#over(name));
    const run = { cancel, count: 0, hidden: new Map<number, number>() };
    this.#runs.set(name, run);
    return run;
  }

  #over(name: string): void {
    const run = this.#runs.get(name);
    this.#runs.delete(name);
    if (run !== undefined && run.hidden.size > 0) this.#tell(name, hiddenText(run));
  }
}

function hiddenText({ count, hidden }: Run): string {
  const kinds = [...hidden].toSorted(([a], [b]) => a - b);
  const parts = kinds.map(([digit, of]) => `${of} ${digit === 0 ? "without an answer" : `with ${digit}xx`}`);
  const more = count - SHOWN;
  return `${more} more ${more === 1 ? "request" : "requests"} in this time: ${parts.join(", ")}`;
}
