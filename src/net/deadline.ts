import type { Clock } from "../runtime/clock.ts";

/** Thrown when the time given to a step has run out. Adapters turn it into the error of that step. */
class TimedOut extends Error {
  override readonly name = "TimedOut";

  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
  }
}

export interface Deadline {
  /** Aborts when the outer signal does or the time is over; its reason tells which. */
  readonly signal: AbortSignal;
  /** Starts the time anew: for "no progress for this long" rather than "not done by then". */
  restart(): void;
  /** Must be called when the step is over. */
  clear(): void;
}

/** A signal that also aborts, with TimedOut, after `ms`. */
export function deadline(clock: Clock, ms: number, outer: AbortSignal): Deadline {
  const controller = new AbortController();
  const follow = (): void => controller.abort(outer.reason);
  const expire = (): void => controller.abort(new TimedOut(ms));
  let cancel = clock.after(ms, expire);
  outer.addEventListener("abort", follow, { once: true });
  if (outer.aborted) follow();
  return {
    signal: controller.signal,
    restart() {
      cancel();
      cancel = clock.after(ms, expire);
    },
    clear() {
      cancel();
      outer.removeEventListener("abort", follow);
    },
  };
}

/** Settles as `work` does, unless `signal` aborts first: then rejects with its reason. */
export async function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stopListening = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const fail = (): void => reject(reasonOf(signal));
    if (signal.aborted) return fail();
    signal.addEventListener("abort", fail, { once: true });
    stopListening = () => signal.removeEventListener("abort", fail);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    stopListening();
  }
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("aborted");
}
