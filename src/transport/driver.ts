import type { Clock } from "../runtime/clock.ts";

/** A sans-IO machine: inputs go in with the time, effects come out, and it says when it wants to be woken. */
export interface Machine<Effect> {
  takeEffects(): Effect[];
  nextDeadline(): number | undefined;
}

/**
 * Runs a machine: every call goes through {@link Driver.run}, after which the effects are carried out and one timer is
 * set for the next deadline. The only owner of timers in a session.
 */
export class Driver<M extends Machine<Effect>, Effect> {
  readonly #machine: M;
  readonly #clock: Clock;
  readonly #perform: (effect: Effect) => void;
  readonly #wake: (machine: M, now: number) => void;
  readonly #writeKept: () => void;
  #cancelTimer: (() => void) | undefined;
  #timerAt: number | undefined;
  #isFlushing = false;
  #isStopped = false;

  constructor(options: {
    machine: M;
    clock: Clock;
    perform: (effect: Effect) => void;
    wake: (machine: M, now: number) => void;
    /** Writes what the machine has left to be kept: before anything that follows from it is carried out, or told to the caller. */
    writeKept?: (() => void) | undefined;
  }) {
    this.#machine = options.machine;
    this.#clock = options.clock;
    this.#perform = options.perform;
    this.#wake = options.wake;
    this.#writeKept = options.writeKept ?? (() => undefined);
    this.#flush();
  }

  /** Calls the machine, then carries out what came of it, also when the call throws. */
  run<Result>(call: (machine: M, now: number) => Result): Result {
    try {
      return call(this.#machine, this.#clock.now());
    } finally {
      this.#flush();
    }
  }

  /** Sets no timer any more: what still comes in is taken, and nothing happens by itself. */
  stop(): void {
    this.#isStopped = true;
    this.#disarm();
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = undefined;
  }

  #flush(): void {
    this.#writeKept();
    // An effect may call the machine again (a send that fails at once); its effects follow in the same loop.
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      for (
        let effects = this.#machine.takeEffects();
        effects.length > 0;
        effects = this.#machine.takeEffects()
      ) {
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#isFlushing = false;
    }
    this.#arm();
  }

  #arm(): void {
    const deadline = this.#machine.nextDeadline() ?? Number.POSITIVE_INFINITY;
    // Most deadlines only move away with every message: a timer that is early asks again.
    if (this.#timerAt !== undefined && deadline >= this.#timerAt && deadline < Number.POSITIVE_INFINITY)
      return;
    this.#disarm();
    if (deadline === Number.POSITIVE_INFINITY || this.#isStopped) return;
    this.#timerAt = deadline;
    this.#cancelTimer = this.#clock.after(Math.max(0, deadline - this.#clock.now()), () => {
      this.#timerAt = undefined;
      this.run(this.#wake);
    });
  }
}
