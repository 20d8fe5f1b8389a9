/** Time as the adapters see it. Tests put their own in its place; the protocol core is only ever given `now`. */
export interface Clock {
  /** Milliseconds since the Unix epoch; never goes back. */
  now(): number;
  /** Calls `callback` once after `ms`; the returned function cancels it. Must not keep the process alive. */
  after(ms: number, callback: () => void): () => void;
}

/** A step of the wall clock ahead of the running time that is more than its adjustment: the machine has slept, say. */
const JUMP_MS = 2_000;

/**
 * The wall clock, made steady: it follows jumps ahead, since a machine that slept must notice it, and runs on where the
 * wall clock is set back, since deadlines would otherwise move away by as much.
 * @param wall milliseconds since the epoch, which may jump
 * @param running milliseconds since any moment, which do not
 */
export function steady(wall: () => number, running: () => number): () => number {
  let offset = wall() - running();
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const ahead = wall() - (running() + offset);
    if (ahead > JUMP_MS) offset += ahead;
    last = Math.max(last, Math.round(running() + offset));
    return last;
  };
}

/** After everything that has arrived already, and before any timer: a timer takes a millisecond at least. */
function soon(callback: () => void): () => void {
  const immediate = setImmediate(callback);
  immediate.unref();
  return () => clearImmediate(immediate);
}

export const systemClock: Clock = {
  now: steady(
    () => Date.now(),
    () => performance.now(),
  ),
  after(ms, callback) {
    if (ms <= 0) return soon(callback);
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
