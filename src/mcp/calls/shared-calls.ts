import type { CallToolResult } from "@modelcontextprotocol/server";
import type { CallId } from "../../session/saying/sent.ts";
import type { Payload } from "../results/result.ts";
import type { Clock } from "../../runtime/clock.ts";

/** One request of the client, or a run that answers several. */
export interface Caller {
  readonly id: CallId;
  readonly signal: AbortSignal;
  /** Reports progress to a client that has asked for it, with the share that is done where that is known. */
  readonly progress: (message: string, part?: { readonly done: number; readonly total: number }) => void;
}

/** The end of a run, as every caller of it is told. */
export interface Outcome {
  /** The answer to one of them, with the fields that are its own. */
  readonly answer: (more: Payload) => CallToolResult;
  /** Whether it still answers the same call when that is made again. */
  readonly holds: () => boolean;
}

/** A run, which never rejects, and those that wait for it. */
interface Shared {
  /** The call that began it. */
  readonly id: CallId;
  readonly callers: Map<CallId, Caller>;
  /** All that have ever joined, and those among them that their client has given up, also after the answer. */
  readonly joined: Set<CallId>;
  readonly gaveUp: Set<CallId>;
  readonly outcome: Promise<Outcome>;
  readonly cancel: () => void;
}

/** A client that dispatches calls twice does so within milliseconds; one that is meant comes after the answer was read. */
const KEPT_MS = 1_000;
/** Answers that are kept at once, and calls whose runs are remembered. */
const MAX_KEPT = 256;

/**
 * Calls that a client dispatches twice: the same tool with the same arguments shares one run and one answer. A caller that gives up
 * takes nothing away from the others: a run is cancelled when all of its callers are.
 */
export class SharedCalls {
  readonly #clock: Clock;
  readonly #running = new Map<string, Shared>();
  /** Runs that have ended and still answer, the oldest first; `until` in ms since the epoch. */
  readonly #kept = new Map<
    string,
    { readonly shared: Shared; readonly outcome: Outcome; readonly until: number }
  >();
  /** Runs with several callers, by each of them. */
  readonly #several = new Map<CallId, Shared>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs a call, or joins the run of the same one.
   * @param key the tool and its arguments as they were understood
   * @param options `keeps`: the answer holds for a moment after it was given; otherwise only a run that goes on is shared
   * @returns `repeatOf`: the call that began the run, where that was another one
   */
  async call(
    key: string,
    caller: Caller,
    { keeps, run }: { readonly keeps: boolean; readonly run: (run: Caller) => Promise<Outcome> },
  ): Promise<{ readonly outcome: Outcome; readonly repeatOf: CallId | undefined }> {
    const known = this.#running.get(key) ?? this.#keptFor(key);
    const shared = known ?? this.#begin(key, caller, keeps, run);
    if (known !== undefined) this.#join(key, known, caller);
    return { outcome: await shared.outcome, repeatOf: known?.id };
  }

  /**
   * The client has given a call up, perhaps after its answer.
   * @returns the call of the run whose answer nobody has; undefined while somebody else has it
   */
  gaveUp(call: CallId): CallId | undefined {
    const shared = this.#several.get(call);
    if (shared === undefined) return call;
    shared.gaveUp.add(call);
    return shared.gaveUp.size === shared.joined.size ? shared.id : undefined;
  }

  #begin(key: string, caller: Caller, keeps: boolean, run: (run: Caller) => Promise<Outcome>): Shared {
    const abort = new AbortController();
    const callers = new Map<CallId, Caller>();
    const gaveUp = new Set<CallId>();
    // Begins a moment later: a caller must be there to be told of progress.
    const outcome = Promise.resolve().then(() =>
      run({
        id: caller.id,
        signal: abort.signal,
        progress: (message, part) => callers.forEach(({ progress }) => progress(message, part)),
      }),
    );
    const shared = {
      id: caller.id,
      callers,
      joined: new Set<CallId>(),
      gaveUp,
      outcome,
      cancel: () => abort.abort(),
    };
    this.#running.set(key, shared);
    this.#join(key, shared, caller);
    void outcome.then((ended) => this.#ended(key, shared, keeps ? ended : undefined));
    return shared;
  }

  #join(key: string, shared: Shared, caller: Caller): void {
    const { callers, joined } = shared;
    callers.set(caller.id, caller);
    joined.add(caller.id);
    if (joined.size > 1) for (const id of joined) this.#several.set(id, shared);
    trim(this.#several);
    const leave = (): void => {
      callers.delete(caller.id);
      if (callers.size > 0) return;
      shared.cancel();
      // The same call again is not to end with those that were cancelled.
      if (this.#running.get(key) === shared) this.#running.delete(key);
    };
    if (caller.signal.aborted) leave();
    else caller.signal.addEventListener("abort", leave, { once: true });
  }

  #ended(key: string, shared: Shared, outcome: Outcome | undefined): void {
    if (this.#running.get(key) !== shared) return;
    this.#running.delete(key);
    if (outcome?.holds() !== true) return;
    this.#kept.set(key, { shared, outcome, until: this.#clock.now() + KEPT_MS });
    trim(this.#kept);
  }

  #keptFor(key: string): Shared | undefined {
    for (const [old, { until }] of this.#kept) {
      if (until > this.#clock.now()) break;
      this.#kept.delete(old);
    }
    const kept = this.#kept.get(key);
    return kept?.outcome.holds() === true ? kept.shared : undefined;
  }
}

/** Forgets the oldest. */
function trim(map: Map<unknown, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= MAX_KEPT) return;
    map.delete(key);
  }
}
