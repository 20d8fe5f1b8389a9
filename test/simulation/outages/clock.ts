import type { Clock } from "../../../src/runtime/clock.ts";
import type { World } from "../../support/wire.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Turns of the promises behind a timer: an opening that ends is some of them away from the pool that waits for it. */
const TURNS = 12;

/** The clock of a world for what works with timers and promises: both go on together. */
export class WorldClock implements Clock {
  readonly #world: World;
  #timers: Timer[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  now(): number {
    return this.#world.now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#world.now + Math.max(0, ms), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  async advance(ms: number): Promise<void> {
    const until = this.#world.now + ms;
    for (;;) {
      await settled();
      // The first of those that are due at the same time is the one that was asked for first.
      const [first] = this.#timers.toSorted((one, other) => one.at - other.at);
      if (first === undefined || first.at > until) break;
      this.#timers = this.#timers.filter((other) => other !== first);
      this.#world.advance(Math.max(0, first.at - this.#world.now));
      first.callback();
      this.#world.settle();
    }
    this.#world.advance(until - this.#world.now);
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
}
