import type { Output } from "../../src/cli/io/output.ts";
import type { Clock } from "../../src/runtime/clock.ts";

/** An Output that remembers what was written. */
export interface Recorder extends Output {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export function recorder(): Recorder {
  const written = { out: "", err: "" };
  return {
    color: false,
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    stdout: () => written.out,
    stderr: () => written.err,
  };
}

/** A clock that stands still until it is told to move on. */
export interface HandClock extends Clock {
  readonly advance: (ms: number) => void;
}

export function handClock(): HandClock {
  let now = 0;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    advance(ms) {
      now += ms;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { callback } of due) callback();
    },
  };
}
